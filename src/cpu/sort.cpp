#include "cpu/sort.h"

#include <hwy/contrib/sort/vqsort.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "core/threads.h"
#include "cpu/lane_values.h"
#include "cpu/scratch.h"
#include "cpu/scratch_array.h"
#include "cpu/sort_columns.h"
#include "cpu/sort_parts.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

constexpr int64_t parallel_row = 1 << 16;  // elements from which one row is shared by threads
constexpr int64_t network_row = 128;       // elements up to which rows are sorted side by side
constexpr int64_t short_row = 28;          // elements up to which insertion beats vector quicksort

// The order of the header.
template <class T>
bool before(T a, T b) {
  if (is_nan(a)) return false;
  if (is_nan(b)) return true;
  return is_less(a, b);
}

template <class T>
inline constexpr bool is_real_float =
    std::is_floating_point_v<T> || std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>;

template <size_t kBytes>
using SignedOf =
    std::conditional_t<kBytes == 2, int16_t, std::conditional_t<kBytes == 4, int32_t, int64_t>>;

// A float as an integer of the same order, its own inverse on the bits: negative numbers have all
// bits but the sign turned over. NaN becomes the largest integer, which is a NaN again.
template <class T>
SignedOf<sizeof(T)> ordered_bits(T x) {
  using I = SignedOf<sizeof(T)>;
  constexpr I most = std::numeric_limits<I>::max();
  const I bits = std::bit_cast<I>(x);
  const I ordered = static_cast<I>(bits ^ ((bits >> (sizeof(T) * 8 - 1)) & most));
  return is_nan(x) ? most : ordered;
}
template <class T>
T from_ordered_bits(SignedOf<sizeof(T)> bits) {
  using I = SignedOf<sizeof(T)>;
  return std::bit_cast<T>(
      static_cast<I>(bits ^ ((bits >> (sizeof(T) * 8 - 1)) & std::numeric_limits<I>::max())));
}

// The key of a stable sort: an unsigned integer, equal for equal elements.
template <class T>
auto key_of(T x) {
  if constexpr (is_real_float<T>) {
    const auto ordered = ordered_bits(x == T(0.0f) ? T(0.0f) : x);
    using U = std::make_unsigned_t<decltype(+ordered)>;
    return static_cast<std::make_unsigned_t<decltype(ordered)>>(static_cast<U>(ordered) ^
                                                                (U{1} << (sizeof(T) * 8 - 1)));
  } else if constexpr (std::is_same_v<T, bool>) {
    return static_cast<uint8_t>(x);
  } else if constexpr (std::is_signed_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<U>(static_cast<U>(x) ^ static_cast<U>(U{1} << (sizeof(T) * 8 - 1)));
  } else {
    return x;
  }
}

bool less(hwy::uint128_t a, hwy::uint128_t b) { return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo; }
template <class K>
bool less(K a, K b) {
  return a < b;
}

// Vector quicksort costs 300 ns a call whatever the length.
template <class K>
void sort_keys(const hwy::Sorter& sorter, K* keys, int64_t n) {
  if (n > short_row) {
    sorter(keys, static_cast<size_t>(n), hwy::SortAscending());
    return;
  }
  for (int64_t i = 1; i < n; ++i) {
    const K key = keys[i];
    int64_t j = i;
    for (; j > 0 && less(key, keys[j - 1]); --j) keys[j] = keys[j - 1];
    keys[j] = key;
  }
}

// Values that cut keys into parts of about the same size, from an evenly spread sample.
template <class K>
std::vector<K> splitters_of(const K* keys, int64_t n, int64_t parts) {
  constexpr int64_t per_part = 512;
  const int64_t count = per_part * parts;
  std::vector<K> sample(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) sample[static_cast<size_t>(i)] = keys[n * i / count];
  hwy::Sorter()(sample.data(), static_cast<size_t>(count), hwy::SortAscending());
  std::vector<K> splitters;
  for (int64_t p = 1; p < parts; ++p) {
    splitters.push_back(sample[static_cast<size_t>(p * per_part)]);
  }
  return splitters;
}

