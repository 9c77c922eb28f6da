// Metal, which this build does not have.
#pragma once

#include <stdexcept>
#include <string>

#include "mlx/device.h"

namespace mlx::core::metal {

inline bool is_available() { return false; }
// Traces of a GPU: there is none.
inline void start_capture(std::string = "") {}
inline void stop_capture() {}
// Throws std::runtime_error, as MLX does without Metal.
inline const DeviceInfo& device_info() {
  throw std::runtime_error("[metal::device_info] Cannot get device info without metal backend.");
}
inline void set_metallib_path(const std::string&) {}
inline const std::string& get_metallib_path() {
  throw std::runtime_error("[metal::get_metallib_path] There is no Metal library without Metal.");
}

}  // namespace mlx::core::metal
