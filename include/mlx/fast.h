// Kernels in the languages of GPUs, as in Python: they can be described, as programs do when they
// start, and say at the call that there is no GPU to run them (std::runtime_error).
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
#include "mlx/array.h"

namespace heddle::fast {

using TemplateArg = std::variant<int, bool, Dtype>;
using ScalarArg = std::variant<bool, int, float>;
using CompileOptions = std::variant<std::monostate, std::string>;
// Inputs, shapes and dtypes of the outputs, grid, thread group, template arguments, initial value,
// verbose, stream.
using CustomKernelFunction = std::function<Arrays(
    const Arrays&, const std::vector<Shape>&, const std::vector<Dtype>&, std::tuple<int, int, int>,
    std::tuple<int, int, int>, std::vector<std::pair<std::string, TemplateArg>>,
    std::optional<float>, bool, StreamOrDevice)>;

inline CustomKernelFunction refusing_kernel(const char* message) {
  return [message](auto&&...) -> Arrays { throw std::runtime_error(message); };
}
inline CustomKernelFunction metal_kernel(const std::string&, const std::vector<std::string>&,
                                         const std::vector<std::string>&, const std::string&,
                                         const std::string& = "", bool = true, bool = false,
                                         const CompileOptions& = {}) {
  return refusing_kernel(metal_source_refused);
}
inline CustomKernelFunction cuda_kernel(const std::string&, const std::vector<std::string>&,
                                        const std::vector<std::string>&, const std::string&,
                                        const std::string& = "", bool = true, int = 0) {
  return refusing_kernel(cuda_source_refused);
}

}  // namespace heddle::fast