// Sorts a long row on all threads: its keys are moved to one part for each thread, by value, and
// the parts sorted. Equal keys are the same bits, so the result does not show where the cuts were.
template <class K>
void sort_long(K* keys, int64_t n) {
  const int64_t parts = num_threads();
  if (parts == 1) {
    hwy::Sorter()(keys, static_cast<size_t>(n), hwy::SortAscending());
    return;
  }
  const PartKernels<K>& kernels = part_kernels<K>();
  const std::vector<K> splitters = splitters_of(keys, n, parts);
  const auto border = [&](int64_t slice) { return n * slice / parts; };
  std::vector<int64_t> counts(static_cast<size_t>(parts * parts));  // by slice of keys, by part
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      kernels.count(keys + border(s), border(s + 1) - border(s), splitters.data(), parts,
                    counts.data() + s * parts);
    }
  });
  Scratch buffer(static_cast<size_t>(n) * sizeof(K));
  std::vector<K*> places(static_cast<size_t>(parts * parts));
  std::vector<int64_t> starts;
  int64_t total = 0;
  for (int64_t p = 0; p < parts; ++p) {
    starts.push_back(total);
    for (int64_t s = 0; s < parts; ++s) {
      places[static_cast<size_t>(s * parts + p)] = buffer.as<K>() + total;
      total += counts[static_cast<size_t>(s * parts + p)];
    }
  }
  starts.push_back(total);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      kernels.move(keys + border(s), border(s + 1) - border(s), splitters.data(), parts,
                   places.data() + s * parts);
    }
  });
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    const hwy::Sorter sorter;
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = starts[static_cast<size_t>(p)];
      const int64_t count = starts[static_cast<size_t>(p + 1)] - first;
      K* part = buffer.as<K>() + first;
      sorter(part, static_cast<size_t>(count), hwy::SortAscending());
      std::copy_n(part, count, keys + first);
    }
  });
}

// Runs f(row, sort_row) for each row, where sort_row(keys, n) sorts: many rows in parallel, one by
// one if they are few and long.
template <class F>
void for_rows(int64_t rows, int64_t n, F&& f) {
  if (n >= parallel_row && rows < num_threads()) {
    for (int64_t row = 0; row < rows; ++row)
      f(row, [](auto* keys, int64_t m) { sort_long(keys, m); });
    return;
  }
  parallel_for(rows, std::max<int64_t>(1, parallel_grain / 4 / n), [&](int64_t begin, int64_t end) {
    const hwy::Sorter sorter;
    for (int64_t row = begin; row < end; ++row) {
      f(row, [&](auto* keys, int64_t m) { sort_keys(sorter, keys, m); });
    }
  });
}

// Rows so short that many side by side are sorted faster than each by itself.
template <class K>
bool by_columns(int64_t rows, int64_t n) {
  return n <= network_row && rows >= columns_at_once<K> / 2;
}

// Sorts such rows by the keys pack(element, position); unpack(key) is what goes to the output,
// which may be the input's memory.
template <class K, class T, class Out, class Pack, class Unpack>
void sort_by_columns(const T* in, int64_t rows, int64_t n, Out* out, const Pack& pack,
                     const Unpack& unpack) {
  constexpr int64_t width = columns_at_once<K>;
  const int64_t grain = std::max<int64_t>(1, parallel_grain / 4 / (n * width));
  parallel_for((rows + width - 1) / width, grain, [&](int64_t begin, int64_t end) {
    const ScratchArray<K> keys(network_row * width);
    for (int64_t group = begin; group < end; ++group) {
      const int64_t first = group * width;
      const int64_t count = std::min(width, rows - first);
      for (int64_t c = 0; c < width; ++c) {
        const T* row = in + (first + std::min(c, count - 1)) * n;
        for (int64_t i = 0; i < n; ++i) keys[i * width + c] = pack(row[i], i);
      }
      sort_columns(keys, n);
      for (int64_t c = 0; c < count; ++c) {
        for (int64_t i = 0; i < n; ++i) out[(first + c) * n + i] = unpack(keys[i * width + c]);
      }
    }
  });
}

