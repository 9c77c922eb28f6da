// Random bits: the Threefry-2x32 generator (20 rounds) over counters, laid out as MLX lays them
// out, so that equal keys give equal bits.
#pragma once

#include <cstdint>

#include "core/view.h"

namespace heddle::cpu {

// Fills out (dense, keys.shape[0] * bytes_per_key bytes) with bytes_per_key bytes for each key.
// keys: uint32 of shape (number of keys, 2), any strides.
//
// W = ceil(bytes_per_key / 4) words are the encryption of H = ceil(W / 2) counter pairs: pair i is
// (i, H + i), except that the last one is (H - 1, 0) if W is odd. Word i is the first half of the
// result of pair i, word H + i its second half; bytes are little-endian and the last word is cut.
// Parallel; the result depends on nothing but the arguments.
void random_bits(const View& keys, int64_t bytes_per_key, void* out);

}  // namespace heddle::cpu
