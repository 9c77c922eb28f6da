#include "cpu/tile/moves.h"

#include <algorithm>
#include <cstring>

namespace heddle::cpu::tile {
namespace {

template <class T>
void gather_run(const T* from, int64_t stride, int n, T* to) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else if (stride == 0) {
    std::fill_n(to, n, *from);
  } else {
    for (int i = 0; i < n; i++) to[i] = from[i * stride];
  }
}

// As many elements as 16 bytes hold: what the baseline of x86 and Arm has instructions for.
template <class T>
struct Square {
  static constexpr int side = 16 / sizeof(T);
  typedef T Row __attribute__((vector_size(16)));

  template <size_t... I>
  static Row zip_low(Row a, Row b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, (I / 2 + (I % 2) * side)...);
  }
  template <size_t... I>
  static Row zip_high(Row a, Row b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, (side / 2 + I / 2 + (I % 2) * side)...);
  }

  // to[i][j] = from[j][i]. Zipping each row of the upper half with its partner of the lower half
  // rotates the bits of the index (row, column) by one; log2(side) times swaps row and column.
  static void transpose(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    constexpr auto lanes = std::make_index_sequence<side>{};
    Row rows[side], zipped[side];
    for (int i = 0; i < side; i++) std::memcpy(&rows[i], from + i * from_stride, sizeof(Row));
    for (int half = 1; half < side; half *= 2) {
      for (int i = 0; i < side / 2; i++) {
        zipped[2 * i] = zip_low(rows[i], rows[i + side / 2], lanes);
        zipped[2 * i + 1] = zip_high(rows[i], rows[i + side / 2], lanes);
      }
      std::copy_n(zipped, side, rows);
    }
    for (int i = 0; i < side; i++) std::memcpy(to + i * to_stride, &rows[i], sizeof(Row));
  }
};

// Columns of memory become rows, in squares and their rests.
template <class T>
void gather_transposed(const T* from, const Pattern& p, T* to) {
  constexpr int side = Square<T>::side;
  const int run = p.run, count = p.count;
  const int whole_run = run / side * side, whole_count = count / side * side;
  for (int j = 0; j < whole_run; j += side) {
    const T* columns = from + j * p.stride;
    for (int i = 0; i < whole_count; i += side) {
      Square<T>::transpose(columns + i, p.stride, to + i * run + j, run);
    }
  }
  for (int j = 0; j < run; j++) {
    for (int i = j < whole_run ? whole_count : 0; i < count; i++)
      to[i * run + j] = from[j * p.stride + i];
  }
}

template <class T>
void gather_elements(const T* from, const Pattern& p, T* to) {
  if (p.count == 1) {
    gather_run(from, p.stride, p.run, to);
  } else if (!p.starts) {
    gather_transposed(from, p, to);
  } else if (p.run == 1) {
    for (int i = 0; i < p.count; i++) to[i] = from[p.starts[i]];
  } else {
    for (int i = 0; i < p.count; i++)
      gather_run(from + p.starts[i], p.stride, p.run, to + i * p.run);
  }
}

template <class T>
void scatter_elements(const T* from, const Pattern& p, T* to, bool stream) {
  if (p.run == 1 && p.starts) {
    for (int i = 0; i < p.count; i++) to[p.starts[i]] = from[i];
    return;
  }
  const size_t bytes = static_cast<size_t>(p.run) * sizeof(T);
  for (int i = 0; i < p.count; i++, from += p.run) {
    T* run = p.starts ? to + p.starts[i] : to + i;
    if (p.stride != 1) {
      for (int j = 0; j < p.run; j++) run[j * p.stride] = from[j];
    } else if (stream && bytes % 64 == 0 && reinterpret_cast<uintptr_t>(run) % 64 == 0) {
      kernels().stream(from, run, static_cast<int>(bytes / 4));
    } else {
      std::memcpy(run, from, bytes);
    }
  }
}

}  // namespace

void gather(size_t width, const void* memory, const Pattern& p, void* dense) {
  visit_width(width, [&](auto tag) {
    using T = typename decltype(tag)::type;
    gather_elements(static_cast<const T*>(memory), p, static_cast<T*>(dense));
  });
}

void scatter(size_t width, const void* dense, const Pattern& p, void* memory, bool stream) {
  visit_width(width, [&](auto tag) {
    using T = typename decltype(tag)::type;
    scatter_elements(static_cast<const T*>(dense), p, static_cast<T*>(memory), stream);
  });
}

void read(const Kernels& k, const void* memory, Dtype dtype, const Pattern& p, void* lanes) {
  const Move load = k.load[static_cast<int>(dtype)];
  const size_t width = size_of(dtype);
  if (p.dense()) {
    load(memory, lanes, p.run);
  } else if (fills_lane(dtype)) {
    const int n = p.size();
    gather(width, memory, p, lanes);
    std::memset(advance(lanes, n, width), 0, static_cast<size_t>(round_up_to_block(n) - n) * width);
  } else {
    alignas(16) unsigned char collected[tile_size * 2];  // a dtype that does not fill its lane
    gather(width, memory, p, collected);
    load(collected, lanes, p.size());
  }
}

void write(const Kernels& k, const void* lanes, Dtype dtype, const Pattern& p, void* memory,
           bool stream) {
  const size_t width = size_of(dtype);
  if (fills_lane(dtype)) {
    if (p.dense() && !stream) {
      k.store[static_cast<int>(dtype)](lanes, memory, p.run);
    } else {
      scatter(width, lanes, p, memory, stream);
    }
    return;
  }
  const Move store = k.store[static_cast<int>(dtype)];
  if (p.dense() && !stream) {
    store(lanes, memory, p.run);
  } else {
    alignas(64) unsigned char converted[tile_size * 2];
    store(lanes, converted, p.size());
    scatter(width, converted, p, memory, stream);
  }
}

void load_tile(const void* memory, Dtype dtype, int64_t stride, void* lanes, int n) {
  read(kernels(), memory, dtype, Pattern{.stride = stride, .run = n}, lanes);
}

void store_tile(const void* lanes, Dtype dtype, void* memory, int64_t stride, int n) {
  write(kernels(), lanes, dtype, Pattern{.stride = stride, .run = n}, memory, false);
}

}  // namespace heddle::cpu::tile
