// The ways to reduce, shared by the op and its kernels.
#pragma once

#include <cstdint>

namespace heddle {

enum class Reduction : uint8_t { sum, prod, min, max, all, any };
enum class ArgReduction : uint8_t { argmin, argmax };

}  // namespace heddle
