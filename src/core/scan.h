// The ways to scan, shared by the op and its kernels.
#pragma once

#include <cstdint>

namespace heddle {

enum class ScanKind : uint8_t { sum, prod, min, max, logaddexp };

}  // namespace heddle
