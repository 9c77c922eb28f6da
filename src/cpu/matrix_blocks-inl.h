// The inner loops of matrix products, on blocks that fit into registers; included once per target.
#if defined(HEDDLE_CPU_MATRIX_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_CPU_MATRIX_BLOCKS_INL_H_
#undef HEDDLE_CPU_MATRIX_BLOCKS_INL_H_
#else
#define HEDDLE_CPU_MATRIX_BLOCKS_INL_H_
#endif

#include <cstdint>

#include "cpu/half_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {

// Sums of `rows` x `vectors` vectors stay in registers. Two FMA ports with a latency of four cycles
// want at least eight independent sums; the row count uses up the registers (32 on AVX-512, else
// 16).
inline constexpr int panel_vectors = 3;
#if HWY_TARGET <= HWY_AVX3
inline constexpr int block_rows = 8;
#else
inline constexpr int block_rows = 4;
#endif

// c (rows x vectors * lanes, dense) = a (rows, K) b (K, vectors * lanes, dense); with `adds`,
// c = c * factors (one for each column) + a b.
template <int rows, int vectors, bool adds = false, class D, class T = hn::TFromD<D>>
HWY_INLINE void multiply_block(D d, int64_t K, const T* a, int64_t row_stride, int64_t k_stride,
                               const T* b, T* c, const T* factors = nullptr) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> sum[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) {
      if constexpr (adds) {
        sum[i][j] =
            hn::Mul(hn::LoadU(d, c + (i * vectors + j) * lanes), hn::LoadU(d, factors + j * lanes));
      } else {
        sum[i][j] = hn::Zero(d);
      }
    }
  }
  for (int64_t k = 0; k < K; k++) {
    hn::Vec<D> row[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) row[j] = hn::LoadU(d, b + j * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      auto x = hn::Set(d, a[i * row_stride]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; j++) sum[i][j] = hn::MulAdd(x, row[j], sum[i][j]);
    }
    a += k_stride;
    b += vectors * lanes;
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) hn::StoreU(sum[i][j], d, c + (i * vectors + j) * lanes);
  }
}

// y[r] = sum over k of w[r, k] x[k] for `rows` rows, k contiguous: several rows at a time share the
// loads of x, and each has two sums to hide the latency of the additions.
template <int rows, class T, class S>
HWY_INLINE void dot_rows(const S* w, int64_t row_stride, const T* x, int64_t K, T* y) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V even[rows], odd[rows];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) even[r] = odd[r] = hn::Zero(d);
  int64_t k = 0;
  for (; k + 2 * lanes <= K; k += 2 * lanes) {
    V x0 = hn::LoadU(d, x + k), x1 = hn::LoadU(d, x + k + lanes);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      even[r] = hn::MulAdd(load_as(d, w + r * row_stride + k), x0, even[r]);
      odd[r] = hn::MulAdd(load_as(d, w + r * row_stride + k + lanes), x1, odd[r]);
    }
  }
  for (int r = 0; r < rows; r++) {
    T sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even[r], odd[r])));
    for (int64_t i = k; i < K; i++) sum += static_cast<T>(w[r * row_stride + i]) * x[i];
    y[r] = sum;
  }
}

// y[j] += sum over `count` values of k of w[k, j] x[k], j contiguous.
template <int count, class T, class S>
HWY_INLINE void add_rows(const S* w, int64_t k_stride, const T* x, int64_t n, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    auto sum = hn::LoadU(d, y + j);
#pragma GCC unroll 4
    for (int k = 0; k < count; k++) {
      sum = hn::MulAdd(load_as(d, w + k * k_stride + j), hn::Set(d, x[k]), sum);
    }
    hn::StoreU(sum, d, y + j);
  }
  for (; j < n; j++) {
    for (int k = 0; k < count; k++) y[j] += static_cast<T>(w[k * k_stride + j]) * x[k];
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