// One byte has 256 values: count them.
template <class T>
void sort_bytes(T* row, int64_t n) {
  int64_t counts[256] = {};
  for (int64_t i = 0; i < n; ++i) ++counts[key_of(row[i])];
  for (int value = 0; value < 256; ++value) {
    const uint8_t bits =
        std::is_signed_v<T> ? static_cast<uint8_t>(value ^ 0x80) : static_cast<uint8_t>(value);
    std::memset(row, bits, static_cast<size_t>(counts[value]));
    row += counts[value];
  }
}

// An element as a signed or unsigned integer of the same order, and back.
template <class T>
auto value_key(T x) {
  if constexpr (sizeof(T) == 1) {
    return static_cast<int16_t>(x);
  } else if constexpr (std::is_integral_v<T>) {
    return x;
  } else {
    return ordered_bits(x);
  }
}
template <class T, class K>
T from_value_key(K key) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(key);
  } else {
    return from_ordered_bits<T>(key);
  }
}

// True if a row may be sorted as floats, which saves turning it into integers and back: finite, as
// vector quicksort pads with the largest finite number, and without negative zero, so that equal
// elements are the same bits.
bool is_plain(const float* row, int64_t n) {
  int32_t special = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int32_t bits = std::bit_cast<int32_t>(row[i]);
    special |= (bits == INT32_MIN) | ((bits & 0x7f800000) == 0x7f800000);
  }
  return special == 0;
}

template <class T>
void sort_rows(T* data, int64_t rows, int64_t n) {
  if constexpr (!std::is_same_v<T, complex64_t>) {
    using K = decltype(value_key(T{}));
    if (by_columns<K>(rows, n)) {
      sort_by_columns<K>(
          data, rows, n, data, [](T x, int64_t) { return value_key(x); },
          [](K key) { return from_value_key<T>(key); });
      return;
    }
  }
  for_rows(rows, n, [&](int64_t r, auto&& sort_row) {
    T* row = data + r * n;
    if constexpr (sizeof(T) == 1) {
      sort_bytes(row, n);
    } else if constexpr (std::is_same_v<T, complex64_t>) {
      std::stable_sort(row, row + n, before<T>);
    } else if constexpr (std::is_integral_v<T>) {
      sort_row(row, n);
    } else {
      if constexpr (std::is_same_v<T, float>) {
        if (is_plain(row, n)) return sort_row(row, n);
      }
      using I = SignedOf<sizeof(T)>;  // the keys replace the row in its own memory
      parallel_for(n, parallel_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const I key = ordered_bits(row[i]);
          std::memcpy(static_cast<void*>(row + i), &key, sizeof(I));
        }
      });
      sort_row(reinterpret_cast<I*>(row), n);
      parallel_for(n, parallel_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          I key;
          std::memcpy(&key, row + i, sizeof(I));
          row[i] = from_ordered_bits<T>(key);
        }
      });
    }
  });
}

// A key and a position packed in one integer K of at most 64 bits, the key in the high half: what
// makes the sort stable.
template <class K>
inline constexpr int half_bits = sizeof(K) * 4;

template <class K, class T>
K pack(T x, int64_t i) {
  return static_cast<K>(static_cast<K>(key_of(x)) << half_bits<K> | static_cast<K>(i));
}
template <class K>
uint32_t position(K packed) {
  return static_cast<uint32_t>(packed & ((K{1} << half_bits<K>)-1));
}

// The same for keys of 64 bits.
template <class K, class T>
  requires std::is_same_v<K, hwy::uint128_t> K pack(T x, int64_t i) {
    K packed;
    packed.lo = static_cast<uint64_t>(i);
    packed.hi = key_of(x);
    return packed;
  }
