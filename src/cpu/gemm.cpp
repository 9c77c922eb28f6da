#include "cpu/gemm.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/scratch.h"
#include "cpu/scratch_array.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/matrix_blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// multiply_block with its sums taken in blocks of K (sum_depth).
template <int rows, int vectors, class D, class T = hn::TFromD<D>>
void multiply_deep(D d, int64_t K, const T* a, int64_t row_stride, int64_t k_stride, const T* b,
                   T* c) {
  constexpr int most = rows * vectors * static_cast<int>(HWY_MAX_BYTES / sizeof(T));
  const int64_t pitch = vectors * static_cast<int64_t>(hn::Lanes(d)), depth = sum_depth(K);
  multiply_block<rows, vectors>(d, std::min(K, depth), a, row_stride, k_stride, b, c);
  for (int64_t k = depth; k < K; k += depth) {
    HWY_ALIGN T more[most];
    multiply_block<rows, vectors>(d, std::min(K - k, depth), a + k * k_stride, row_stride, k_stride,
                                  b + k * pitch, more);
    for (int64_t i = 0; i < rows * pitch; i++) c[i] += more[i];
  }
}

// `rows` rows of a times one panel of b (`n` valid columns), into the result at (row, column).
template <int vectors, class T>
void multiply_panel(int64_t rows, int64_t n, int64_t K, const T* a, int64_t row_stride,
                    int64_t k_stride, const T* b, const Finish& finish, int64_t row,
                    int64_t column) {
  const hn::ScalableTag<T> d;
  const int64_t pitch = vectors * static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T c[block_rows * panel_vectors * HWY_MAX_BYTES / sizeof(T)];
  bool direct = finish.alpha == 1 && !finish.addend.data && finish.tail == onednn::Tail::none &&
                size_of(finish.dtype) == sizeof(T);
  auto write = [&](int64_t first, int count) HWY_ATTR {
    for (int i = 0; i < count; i++) {
      if (direct) {
        T* out = static_cast<T*>(finish.out) + (row + first + i) * finish.row_stride + column;
        std::memcpy(out, c + i * pitch, n * sizeof(T));
      } else {
        store_sums(finish, row + first + i, column, c + i * pitch, n);
      }
    }
  };
  int64_t r = 0;
  for (; r + block_rows <= rows; r += block_rows) {
    multiply_deep<block_rows, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
    write(r, block_rows);
  }
  if constexpr (block_rows > 4) {
    if (r + 4 <= rows) {
      multiply_deep<4, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
      write(r, 4);
      r += 4;
    }
  }
  if (r + 2 <= rows) {
    multiply_deep<2, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
    write(r, 2);
    r += 2;
  }
  if (r < rows) {
    multiply_deep<1, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
    write(r, 1);
  }
}

template <class T>
void multiply_panel(int vectors, int64_t rows, int64_t n, int64_t K, const T* a, int64_t row_stride,
                    int64_t k_stride, const T* b, const Finish& finish, int64_t row,
                    int64_t column) {
  switch (vectors) {
    case 1:
      return multiply_panel<1>(rows, n, K, a, row_stride, k_stride, b, finish, row, column);
    case 2:
      return multiply_panel<2>(rows, n, K, a, row_stride, k_stride, b, finish, row, column);
    default:
      return multiply_panel<3>(rows, n, K, a, row_stride, k_stride, b, finish, row, column);
  }
}

