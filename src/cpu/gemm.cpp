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
    multiply_block<block_rows, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
    write(r, block_rows);
  }
  if constexpr (block_rows > 4) {
    if (r + 4 <= rows) {
      multiply_block<4, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
      write(r, 4);
      r += 4;
    }
  }
  if (r + 2 <= rows) {
    multiply_block<2, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
    write(r, 2);
    r += 2;
  }
  if (r < rows) {
    multiply_block<1, vectors>(d, K, a + r * row_stride, row_stride, k_stride, b, c);
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

// Columns [0, n) of b as a panel: K rows of `pitch` values, zero beyond n.
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
  for (int64_t k0 = 0; k0 < K; k0 += step) {
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
  Scratch packed(chunk * K * sizeof(T));
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

// y (R) = w (R, K) x, with `store(first, sums, count)` taking the results.
template <class T, class S, class Store>
void matrix_vector(int64_t R, int64_t K, const S* w, int64_t row_stride, int64_t k_stride,
                   const S* x_data, int64_t x_stride, Store&& store) {
  Scratch vector(K * sizeof(T));
  T* x = vector.as<T>();
  for (int64_t k = 0; k < K; k++) x[k] = static_cast<T>(x_data[k * x_stride]);
  // Sums kept in L1; long enough that reading along the rows of the matrix runs at full speed.
  constexpr int64_t span = 4096;
  const int64_t per_row = std::max<int64_t>(K, 1);
  if (k_stride == 1 || K == 1) {
    int64_t grain = std::max<int64_t>(4, parallel_grain / per_row / 4 * 4);
    parallel_for(R, grain, [&](int64_t begin, int64_t end) HWY_ATTR {
      const ScratchArray<T> memory(static_cast<size_t>(std::min(span, end - begin)));
      T* const y = memory;
      for (int64_t r0 = begin; r0 < end; r0 += span) {
        int64_t n = std::min(span, end - r0), r = 0;
        for (; r + 4 <= n; r += 4) {
          dot_rows<4>(w + (r0 + r) * row_stride, row_stride, x, K, y + r);
        }
        for (; r < n; r++) dot_rows<1>(w + (r0 + r) * row_stride, row_stride, x, K, y + r);
        store(r0, y, n);
      }
    });
  } else {
    int64_t grain = std::clamp<int64_t>(parallel_grain / per_row / 64 * 64, 64, span);
    parallel_for(R, grain, [&](int64_t begin, int64_t end) HWY_ATTR {
      const ScratchArray<T> memory(static_cast<size_t>(std::min(span, end - begin)));
      T* const y = memory;
      for (int64_t r0 = begin; r0 < end; r0 += span) {
        int64_t n = std::min(span, end - r0), k = 0;
        std::fill_n(y, n, T(0));
        for (; k + 4 <= K; k += 4) add_rows<4>(w + k * k_stride + r0, k_stride, x + k, n, y);
        for (; k < K; k++) add_rows<1>(w + k * k_stride + r0, k_stride, x + k, n, y);
        store(r0, y, n);
      }
    });
  }
}

template <class T, class S>
void vector_product_of(int64_t M, int64_t N, int64_t K, const Matrix& a, const Matrix& b,
                       const Finish& finish) {
  auto* a_data = static_cast<const S*>(a.data);
  auto* b_data = static_cast<const S*>(b.data);
  if (M == 1) {
    matrix_vector<T>(
        N, K, b_data, b.column_stride, b.row_stride, a_data, a.column_stride,
        [&](int64_t first, const T* sums, int64_t n) { store_sums(finish, 0, first, sums, n); });
  } else {
    // A column of results: dense only as a row, so the roles of rows and columns change.
    Finish turned = finish;
    turned.addend.column_stride = finish.addend.row_stride;
    turned.addend.row_stride = 0;
    bool dense = finish.row_stride == 1;
    matrix_vector<T>(M, K, a_data, a.row_stride, a.column_stride, b_data, b.row_stride,
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
