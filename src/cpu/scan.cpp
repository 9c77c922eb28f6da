#include "cpu/scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

#include "core/threads.h"
#include "cpu/lane_values.h"
#include "cpu/scratch_array.h"

namespace heddle::cpu {
namespace {

using tile::tile_size;

constexpr int segment = 64;            // elements combined one after the other
constexpr int64_t long_row = 1 << 18;  // elements from which one row is shared by threads

template <class T>
T log_add_exp(T a, T b) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    if (a.real() < b.real()) std::swap(a, b);
    if (std::isinf(a.real())) return a;
    return a + std::log(complex64_t(1) + std::exp(b - a));
  } else {
    if (is_nan(a) || is_nan(b)) return a + b;
    const T high = std::max(a, b), low = std::min(a, b);
    return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
  }
}

template <ScanKind kKind, class T>
T combine(T a, T b) {
  if constexpr (kKind == ScanKind::sum || kKind == ScanKind::prod) {
    if constexpr (std::is_integral_v<T>) {  // unsigned arithmetic wraps
      using U = std::make_unsigned_t<T>;
      const U x = static_cast<U>(a), y = static_cast<U>(b);
      return static_cast<T>(kKind == ScanKind::sum ? x + y : x * y);
    } else {
      return kKind == ScanKind::sum ? a + b : a * b;
    }
  } else if constexpr (kKind == ScanKind::logaddexp) {
    return log_add_exp(a, b);
  } else {
    if (is_nan(a)) return a;
    if (is_nan(b)) return b;
    return (kKind == ScanKind::max ? is_less(a, b) : is_less(b, a)) ? b : a;
  }
}

// What an exclusive scan starts with, on the lane T of `dtype`.
template <ScanKind kKind, class T>
T identity_of(Dtype dtype) {
  if constexpr (kKind == ScanKind::sum) {
    return T(0);
  } else if constexpr (kKind == ScanKind::prod) {
    return T(1);
  } else {
    constexpr bool lowest = kKind != ScanKind::min;
    if constexpr (std::is_same_v<T, complex64_t>) {
      const float part = lowest ? -INFINITY : INFINITY;
      return {part, kKind == ScanKind::logaddexp ? 0.0f : part};
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(lowest ? -INFINITY : INFINITY);
    } else {
      if (is_bool(dtype)) return lowest ? T(0) : T(1);
      return visit_dtype(dtype, [&]<class E>(TypeTag<E>) -> T {
        if constexpr (std::is_integral_v<E>) {
          return static_cast<T>(lowest ? std::numeric_limits<E>::lowest()
                                       : std::numeric_limits<E>::max());
        } else {
          return T(0);
        }
      });
    }
  }
}

// Whether a scan may be taken in pieces. A product of floats may not: a piece can overflow where
// the whole is zero; and combining two pieces of logaddexp costs as much as the scan.
template <ScanKind kKind, class T>
inline constexpr bool in_pieces = kKind == ScanKind::logaddexp ? false
                                  : kKind == ScanKind::prod    ? std::is_integral_v<T>
                                                               : true;

// Scans x[0, n) onto itself. In pieces: segments of 64 side by side, which hides the latency of one
// combination behind the others, then each with all before it.
template <ScanKind kKind, class T>
void scan_tile(T* x, int n) {
  if (!in_pieces<kKind, T> || n < tile_size) {
    for (int i = 1; i < n; ++i) x[i] = combine<kKind>(x[i - 1], x[i]);
    return;
  }
  constexpr int segments = tile_size / segment;
  T running[segments];
  for (int s = 0; s < segments; ++s) running[s] = x[s * segment];
  for (int i = 1; i < segment; ++i) {
    for (int s = 0; s < segments; ++s) {
      running[s] = combine<kKind>(running[s], x[s * segment + i]);
      x[s * segment + i] = running[s];
    }
  }
  for (int s = 1; s < segments; ++s) {
    const T before = x[s * segment - 1];
    for (int i = 0; i < segment; ++i) {
      x[s * segment + i] = combine<kKind>(before, x[s * segment + i]);
    }
  }
}

template <ScanKind kKind, class T>
class Run {
 public:
  Run(const tile::Source& in, int axis, bool reverse, bool inclusive, const View& out)
      : in_(in),
        out_(out),
        reverse_(reverse),
        inclusive_(inclusive),
        identity_(identity_of<kKind, T>(out.dtype)),
        n_(in.shape()[static_cast<size_t>(axis)]) {
    for (size_t i = 0; i < in.shape().size(); ++i) {
      (static_cast<int>(i) < axis ? outer_ : inner_) *=
          static_cast<int>(i) == axis ? 1 : in.shape()[i];
    }
  }

  void operator()() const {
    if (inner_ > 1) {
      columns();
    } else if (outer_ < num_threads() && n_ >= long_row && in_pieces<kKind, T>) {
      for (int64_t row = 0; row < outer_; ++row) long_rows(row);
    } else {
      const int64_t grain = std::max<int64_t>(1, parallel_grain / n_);
      parallel_for(outer_, grain, [&](int64_t begin, int64_t end) {
        tile::Cursor cursor(in_);
        const ScratchArray<T> x(tile_size);
        for (int64_t row = begin; row < end; ++row) {
          T carry = identity_;
          for (int64_t t = 0; t < tiles(); ++t) carry = row_tile(cursor, x, row, t, carry, true);
        }
      });
    }
  }

 private:
  int64_t tiles() const { return (n_ + tile_size - 1) / tile_size; }