// Columns [0, n) of b as a panel: K rows of `pitch` values, zeros or repetitions beyond n.
template <class T, class S>
void pack_panel(const S* b, int64_t row_stride, int64_t column_stride, int64_t K, int64_t n,
                int64_t pitch, T* out) {
  if (column_stride == 1) {
    for (int64_t k = 0; k < K; k++) {
      convert_run(b + k * row_stride, out + k * pitch, n);
      for (int64_t j = n; j < pitch; j++) out[k * pitch + j] = 0;
    }
    return;
  }
  // In blocks of k, so that both the strided reads and the writes stay within the L1 cache.
  constexpr int64_t step = 32;
  int64_t k0 = 0;
  const hn::ScalableTag<T> d;
  constexpr int lanes = static_cast<int>(hn::MaxLanes(decltype(d)()));
  if (row_stride == 1 && pitch % lanes == 0) {
    // Squares of vectors; what lies beyond n repeats the last column, and is not used.
    for (; k0 + lanes <= K; k0 += lanes) {
      for (int64_t j = 0; j < n; j += lanes) {
        hn::Vec<decltype(d)> square[lanes];
#pragma GCC unroll 16
        for (int i = 0; i < lanes; i++) {
          square[i] = load_as(d, b + std::min(j + i, n - 1) * column_stride + k0);
        }
        transpose(d, square);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; i++) hn::StoreU(square[i], d, out + (k0 + i) * pitch + j);
      }
    }
  }
  for (; k0 < K; k0 += step) {
    int64_t k1 = std::min(K, k0 + step);
    for (int64_t j = 0; j < n; j++) {
      const S* from = b + j * column_stride;
      for (int64_t k = k0; k < k1; k++) out[k * pitch + j] = static_cast<T>(from[k * row_stride]);
    }
    for (int64_t k = k0; k < k1; k++) {
      for (int64_t j = n; j < pitch; j++) out[k * pitch + j] = 0;
    }
  }
}

