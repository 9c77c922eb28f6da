// The inner loops of reductions, compiled for every instruction set.
#pragma once

#include <cstdint>

#include "core/reduction.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// Loops of one reduction on one lane. Pointers are to elements of `width` bytes. all and any
// produce integers of that width that are 0 or 1, and take such integers as well as values.
struct ReduceKernels {
  int width;          // bytes of an element
  uint64_t identity;  // its first `width` bytes
  // out[i] = the reduction of the n >= 1 elements at in + i * n, for i < count.
  void (*rows)(const void* in, int64_t count, int64_t n, void* out);
  // acc[j] = acc[j] with in[i * stride + j] for i = 0, 1, ... < count in order, for j < m.
  void (*columns)(void* acc, const void* in, int64_t stride, int64_t count, int64_t m);
  // acc[u * m + j] = the reduction of in[u * unit_step + t * tap_step + j] for t < taps in order,
  // for u < units, j < m; after what acc holds unless `first`.
  struct Windows {
    int64_t units, unit_step, taps, tap_step, m;
  };
  void (*windows)(void* acc, const void* in, const Windows& windows, bool first);
  // values[0] = the n >= 1 partial results combined pairwise; overwrites the rest.
  void (*fold)(void* values, int64_t n);
};

const ReduceKernels& reduce_kernels(Reduction reduction, tile::Lane lane);

}  // namespace heddle::cpu
