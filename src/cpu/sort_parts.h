// One long sequence cut into parts by the values of its keys, so that each part can be sorted by
// itself: private to sort.cpp. Part p holds the keys from splitters[p - 1] on and below
// splitters[p]; the parts - 1 splitters ascend, and no key is NaN.
#pragma once

#include <cstdint>

namespace heddle::cpu {

template <class K>
struct PartKernels {
  // counts[p] = how many of the n keys belong to part p.
  void (*count)(const K* keys, int64_t n, const K* splitters, int64_t parts, int64_t* counts);
  // Appends each of the n keys to its part at to[p], which moves on. Nothing else is written, so
  // that other threads may fill the memory next to it.
  void (*move)(const K* keys, int64_t n, const K* splitters, int64_t parts, K** to);
};

// K: int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, float, or hwy::uint128_t.
template <class K>
const PartKernels<K>& part_kernels();

}  // namespace heddle::cpu