// Columns are split into panels of up to panel_vectors vectors; the last one may have fewer.
template <class T>
int64_t lanes_of() {
  return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

template <class T>
int64_t vectors_for(int64_t columns) {
  const int64_t lanes = lanes_of<T>();
  return std::min<int64_t>(panel_vectors, (columns + lanes - 1) / lanes);
}

template <class S, class T>
void small_product_in(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                      const Finish& finish, TypeTag<S>, T* space) {
  const int64_t lanes = lanes_of<T>(), width = panel_vectors * lanes;
  const S* a_data = static_cast<const S*>(a.data);
  const S* b_data = static_cast<const S*>(b.data);
  const T* rows;
  int64_t row_stride = a.row_stride, k_stride = a.column_stride;
  if constexpr (std::is_same_v<T, S>) {
    rows = a_data;
  } else {
    T* converted = space + width * K;
    for (int64_t m = 0; m < M; m++) {
      for (int64_t k = 0; k < K; k++) {
        converted[m * K + k] = static_cast<T>(a_data[m * a.row_stride + k * a.column_stride]);
      }
    }
    rows = converted;
    row_stride = K;
    k_stride = 1;
  }
  for (int64_t j = 0; j < N; j += width) {
    int64_t n = std::min(width, N - j);
    int vectors = static_cast<int>(vectors_for<T>(n));
    pack_panel(b_data + j * b.column_stride, b.row_stride, b.column_stride, K, n, vectors * lanes,
               space);
    multiply_panel(vectors, M, n, K, rows, row_stride, k_stride, space, finish, 0, j);
  }
}

template <class T, class S>
void small_product_of(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                      const Finish& finish) {
  const int64_t lanes = lanes_of<T>(), width = panel_vectors * lanes;
  constexpr bool converts = !std::is_same_v<T, S>;
  int64_t a_size = converts ? M * K : 0;
  const ScratchArray<T> space(static_cast<size_t>(width * K + a_size));
  small_product_in(M, N, K, a, b, finish, TypeTag<S>{}, static_cast<T*>(space));
}

template <class T, class S>
void product_of(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                const Finish& finish) {
  const int64_t lanes = lanes_of<T>(), width = panel_vectors * lanes;
  const S* a_data = static_cast<const S*>(a.data);
  const S* b_data = static_cast<const S*>(b.data);
  // b is packed in chunks of columns that fit into the shared cache; a block of a's rows fits into
  // L2.
  constexpr int64_t chunk_bytes = 8 << 20, rows_bytes = 256 << 10;
  const int64_t k_bytes = K * static_cast<int64_t>(sizeof(T));
  int64_t chunk = std::max<int64_t>(1, chunk_bytes / (k_bytes * width)) * width;
  chunk = std::min(chunk, (N + width - 1) / width * width);
  int64_t rows = std::max<int64_t>(1, rows_bytes / (k_bytes * block_rows)) * block_rows;
  rows = std::min<int64_t>(rows, 128);
  const int64_t row_blocks = (M + rows - 1) / rows;
  Scratch packed(static_cast<size_t>(chunk * K) * sizeof(T) + shared_margin);
  T* b_panels = packed.as<T>();

  for (int64_t j0 = 0; j0 < N; j0 += chunk) {
    const int64_t columns = std::min(chunk, N - j0);
    const int64_t count = (columns + width - 1) / width;
    parallel_for(count, std::max<int64_t>(1, parallel_grain / (K * width)),
                 [&](int64_t begin, int64_t end) HWY_ATTR {
                   for (int64_t p = begin; p < end; p++) {
                     int64_t j = p * width;
                     int64_t n = std::min(width, columns - j);
                     pack_panel(b_data + (j0 + j) * b.column_stride, b.row_stride, b.column_stride,
                                K, n, vectors_for<T>(n) * lanes, b_panels + j * K);
                   }
                 });
    // With few row blocks the panels are shared out too, so that every thread finds work.
    const int64_t groups = std::min(count, std::max<int64_t>(1, 32 / row_blocks));
    parallel_for(row_blocks * groups, 1, [&](int64_t begin, int64_t end) HWY_ATTR {
      Scratch block(rows * K * sizeof(T));
      T* a_block = block.as<T>();
      int64_t packed_rows = -1;
      for (int64_t task = begin; task < end; task++) {
        const int64_t row_block = task / groups, group = task % groups;
        const int64_t i0 = row_block * rows, m = std::min(rows, M - i0);
        if (packed_rows != row_block) {
          // Each group of block_rows rows becomes one panel with k as the slow index.
          for (int64_t i = 0; i < m; i += block_rows) {
            int64_t r = std::min<int64_t>(block_rows, m - i);
            pack_panel(a_data + (i0 + i) * a.row_stride, a.column_stride, a.row_stride, K, r, r,
                       a_block + i * K);
          }
          packed_rows = row_block;
        }
        for (int64_t p = count * group / groups; p < count * (group + 1) / groups; p++) {
          int64_t j = p * width;
          int64_t n = std::min(width, columns - j);
          for (int64_t i = 0; i < m; i += block_rows) {
            int64_t r = std::min<int64_t>(block_rows, m - i);
            multiply_panel(static_cast<int>(vectors_for<T>(n)), r, n, K, a_block + i * K,
                           int64_t{1}, r, b_panels + j * K, finish, i0 + i, j0 + j);
          }
        }
      }
    });
  }
}

// y (R) = w (R, K) x, with `store(first, sums, count)` taking the results. `in_order`: sums run as
// in products of more vectors; else as is fastest.
template <class T, class S, class Store>
void matrix_vector(int64_t R, int64_t K, const S* w, int64_t row_stride, int64_t k_stride,
                   const S* x_data, int64_t x_stride, bool in_order, Store&& store) {
  Scratch vector(K * sizeof(T));
  T* x = vector.as<T>();
  for (int64_t k = 0; k < K; k++) x[k] = static_cast<T>(x_data[k * x_stride]);
  // Sums kept in L1; long enough that reading along the rows of the matrix runs at full speed.
  constexpr int64_t span = 4096;
  const int64_t per_row = std::max<int64_t>(K, 1), lanes = lanes_of<T>();
  const bool along_rows = k_stride == 1 || K == 1;
  const int64_t unit = along_rows ? std::max<int64_t>(4, lanes) : 64;
  int64_t grain = std::max<int64_t>(1, parallel_grain / per_row / unit) * unit;
  if (!along_rows) grain = std::min(grain, span);
  // Rows [first, first + n) of w times x, elements [k, k + depth) of them. Writes whole vectors.
  auto multiply = [&](int64_t first, int64_t n, int64_t k, int64_t depth, T* y) HWY_ATTR {
    const S* from = w + first * row_stride + k * k_stride;
    if (!along_rows) {
      std::fill_n(y, n, T(0));
      int64_t i = 0;
      for (; i + 4 <= depth; i += 4) add_rows<4>(from + i * k_stride, k_stride, x + k + i, n, y);
      for (; i < depth; i++) add_rows<1>(from + i * k_stride, k_stride, x + k + i, n, y);
    } else if (in_order) {
      for (int64_t r = 0; r < n; r += lanes) {
        dot_rows_in_order<1>(from + r * row_stride, row_stride, n - r, x + k, K, depth, y + r,
                             lanes);
      }
    } else {
      int64_t r = 0;
      for (; r + 4 <= n; r += 4) dot_rows<4>(from + r * row_stride, row_stride, x, K, y + r);
      for (; r < n; r++) dot_rows<1>(from + r * row_stride, row_stride, x, K, y + r);
    }
  };
  const int64_t depth = along_rows && !in_order ? per_row : sum_depth(K);
  parallel_for(R, grain, [&](int64_t begin, int64_t end) HWY_ATTR {
    const int64_t most = std::min(span, end - begin) + lanes;
    const ScratchArray<T> memory(static_cast<size_t>(K > depth ? 2 * most : most));
    T *const y = memory, *const more = y + most;
    for (int64_t r0 = begin; r0 < end; r0 += span) {
      const int64_t n = std::min(span, end - r0);
      multiply(r0, n, 0, std::min(K, depth), y);
      for (int64_t k = depth; k < K; k += depth) {
        multiply(r0, n, k, std::min(K - k, depth), more);
        for (int64_t i = 0; i < n; i++) y[i] += more[i];
      }
      store(r0, y, n);
    }
  });
}

template <class T, class S>
void vector_product_of(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                       const Finish& finish) {
  auto* a_data = static_cast<const S*>(a.data);
  auto* b_data = static_cast<const S*>(b.data);
  if (N > 1 || (M == 1 && a.column_stride != 1)) {
    const bool in_order = N > 1 && N * K <= small_matrix;
    matrix_vector<T>(
        N, K, b_data, b.column_stride, b.row_stride, a_data, a.column_stride, in_order,
        [&](int64_t first, const T* sums, int64_t n) { store_sums(finish, 0, first, sums, n); });
  } else {
    // A column of results: dense only as a row, so the roles of rows and columns change.
    Finish turned = finish;
    turned.addend.column_stride = finish.addend.row_stride;
    turned.addend.row_stride = 0;
    bool dense = finish.row_stride == 1;
    matrix_vector<T>(M, K, a_data, a.row_stride, a.column_stride, b_data, b.row_stride, false,
                     [&](int64_t first, const T* sums, int64_t n) {
                       if (dense) {
                         store_sums(turned, 0, first, sums, n);
                       } else {
                         for (int64_t i = 0; i < n; i++)
                           store_sums(finish, first + i, 0, sums + i, 1);
                       }
                     });
  }
}

template <class F>
void visit(Dtype t, F&& f) {
  switch (t) {
    case Dtype::float64:
      return f(double{}, TypeTag<double>{});
    case Dtype::float16:
      return f(float{}, TypeTag<float16_t>{});
    case Dtype::bfloat16:
      return f(float{}, TypeTag<bfloat16_t>{});
    default:
      return f(float{}, TypeTag<float>{});
  }
}

void gemm(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b, const Finish& finish) {
  visit(a.dtype, [&](auto sum, auto source) HWY_ATTR {
    product_of<decltype(sum), typename decltype(source)::type>(M, N, K, a, b, finish);
  });
}

void gemm_small(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                const Finish& finish) {
  visit(a.dtype, [&](auto sum, auto source) HWY_ATTR {
    small_product_of<decltype(sum), typename decltype(source)::type>(M, N, K, a, b, finish);
  });
}

void gemv(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b, const Finish& finish) {
  visit(a.dtype, [&](auto sum, auto source) HWY_ATTR {
    vector_product_of<decltype(sum), typename decltype(source)::type>(M, N, K, a, b, finish);
  });
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(gemm);
HWY_EXPORT(gemm_small);
HWY_EXPORT(gemv);

void gemm(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b, const Finish& finish) {
  HWY_DYNAMIC_DISPATCH(gemm)(M, N, K, a, b, finish);
}

void gemm_small(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                const Finish& finish) {
  HWY_DYNAMIC_DISPATCH(gemm_small)(M, N, K, a, b, finish);
}

void gemv(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b, const Finish& finish) {
  HWY_DYNAMIC_DISPATCH(gemv)(M, N, K, a, b, finish);
}

}  // namespace heddle::cpu
#endif
