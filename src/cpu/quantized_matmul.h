// Products with packed matrices.
#pragma once

#include "core/view.h"
#include "cpu/quantize.h"

namespace heddle::cpu {

// out (M, N) = x (M, K) times the matrix (K, N), or its transpose where it is stored (N, K). x and
// out are row-major, of one dtype: float32, float16 or bfloat16. Sums run in float32. Results do
// not depend on the number of threads, which share the work.
void quantized_product(const void* x, int64_t M, const QuantizedMatrix& m, bool transpose,
                       Dtype dtype, void* out);

// The same for the transposed matrix and few rows, in one pass over the packed elements. K > 0.
inline constexpr int64_t few_quantized_rows = 8;
void quantized_vectors(const void* x, int64_t M, const QuantizedMatrix& m, Dtype dtype, void* out);
// The two halves of it, by how elements lie: whole in words, or in order across them (3, 5, 6
// bits).
void quantized_vectors_by_words(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype,
                                void* out);
void quantized_vectors_in_order(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype,
                                void* out);

}  // namespace heddle::cpu
