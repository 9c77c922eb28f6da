// GPUs, of which this build uses none.
#pragma once

#include "mlx/device.h"

namespace mlx::core::gpu {

inline bool is_available() { return false; }
inline int device_count() { return 0; }
inline const DeviceInfo& device_info(int index = 0) {
  return core::device_info(Device(Device::gpu, index));
}

}  // namespace mlx::core::gpu
