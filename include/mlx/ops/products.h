// Products of vectors, matrices and quantized matrices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heddle/ops/products.h"
#include "heddle/ops/quantized.h"
#include "mlx/utils.h"

namespace mlx::core {

inline array matmul(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::matmul(a, b, detail::in(s));
}
inline array kron(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::kron(a, b, detail::in(s));
}
inline array tensordot(const array& a, const array& b, const int axis = 2, StreamOrDevice s = {}) {
  return heddle::tensordot(a, b, axis, detail::in(s));
}
inline array tensordot(const array& a, const array& b, const std::vector<int>& axes_a,
                       const std::vector<int>& axes_b, StreamOrDevice s = {}) {
  return heddle::tensordot(a, b, axes_a, axes_b, detail::in(s));
}
inline array outer(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::outer(a, b, detail::in(s));
}
inline array inner(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::inner(a, b, detail::in(s));
}
inline array vecdot(const array& a, const array& b, int axis = -1, StreamOrDevice s = {}) {
  return heddle::vecdot(a, b, axis, detail::in(s));
}
inline array addmm(array c, array a, array b, const float& alpha = 1.f, const float& beta = 1.f,
                   StreamOrDevice s = {}) {
  return heddle::addmm(c, a, b, alpha, beta, detail::in(s));
}
inline array block_masked_mm(array a, array b, int block_size, std::optional<array> mask_out = {},
                             std::optional<array> mask_lhs = {}, std::optional<array> mask_rhs = {},
                             StreamOrDevice s = {}) {
  return heddle::block_masked_mm(a, b, block_size, detail::in(mask_out), detail::in(mask_lhs),
                                 detail::in(mask_rhs), detail::in(s));
}
inline array gather_mm(array a, array b, std::optional<array> lhs_indices = {},
                       std::optional<array> rhs_indices = {}, bool sorted_indices = false,
                       StreamOrDevice s = {}) {
  return heddle::gather_mm(a, b, detail::in(lhs_indices), detail::in(rhs_indices), sorted_indices,
                           detail::in(s));
}
inline array segmented_mm(array a, array b, array segments, StreamOrDevice s = {}) {
  return heddle::segmented_mm(a, b, segments, detail::in(s));
}
inline array hadamard_transform(const array& a, std::optional<float> scale = {},
                                StreamOrDevice s = {}) {
  return heddle::hadamard_transform(a, scale, detail::in(s));
}
inline array quantized_matmul(const array& x, const array& w, const array& scales,
                              const std::optional<array>& biases = {}, bool transpose = true,
                              std::optional<int> group_size = {}, std::optional<int> bits = {},
                              const std::string& mode = "affine", StreamOrDevice s = {}) {
  return heddle::quantized_matmul(x, w, scales, detail::in(biases), transpose, group_size, bits,
                                  mode, detail::in(s));
}
inline std::vector<array> quantize(const array& w, std::optional<int> group_size = {},
                                   std::optional<int> bits = {}, const std::string& mode = "affine",
                                   const std::optional<array>& global_scale = {},
                                   StreamOrDevice s = {}) {
  return detail::out(
      heddle::quantize(w, group_size, bits, mode, detail::in(global_scale), detail::in(s)));
}
inline array dequantize(const array& w, const array& scales,
                        const std::optional<array>& biases = {}, std::optional<int> group_size = {},
                        std::optional<int> bits = {}, const std::string& mode = "affine",
                        const std::optional<array>& global_scale = {},
                        std::optional<Dtype> dtype = {}, StreamOrDevice s = {}) {
  return heddle::dequantize(w, scales, detail::in(biases), group_size, bits, mode,
                            detail::in(global_scale), detail::in(dtype), detail::in(s));
}
inline array qqmm(const array& x, const array& w, const std::optional<array>& w_scales = {},
                  std::optional<int> group_size = {}, std::optional<int> bits = {},
                  const std::string& mode = "nvfp4",
                  const std::optional<array>& global_scale_x = {},
                  const std::optional<array>& global_scale_w = {}, StreamOrDevice s = {}) {
  return heddle::qqmm(x, w, detail::in(w_scales), group_size, bits, mode,
                      detail::in(global_scale_x), detail::in(global_scale_w), detail::in(s));
}
inline array gather_qmm(const array& x, const array& w, const array& scales,
                        const std::optional<array>& biases = {},
                        std::optional<array> lhs_indices = {},
                        std::optional<array> rhs_indices = {}, bool transpose = true,
                        std::optional<int> group_size = {}, std::optional<int> bits = {},
                        const std::string& mode = "affine",
                        const std::optional<array>& global_scale = {}, bool sorted_indices = false,
                        StreamOrDevice s = {}) {
  return heddle::gather_qmm(x, w, scales, detail::in(biases), detail::in(lhs_indices),
                            detail::in(rhs_indices), transpose, group_size, bits, mode,
                            detail::in(global_scale), sorted_indices, detail::in(s));
}
inline array gather_qqmm(const array& x, const array& w, const std::optional<array>& scales_w = {},
                         const std::optional<array>& lhs_indices = {},
                         const std::optional<array>& rhs_indices = {},
                         std::optional<int> group_size = {}, std::optional<int> bits = {},
                         const std::string& mode = "nvfp4",
                         const std::optional<array>& global_scale_x = {},
                         const std::optional<array>& global_scale_w = {},
                         bool sorted_indices = false, StreamOrDevice s = {}) {
  return heddle::gather_qqmm(x, w, detail::in(scales_w), detail::in(lhs_indices),
                             detail::in(rhs_indices), group_size, bits, mode,
                             detail::in(global_scale_x), detail::in(global_scale_w), sorted_indices,
                             detail::in(s));
}

}  // namespace mlx::core
