// Products with packed matrices in AMX tiles.
#pragma once

#include <cstdint>

#include "cpu/quantize.h"

namespace heddle::cpu {

// out (M, N) = x (M, K) times the transpose of m (N, K); x and out are row-major bfloat16, M, N and
// K positive. Each result is a sum in float32 in one fixed order, rounded once: it depends neither
// on the number of threads, which share the work, nor on the other rows. False where this machine
// has no such tiles, the process may not use them, or restoring and multiplying apart is as fast
// (no format of 4 bits with bfloat16 scales, and few rows); nothing is computed then.
bool quantized_product_in_tiles(const void* x, int64_t M, const QuantizedMatrix& m, void* out);

}  // namespace heddle::cpu
