// heddle's own matrix products, for what oneDNN does not serve well or at all: one row or column
// (memory bound), tiny products (call overhead), float64, and the halves on machines without
// half-precision arithmetic. Sums run in float32 (float64 for float64) in one fixed order, so
// results do not depend on the number of threads. Parallel inside above a fixed amount of work.
#pragma once

#include <cstdint>

#include "cpu/dnnl.h"
#include "heddle/dtype.h"

namespace heddle::cpu {

// A matrix in memory: float16, bfloat16, float32 or float64, any strides (in elements).
struct Matrix {
  const void* data;
  Dtype dtype;
  int64_t row_stride, column_stride;
};

// What happens to a sum before it is stored: tail(alpha * sum + beta * addend), rounded to `dtype`.
struct Finish {
  void* out;
  Dtype dtype;
  int64_t row_stride;  // of out; its columns are dense
  double alpha = 1;
  double beta = 0;
  Matrix addend = {};  // of the same dtype; data null if absent
  onednn::Tail tail = onednn::Tail::none;
};

// (M, N) = a (M, K) b (K, N), blocked and packed. a and b have the same dtype.
void gemm(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b, const Finish& finish);

// The same for M = 1 (`a` is the vector) or N = 1, in one pass over the matrix. The matrix must
// have a stride of 1 in one direction.
void gemv(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b, const Finish& finish);

// The same on the calling thread for M N K at most `small_product`, without packing a.
inline constexpr int64_t small_product = 1 << 17;
void gemm_small(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                const Finish& finish);

// finish applied to n sums (float64 for float64, else float32) at (row, column) of the result.
void store_sums(const Finish& finish, int64_t row, int64_t column, const void* sums, int64_t n);

}  // namespace heddle::cpu
