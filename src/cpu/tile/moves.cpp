#include "cpu/tile/moves.h"


#include <algorithm>
#include <cstring>

namespace heddle::cpu::tile {
namespace {

template <class T>
void read_run(const T* from, int64_t stride, int n, T* to) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else if (stride == 0) {
    std::fill_n(to, n, *from);
  } else {
    for (int i = 0; i < n; i++) to[i] = from[i * stride];
  }
}

// A column of memory is one cache line or a part of one, so it is read as a whole. Columns are too far
// apart for the hardware to foresee: those of the next tile to the right are asked for meanwhile.
template <class T>
void gather_transposed(const T* from, const Pattern& p, T* to) {
  const int run = p.run, count = p.count;
  const uintptr_t ahead = static_cast<uintptr_t>(run * p.stride) * sizeof(T);
  for (int j = 0; j < run; j++, from += p.stride) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + ahead), 0, 2);
    for (int i = 0; i < count; i++) to[i * run + j] = from[i];
  }
}

template <class T>
void gather(const T* from, const Pattern& p, T* to) {
  if (p.count == 1) {
    read_run(from, p.stride, p.run, to);
  } else if (!p.starts) {
    gather_transposed(from, p, to);
  } else if (p.run == 1) {
    for (int i = 0; i < p.count; i++) to[i] = from[p.starts[i]];
  } else {
    for (int i = 0; i < p.count; i++) read_run(from + p.starts[i], p.stride, p.run, to + i * p.run);
  }
}

template <class T>
void scatter(const T* from, const Pattern& p, T* to) {
  if (p.run == 1 && p.starts) {
    for (int i = 0; i < p.count; i++) to[p.starts[i]] = from[i];
    return;
  }
  for (int i = 0; i < p.count; i++, from += p.run) {
    T* run = p.starts ? to + p.starts[i] : to + i;
    if (p.stride == 1) {
      std::memcpy(run, from, static_cast<size_t>(p.run) * sizeof(T));
    } else {
      for (int j = 0; j < p.run; j++) run[j * p.stride] = from[j];
    }
  }
}

}  // namespace

void read(const Kernels& k, const void* memory, Dtype dtype, const Pattern& p, void* lanes) {
  const Move load = k.load[static_cast<int>(dtype)];
  if (p.dense()) {
    load(memory, lanes, p.run);
    return;
  }
  visit_width(size_of(dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = static_cast<const T*>(memory);
    const int n = p.size();
    if (fills_lane(dtype)) {
      T* to = static_cast<T*>(lanes);
      gather(from, p, to);
      std::fill(to + n, to + round_up_to_block(n), T{});
    } else {
      T collected[tile_size];
      gather(from, p, collected);
      load(collected, lanes, n);
    }
  });
}

void write(const Kernels& k, const void* lanes, Dtype dtype, const Pattern& p, void* memory) {
  const Move store = k.store[static_cast<int>(dtype)];
  if (p.dense()) {
    store(lanes, memory, p.run);
    return;
  }
  visit_width(size_of(dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = static_cast<T*>(memory);
    if (fills_lane(dtype)) {
      scatter(static_cast<const T*>(lanes), p, to);
    } else {
      T converted[tile_size];
      store(lanes, converted, p.size());
      scatter(converted, p, to);
    }
  });
}

void load_tile(const void* memory, Dtype dtype, int64_t stride, void* lanes, int n) {
  read(kernels(), memory, dtype, Pattern{.stride = stride, .run = n}, lanes);
}

void store_tile(const void* lanes, Dtype dtype, void* memory, int64_t stride, int n) {
  write(kernels(), lanes, dtype, Pattern{.stride = stride, .run = n}, memory);
}

}  // namespace heddle::cpu::tile