inline uint32_t position(const hwy::uint128_t& packed) { return static_cast<uint32_t>(packed.lo); }

template <class K, class T>
void argsort_packed(const T* data, int64_t rows, int64_t n, uint32_t* out) {
  if constexpr (std::is_integral_v<K>) {
    if (by_columns<K>(rows, n)) {
      sort_by_columns<K>(data, rows, n, out, pack<K, T>, position<K>);
      return;
    }
  }
  for_rows(rows, n, [&](int64_t r, auto&& sort_row) {
    const T* row = data + r * n;
    const std::unique_ptr<K[]> packed(new K[static_cast<size_t>(n)]);
    parallel_for(n, parallel_grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) packed[i] = pack<K>(row[i], i);
    });
    sort_row(packed.get(), n);
    parallel_for(n, parallel_grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[r * n + i] = position(packed[i]);
    });
  });
}

template <class T>
void argsort_rows(const T* data, int64_t rows, int64_t n, uint32_t* out) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    for_rows(rows, n, [&](int64_t r, auto&&) {
      const T* row = data + r * n;
      uint32_t* to = out + r * n;
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<uint32_t>(i);
      std::stable_sort(to, to + n, [&](uint32_t i, uint32_t j) { return before(row[i], row[j]); });
    });
  } else if constexpr (sizeof(T) == 8) {
    argsort_packed<hwy::uint128_t>(data, rows, n, out);
  } else if (sizeof(T) <= 2 && n <= 65536) {
    argsort_packed<uint32_t>(data, rows, n, out);
  } else {
    argsort_packed<uint64_t>(data, rows, n, out);
  }
}

// A dense copy of a view; owns the memory.
struct Dense {
  explicit Dense(const View& v)
      : memory((static_cast<size_t>(v.size()) * size_of(v.dtype) + 7) / 8),
        view{memory.data(), v.dtype, v.shape, row_major_strides(v.shape)} {
    tile::copy(v, view);
  }
  std::vector<uint64_t> memory;
  View view;
};

int64_t last_dimension(const View& v) { return v.shape.empty() ? 1 : v.shape[v.shape.size() - 1]; }

}  // namespace

void sort(const View& in, const View& out) {
  if (out.size() == 0) return;
  if (in.data != out.data) tile::copy(in, out);
  const int64_t n = last_dimension(out);
  visit_dtype(out.dtype, [&]<class T>(TypeTag<T>) { sort_rows(out.as<T>(), out.size() / n, n); });
}

void argsort(const View& in, const View& out) {
  if (out.size() == 0) return;
  if (!in.row_contiguous()) return argsort(Dense(in).view, out);
  const int64_t n = last_dimension(in);
  visit_dtype(in.dtype, [&]<class T>(TypeTag<T>) {
    argsort_rows(in.as<T>(), in.size() / n, n, out.as<uint32_t>());
  });
}

void searchsorted(const View& sorted, const View& values, Side side, const View& out) {
  const int64_t n = sorted.shape[1], m = values.shape[1];
  visit_dtype(values.dtype, [&]<class T>(TypeTag<T>) {
    parallel_for(out.size(), parallel_grain / 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* row = sorted.as<T>() + i / m * sorted.strides[0];
        const T value = values.as<T>()[i / m * values.strides[0] + i % m * values.strides[1]];
        int64_t low = 0;
        for (int64_t high = n; low < high;) {
          const int64_t middle = (low + high) / 2;
          const T element = row[middle * sorted.strides[1]];
          const bool go_right =
              side == Side::left ? before(element, value) : !before(value, element);
          if (go_right) {
            low = middle + 1;
          } else {
            high = middle;
          }
        }
        out.as<uint32_t>()[i] = static_cast<uint32_t>(low);
      }
    });
  });
}

}  // namespace heddle::cpu
