// The inner loops of matrix products, on blocks that fit into registers; included once per target.
#if defined(HEDDLE_CPU_MATRIX_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_CPU_MATRIX_BLOCKS_INL_H_
#undef HEDDLE_CPU_MATRIX_BLOCKS_INL_H_
#else
#define HEDDLE_CPU_MATRIX_BLOCKS_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <type_traits>

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

// A square of numbers, a vector for each row, turned over its diagonal: within blocks of 128 bits
// first, then whole blocks.
template <class D, int lanes = static_cast<int>(hn::MaxLanes(D()))>
HWY_INLINE void transpose([[maybe_unused]] D d, [[maybe_unused]] hn::Vec<D> (&rows)[lanes]) {
#if HWY_TARGET != HWY_SCALAR
  using V = hn::Vec<D>;
  constexpr int in_block = std::min(lanes, static_cast<int>(16 / sizeof(hn::TFromD<D>)));
  constexpr int blocks = lanes / in_block;
  if constexpr (in_block == 4) {
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i += 4) {
      const V a = hn::InterleaveLower(d, rows[i], rows[i + 2]);
      const V b = hn::InterleaveLower(d, rows[i + 1], rows[i + 3]);
      const V c = hn::InterleaveUpper(d, rows[i], rows[i + 2]);
      const V e = hn::InterleaveUpper(d, rows[i + 1], rows[i + 3]);
      rows[i] = hn::InterleaveLower(d, a, b);
      rows[i + 1] = hn::InterleaveUpper(d, a, b);
      rows[i + 2] = hn::InterleaveLower(d, c, e);
      rows[i + 3] = hn::InterleaveUpper(d, c, e);
    }
  } else if constexpr (in_block == 2) {
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i += 2) {
      const V a = rows[i], b = rows[i + 1];
      rows[i] = hn::InterleaveLower(d, a, b);
      rows[i + 1] = hn::InterleaveUpper(d, a, b);
    }
  }
  static_assert(blocks == 1 || blocks == 2 || blocks == 4);
  if constexpr (blocks == 2) {
#pragma GCC unroll 4
    for (int i = 0; i < in_block; i++) {
      const V a = rows[i], b = rows[in_block + i];
      rows[i] = hn::ConcatLowerLower(d, b, a);
      rows[in_block + i] = hn::ConcatUpperUpper(d, b, a);
    }
  } else if constexpr (blocks == 4) {
    // Blocks 0 and 2 of two rows, then blocks 1 and 3.
    auto even = [](V a, V b) HWY_ATTR { return hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a); };
    auto odd = [](V a, V b) HWY_ATTR { return hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)); };
#pragma GCC unroll 4
    for (int i = 0; i < in_block; i++) {
      V* row = rows + i;
      const V a = even(row[0], row[in_block]), b = even(row[2 * in_block], row[3 * in_block]);
      const V c = odd(row[0], row[in_block]), e = odd(row[2 * in_block], row[3 * in_block]);
      row[0] = hn::ConcatLowerLower(d, b, a);
      row[in_block] = hn::ConcatLowerLower(d, e, c);
      row[2 * in_block] = hn::ConcatUpperUpper(d, b, a);
      row[3 * in_block] = hn::ConcatUpperUpper(d, e, c);
    }
  }
#endif
}

// sum[r] += square[i] x[r, i] for each column i of a square block of w, one by one.
template <int rows, int lanes, class D, class V, class T>
HWY_INLINE void add_columns(D d, const V (&square)[lanes], const T* x, int64_t x_stride,
                            V (&sum)[rows]) {
#pragma GCC unroll 16
  for (int i = 0; i < lanes; i++) {
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      sum[r] = hn::MulAdd(square[i], hn::Set(d, x[r * x_stride + i]), sum[r]);
    }
  }
}

