// Many short sequences sorted side by side, one to a vector lane: private to sort.cpp.
#pragma once

#include <cstdint>

namespace heddle::cpu {

// Sequences that are sorted together: a cache line of keys.
template <class K>
inline constexpr int64_t columns_at_once = 64 / sizeof(K);

// Sorts each column of keys[n][columns_at_once<K>] in place, ascending, by Batcher's odd-even merge
// network: n log^2(n) / 4 steps of a minimum and a maximum, whatever the values.
void sort_columns(int16_t* keys, int64_t n);
void sort_columns(uint16_t* keys, int64_t n);
void sort_columns(int32_t* keys, int64_t n);
void sort_columns(uint32_t* keys, int64_t n);
void sort_columns(int64_t* keys, int64_t n);
void sort_columns(uint64_t* keys, int64_t n);

}  // namespace heddle::cpu
