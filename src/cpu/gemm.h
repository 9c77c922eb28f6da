// heddle's own matrix products, for what oneDNN does not serve well or at all: one row or column
// (memory bound), tiny products (call overhead), float64, and the halves on machines without
// half-precision arithmetic. Sums run in float32 (float64 for float64) in one fixed order, so
// results do not depend on the number of threads. Parallel inside above a fixed amount of work.
//
// The order is oneDNN's for float32 on AVX-512: products are added one by one within blocks of
// sum_depth(K), and the sums of blocks one after the other. So a row of a product is the same, bit
// for bit, with however many other rows it is computed. gemv keeps to it where b lies by rows, or
// has at most `small_matrix` elements; else its sums are split over the lanes of vectors, because
// turning the matrix takes longer than reading it (one core of AVX-512, (1, 768) x (768, 768) with
// b stored by columns: 47 us against 30). The sums of a product with one column always are.
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

inline int64_t sum_depth(int64_t K) { return K <= 1024 ? 512 : 1024; }

// Up to eight rows times so many elements are small products: no kernel with another order than
// oneDNN's primitives comes between.
inline constexpr int64_t small_matrix = 1 << 14;

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
