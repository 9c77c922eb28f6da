#include "cpu/quantized_matmul.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/dnnl.h"
#include "cpu/matmul.h"
#include "cpu/scratch.h"
#include "cpu/tile/program.h"

namespace heddle::cpu {
namespace {

View matrix(const void* data, Dtype dtype, int64_t rows, int64_t columns) {
  return {const_cast<void*>(data), dtype, {rows, columns}, {columns, 1}};
}

// Bytes of a restored panel. Wider ones multiply faster: with 128 rows and a 4096 x 4096 matrix one core
// takes 12.0 ms with 4 MB, 13.8 with 1 MB.
constexpr int64_t panel_bytes = 4 << 20;

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
  if (transpose && M <= few_quantized_rows) return quantized_vectors(x, M, m, dtype, out);
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