  // Scans tile `t` of a row in the order of the scan, after `carry`; returns the carry for the next
  // tile. A tile is scanned by itself before the carry is applied, so that its last element is the
  // same whether tiles are taken one by one or their totals first. `x` is room for a tile.
  T row_tile(tile::Cursor& cursor, T* __restrict x, int64_t row, int64_t t, T carry,
             bool write) const {
    const int n = static_cast<int>(std::min<int64_t>(tile_size, n_ - t * tile_size));
    const int64_t begin = row * n_ + (reverse_ ? n_ - t * tile_size - n : t * tile_size);
    const T* loaded = static_cast<const T*>(cursor.at(begin, n));
    if (reverse_) {
      std::reverse_copy(loaded, loaded + n, x);
    } else {
      std::copy(loaded, loaded + n, x);
    }
    if constexpr (in_pieces<kKind, T>) {
      scan_tile<kKind>(x, n);
      if (!write) return x[n - 1];
      if (t > 0) {
        for (int i = 0; i < n; ++i) x[i] = combine<kKind>(carry, x[i]);
      }
    } else {
      if (t > 0) x[0] = combine<kKind>(carry, x[0]);
      scan_tile<kKind>(x, n);
    }
    const T last = x[n - 1];
    if (!inclusive_) {
      std::copy_backward(x, x + n - 1, x + n);
      x[0] = carry;
    }
    if (reverse_) std::reverse(x, x + n);
    store(x, begin, n);
    return last;
  }

  // One row on all threads: the totals of the tiles, their scan, then the tiles.
  void long_rows(int64_t row) const {
    std::vector<T> carry(static_cast<size_t>(tiles()) + 1, identity_);
    constexpr int64_t grain = parallel_grain / tile_size;
    parallel_for(tiles(), grain, [&](int64_t begin, int64_t end) {
      tile::Cursor cursor(in_);
      const ScratchArray<T> x(tile_size);
      for (int64_t t = begin; t < end; ++t) {
        carry[static_cast<size_t>(t) + 1] = row_tile(cursor, x, row, t, identity_, false);
      }
    });
    for (size_t t = 2; t < carry.size(); ++t) carry[t] = combine<kKind>(carry[t - 1], carry[t]);
    parallel_for(tiles(), grain, [&](int64_t begin, int64_t end) {
      tile::Cursor cursor(in_);
      const ScratchArray<T> x(tile_size);
      for (int64_t t = begin; t < end; ++t) {
        row_tile(cursor, x, row, t, carry[static_cast<size_t>(t)], true);
      }
    });
  }

  // Another axis: blocks of columns are carried along it; narrow rows are loaded several at a time.
  void columns() const {
    const int64_t block = std::min<int64_t>(inner_, tile_size);
    const int64_t blocks = (inner_ + block - 1) / block;
    const int64_t at_once = block == inner_ ? tile_size / inner_ : 1;
    parallel_for(outer_ * blocks, std::max<int64_t>(1, parallel_grain / (n_ * block)),
                 [&](int64_t begin, int64_t end) {
                   tile::Cursor cursor(in_);
                   const ScratchArray<T> carries(tile_size), rows_memory(tile_size);
                   T* const carry = carries;
                   T* const rows = rows_memory;
                   for (int64_t item = begin; item < end; ++item) {
                     const int64_t column = item % blocks * block;
                     const int64_t wide = std::min(block, inner_ - column);
                     const int64_t base = item / blocks * n_ * inner_ + column;
                     std::fill(carry, carry + wide, identity_);
                     for (int64_t done = 0; done < n_; done += at_once) {
                       const int64_t count = std::min(at_once, n_ - done);
                       const int64_t first = base + (reverse_ ? n_ - done - count : done) * inner_;
                       const int64_t total = count * wide;
                       const T* loaded =
                           static_cast<const T*>(cursor.at(first, static_cast<int>(total)));
                       for (int64_t i = 0; i < count; ++i) {
                         const int64_t r = (reverse_ ? count - 1 - i : i) * wide;
                         add_row(carry, loaded + r, rows + r, wide, done + i == 0);
                       }
                       store(rows, first, static_cast<int>(total));
                     }
                   }
                 });
  }

  void add_row(T* carry, const T* x, T* y, int64_t n, bool first) const {
    if (!inclusive_) std::copy(carry, carry + n, y);
    for (int64_t j = 0; j < n; ++j) carry[j] = first ? x[j] : combine<kKind>(carry[j], x[j]);
    if (inclusive_) std::copy(carry, carry + n, y);
  }

  void store(T* x, int64_t first, int n) const {
    if constexpr (std::is_same_v<T, int32_t>) wrap_lanes(out_.dtype, x, n);
    tile::store_tile(x, out_.dtype,
                     out_.as<char>() + first * static_cast<int64_t>(size_of(out_.dtype)), 1, n);
  }

  const tile::Source& in_;
  const View& out_;
  const bool reverse_, inclusive_;
  const T identity_;
  const int64_t n_;
  int64_t outer_ = 1, inner_ = 1;
};

}  // namespace

void scan(ScanKind kind, const tile::Source& in, int axis, bool reverse, bool inclusive,
          const View& out) {
  if (out.size() == 0) return;
  visit_lane(tile::lane_of(in.dtype()), [&]<class T>(TypeTag<T>) {
    switch (kind) {
      case ScanKind::sum:
        return Run<ScanKind::sum, T>(in, axis, reverse, inclusive, out)();
      case ScanKind::prod:
        return Run<ScanKind::prod, T>(in, axis, reverse, inclusive, out)();
      case ScanKind::min:
        return Run<ScanKind::min, T>(in, axis, reverse, inclusive, out)();
      case ScanKind::max:
        return Run<ScanKind::max, T>(in, axis, reverse, inclusive, out)();
      case ScanKind::logaddexp:
        if constexpr (!std::is_integral_v<T>) {
          Run<ScanKind::logaddexp, T>(in, axis, reverse, inclusive, out)();
        }
    }
  });
}

}  // namespace heddle::cpu
