#include "cpu/quantized_matmul.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/dnnl.h"
#include "cpu/matmul.h"
#include "cpu/quantized_tiles.h"
#include "cpu/scratch.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

View matrix(const void* data, Dtype dtype, int64_t rows, int64_t columns) {
  return {const_cast<void*>(data), dtype, {rows, columns}, {columns, 1}};
}

// Bytes of a restored panel. Wider ones multiply faster: with 128 rows and a 4096 x 4096 matrix one
// core takes 12.0 ms with 4 MB, 13.8 with 1 MB.
constexpr int64_t panel_bytes = 4 << 20;

// The transposed product in bfloat16 where tiles do not serve it. Rows of the matrix are restored
// as they lie and become the left operand, which wants no rearranging: out^T = matrix x^T, and x^T
// is rearranged once. With 128 rows and a 4096 x 4096 matrix one core takes 6.8 ms; restoring
// panels for the right side, which every call rearranges for AMX, took 12.5.
void product_by_rows(const void* x, int64_t M, const QuantizedMatrix& m, void* out) {
  constexpr Dtype dtype = Dtype::bfloat16;
  constexpr int64_t item = sizeof(bfloat16_t);
  const int64_t K = m.columns, N = m.rows;
  // Panels stay in the second-level cache beside x, or are larger than need be for many rows of x.
  constexpr int64_t step = 32, few_bytes = 512 << 10, many_bytes = 1 << 20, many_rows = 256;
  const int64_t bytes = M < many_rows ? few_bytes : many_bytes;
  const int64_t rows = std::clamp<int64_t>(bytes / (K * item * step), 1, 8) * step;
  // Rows of zeros fill up x, so that few primitives serve every number of rows.
  const int64_t unit = M <= 64 ? 16 : 32, padded = (M + unit - 1) / unit * unit;
  Scratch filled(padded == M ? 0 : static_cast<size_t>(padded * K * item));
  if (padded != M) {
    std::memcpy(filled.data(), x, static_cast<size_t>(M * K * item));
    std::memset(filled.as<char>() + M * K * item, 0, static_cast<size_t>((padded - M) * K * item));
  }
  auto tensor = [&](int64_t height, int64_t width, int64_t row_stride, int64_t column_stride) {
    return onednn::Tensor{
        static_cast<int64_t>(dtype), 2, {height, width}, {row_stride, column_stride}};
  };
  onednn::MatmulRequest request;
  request.a = tensor(rows, K, K, 1);
  request.b = tensor(K, padded, 1, K);
  request.out = tensor(rows, padded, padded, 1);
  const onednn::PackedMatrix right(request, padded == M ? x : filled.data());
  parallel_for((N + rows - 1) / rows, 1, [&](int64_t begin, int64_t end) {
    Scratch panel(static_cast<size_t>(rows * K * item));
    Scratch product(static_cast<size_t>(rows * padded * item));
    for (int64_t p = begin; p < end; p++) {
      const int64_t first = p * rows, n = std::min(rows, N - first);
      for (int64_t r = 0; r < n; r++) {
        dequantize_run(m, first + r, 0, K, dtype, Rounding::once, panel.as<char>() + r * K * item);
      }
      std::memset(panel.as<char>() + n * K * item, 0, static_cast<size_t>((rows - n) * K * item));
      right.multiply(panel.data(), product.data());
      tile::copy({product.data(), dtype, {M, n}, {1, padded}},
                 {static_cast<char*>(out) + first * item, dtype, {M, n}, {N, 1}});
    }
  });
}

}  // namespace

// Restores panels of columns of the product one after the other, each by one thread, and multiplies
// them as dense matrices: in the dtype of x where the machine multiplies it, else in float32.
void quantized_product(const void* x, int64_t M, const QuantizedMatrix& m, bool transpose,
                       Dtype dtype, void* out) {
  const int64_t K = transpose ? m.columns : m.rows, N = transpose ? m.rows : m.columns;
  if (M == 0 || N == 0) return;
  const int64_t item = static_cast<int64_t>(size_of(dtype));
  if (K == 0) {
    std::memset(out, 0, static_cast<size_t>(M * N * item));
    return;
  }
  // Four rows by vectors take 1.5 ms of a core (bfloat16, 4096 x 4096), eight 3.5; by products 2.1,
  // in tiles 1.2.
  const bool by_rows = dtype == Dtype::bfloat16 && onednn::native(dtype);
  const int64_t few_rows = by_rows ? 4 : few_quantized_rows;
  if (transpose && M <= few_rows) return quantized_vectors(x, M, m, dtype, out);
  if (transpose && by_rows && quantized_product_in_tiles(x, M, m, out)) return;
  if (transpose && by_rows) return product_by_rows(x, M, m, out);
  const Dtype inner = onednn::native(dtype) ? dtype : Dtype::float32;
  const int64_t inner_item = static_cast<int64_t>(size_of(inner));
  Scratch widened(inner == dtype ? 0 : static_cast<size_t>(M * K * inner_item));
  View left = matrix(x, dtype, M, K);
  if (inner != dtype) {
    View wide = matrix(widened.data(), inner, M, K);
    tile::copy(left, wide);
    left = wide;
  }
  // Multiples of every group size, so that a panel of either orientation begins with a group.
  constexpr int64_t unit = 128;
  const int64_t width =
      std::max(unit, std::min((N + unit - 1) / unit, panel_bytes / (K * inner_item * unit)) * unit);
  const int64_t panels = (N + width - 1) / width;
  parallel_for(panels, 1, [&](int64_t begin, int64_t end) {
    Scratch panel(static_cast<size_t>(K * width * inner_item));
    Scratch product(static_cast<size_t>(M * width * inner_item));
    for (int64_t p = begin; p < end; p++) {
      const int64_t first = p * width, n = std::min(width, N - first);
      View right;
      if (transpose) {
        for (int64_t r = 0; r < n; r++) {
          dequantize_run(m, first + r, 0, K, inner, Rounding::once,
                         panel.as<char>() + r * K * inner_item);
        }
        right = {panel.data(), inner, {K, n}, {1, K}};
      } else {
        for (int64_t k = 0; k < K; k++) {
          dequantize_run(m, k, first, n, inner, Rounding::once,
                         panel.as<char>() + k * n * inner_item);
        }
        right = matrix(panel.data(), inner, K, n);
      }
      View dense = matrix(product.data(), inner, M, n);
      matmul(left, right, dense);
      tile::copy(dense, {static_cast<char*>(out) + first * item, dtype, {M, n}, {N, 1}});
    }
  });
}

}  // namespace heddle::cpu
