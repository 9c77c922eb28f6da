// Fused operations, and kernels that need a GPU.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/gpu_kernels.h"
#include "heddle/ops/attention.h"
#include "heddle/ops/norm.h"
#include "heddle/ops/recurrent.h"
#include "mlx/backend/common/metal_kernel.h"
#include "mlx/utils.h"

namespace mlx::core::fast {

inline array rms_norm(const array& x, const std::optional<array>& weight, float eps,
                      StreamOrDevice s = {}) {
  return heddle::fast::rms_norm(x, core::detail::in(weight), eps, core::detail::in(s));
}
inline array layer_norm(const array& x, const std::optional<array>& weight,
                        const std::optional<array>& bias, float eps, StreamOrDevice s = {}) {
  return heddle::fast::layer_norm(x, core::detail::in(weight), core::detail::in(bias), eps,
                                  core::detail::in(s));
}
inline array cross_entropy(const array& logits, const array& targets, StreamOrDevice s = {}) {
  return heddle::fast::cross_entropy(logits, targets, core::detail::in(s));
}
inline array rope(const array& x, int dims, bool traditional, std::optional<float> base,
                  float scale, int offset, const std::optional<array>& freqs = {},
                  StreamOrDevice s = {}) {
  return heddle::fast::rope(x, dims, traditional, base, scale, offset, core::detail::in(freqs),
                            core::detail::in(s));
}
inline array rope(const array& x, int dims, bool traditional, std::optional<float> base,
                  float scale, const array& offset, const std::optional<array>& freqs = {},
                  StreamOrDevice s = {}) {
  return heddle::fast::rope(x, dims, traditional, base, scale, offset, core::detail::in(freqs),
                            core::detail::in(s));
}
inline array scaled_dot_product_attention(const array& queries, const array& keys,
                                          const array& values, const float scale,
                                          const std::string& mask_mode = "",
                                          std::optional<array> mask_arr = {},
                                          const std::optional<array>& sinks = {},
                                          bool force_fused = false, StreamOrDevice s = {}) {
  return heddle::fast::scaled_dot_product_attention(
      queries, keys, values, scale, mask_mode, core::detail::in(mask_arr), core::detail::in(sinks),
      force_fused, core::detail::in(s));
}
inline std::vector<array> gated_delta_update(const array& queries, const array& keys,
                                             const array& values, const array& gates,
                                             const array& beta_,
                                             const std::optional<array>& initial_state = {},
                                             const std::optional<array>& mask = {},
                                             StreamOrDevice s = {}) {
  return core::detail::out(heddle::fast::gated_delta_update(
      queries, keys, values, gates, beta_, core::detail::in(initial_state), core::detail::in(mask),
      core::detail::in(s)));
}

// Kernels in the languages of GPUs can be described, as programs do when they start, and say at the
// call that there is no GPU to run them (std::runtime_error).
using TemplateArg = std::variant<int, bool, Dtype>;
using ScalarArg = std::variant<bool, int, float>;
// Inputs, shapes and dtypes of the outputs, grid, thread group, template arguments, initial value,
// verbose, stream.
using CustomKernelFunction = std::function<std::vector<array>(
    const std::vector<array>&, const std::vector<Shape>&, const std::vector<Dtype>&,
    std::tuple<int, int, int>, std::tuple<int, int, int>,
    std::vector<std::pair<std::string, TemplateArg>>, std::optional<float>, bool, StreamOrDevice)>;

namespace detail {

inline CustomKernelFunction refusing_kernel(const char* message) {
  return [message](auto&&...) -> std::vector<array> { throw std::runtime_error(message); };
}

}  // namespace detail

inline CustomKernelFunction metal_kernel(const std::string&, const std::vector<std::string>&,
                                         const std::vector<std::string>&, const std::string&,
                                         const std::string& = "", bool = true, bool = false,
                                         const CompileOptions& = {}) {
  return detail::refusing_kernel(heddle::fast::metal_source_refused);
}
inline CustomKernelFunction cuda_kernel(const std::string&, const std::vector<std::string>&,
                                        const std::vector<std::string>&, const std::string&,
                                        const std::string& = "", bool = true, int = 0) {
  return detail::refusing_kernel(heddle::fast::cuda_source_refused);
}
inline std::vector<array> precompiled_cuda_kernel(
    const std::string&, const std::string&, const std::vector<array>&, const std::vector<Shape>&,
    const std::vector<Dtype>&, const std::vector<ScalarArg>&, std::tuple<int, int, int>,
    std::tuple<int, int, int>, int = 0, std::optional<float> = {}, bool = false,
    StreamOrDevice = {}) {
  throw std::runtime_error(heddle::fast::cuda_binary_refused);
}

}  // namespace mlx::core::fast
