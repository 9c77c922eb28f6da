// CUDA, which this build does not have.
#pragma once

#include "mlx/device.h"

namespace mlx::core::cu {

inline bool is_available() { return false; }
inline const DeviceInfo& device_info(int index = 0) {
  return core::device_info(Device(Device::gpu, index));
}

}  // namespace mlx::core::cu
