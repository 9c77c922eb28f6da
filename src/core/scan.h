// The ways to scan, shared by the op and its kernels.
#pragma once

#include <array>
#include <cstdint>

namespace heddle {

enum class ScanKind : uint8_t { sum, prod, min, max, logaddexp };

constexpr auto enum_names(ScanKind) { return std::array{"sum", "prod", "min", "max", "logaddexp"}; }

}  // namespace heddle