// The same for two blocks of bfloat16 that are turned at once: pairs of neighbours.
template <int rows, int lanes, class D, class V, class T>
HWY_INLINE void add_pairs_of_columns(D d, const V (&square)[lanes], const T* x, int64_t x_stride,
                                     V (&sum)[rows]) {
  const hn::RebindToUnsigned<D> bits;
#pragma GCC unroll 16
  for (int i = 0; i < lanes; i++) {
    const auto pair = hn::BitCast(bits, square[i]);
    const V first = hn::BitCast(d, hn::ShiftLeft<16>(pair));
    const V second = hn::BitCast(d, hn::And(pair, hn::Set(bits, 0xffff0000u)));
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      const T* at = x + r * x_stride + 2 * i;
      sum[r] = hn::MulAdd(first, hn::Set(d, at[0]), sum[r]);
      sum[r] = hn::MulAdd(second, hn::Set(d, at[1]), sum[r]);
    }
  }
}

// y[r, i] = sum over k of w[i, k] x[r, k] for a vector of rows of w, of which `count` are there, k
// contiguous, and `rows` rows of x. Sums run over k one by one, as in multiply_block.
template <int rows, class T, class S>
HWY_INLINE void dot_rows_in_order(const S* w, int64_t row_stride, int64_t count, const T* x,
                                  int64_t x_stride, int64_t K, T* y, int64_t y_stride) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int lanes = static_cast<int>(hn::MaxLanes(decltype(d)()));
  V sum[rows];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) sum[r] = hn::Zero(d);
  // What is not there repeats the last row.
  auto load = [&](int64_t k, V(&square)[lanes]) HWY_ATTR {
#pragma GCC unroll 16
    for (int i = 0; i < lanes; i++) {
      square[i] = load_as(d, w + std::min<int64_t>(i, count - 1) * row_stride + k);
    }
    transpose(d, square);
  };
  int64_t k = 0;
  if constexpr (std::is_same_v<S, bfloat16_t>) {
    const hn::RebindToUnsigned<decltype(d)> bits;
    for (; k + 2 * lanes <= K; k += 2 * lanes) {
      V square[lanes];
#pragma GCC unroll 16
      for (int i = 0; i < lanes; i++) {
        const S* row = w + std::min<int64_t>(i, count - 1) * row_stride + k;
        square[i] = hn::BitCast(d, hn::LoadU(bits, reinterpret_cast<const uint32_t*>(row)));
      }
      transpose(d, square);
      add_pairs_of_columns(d, square, x + k, x_stride, sum);
    }
  }
  for (; k + lanes <= K; k += lanes) {
    V square[lanes];
    load(k, square);
    add_columns(d, square, x + k, x_stride, sum);
  }
  if (k < K) {
    // The last numbers of each row, and what comes before them if there is as much.
    HWY_ALIGN T columns[lanes * lanes];
    const int64_t first = std::max<int64_t>(0, K - lanes);
    if (K >= lanes) {
      V square[lanes];
      load(first, square);
#pragma GCC unroll 16
      for (int i = 0; i < lanes; i++) hn::Store(square[i], d, columns + i * lanes);
    } else {
      for (int64_t i = 0; i < lanes; i++) {
        const S* row = w + std::min(i, count - 1) * row_stride;
        for (int64_t j = 0; j < K; j++) columns[j * lanes + i] = static_cast<T>(row[j]);
      }
    }
    for (; k < K; k++) {
      const V column = hn::Load(d, columns + (k - first) * lanes);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        sum[r] = hn::MulAdd(column, hn::Set(d, x[r * x_stride + k]), sum[r]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) hn::StoreU(sum[r], d, y + r * y_stride);
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
  const hn::CappedTag<T, 1> one;
  for (; j < n; j++) {
    auto sum = hn::LoadU(one, y + j);
    for (int k = 0; k < count; k++) {
      sum = hn::MulAdd(hn::Set(one, static_cast<T>(w[k * k_stride + j])), hn::Set(one, x[k]), sum);
    }
    hn::StoreU(sum, one, y + j);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
