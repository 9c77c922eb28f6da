// The ways to reduce, shared by the op and its kernels.
#pragma once

#include <array>
#include <cstdint>

namespace heddle {

enum class Reduction : uint8_t { sum, prod, min, max, all, any };
enum class ArgReduction : uint8_t { argmin, argmax };

constexpr auto enum_names(Reduction) {
  return std::array{"sum", "prod", "min", "max", "all", "any"};
}
constexpr auto enum_names(ArgReduction) { return std::array{"argmin", "argmax"}; }

}  // namespace heddle
