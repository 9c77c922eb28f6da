// Devices: this build computes on the CPU.
#pragma once

#include <ostream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>

#include "heddle/device.h"
#include "mlx/api.h"

namespace mlx::core {

struct Device {
  enum class DeviceType { cpu, gpu };
  static constexpr DeviceType cpu = DeviceType::cpu;
  static constexpr DeviceType gpu = DeviceType::gpu;

  Device(DeviceType kind, int number = 0) : type(kind), index(number) {}
  Device(const heddle::Device& d)
      : type(d.type == heddle::Device::cpu ? cpu : gpu), index(d.index) {}
  operator heddle::Device() const {
    return {type == cpu ? heddle::Device::cpu : heddle::Device::gpu, index};
  }

  DeviceType type;
  int index;

  bool operator==(const Device&) const = default;
  bool operator<(const Device& other) const {
    return std::tie(type, index) < std::tie(other.type, other.index);
  }
};

inline bool operator==(const Device& device, Device::DeviceType type) {
  return device.type == type;
}

// The reference holds until the calling thread asks again.
inline const Device& default_device() {
  thread_local Device current(Device::cpu);
  return current = heddle::default_device();
}
inline void set_default_device(const Device& d) { heddle::set_default_device(d); }
inline bool is_available(const Device& d) { return heddle::is_available(d); }
inline int device_count(Device::DeviceType type) {
  return heddle::device_count(heddle::Device(Device(type)).type);
}

using DeviceInfo = std::unordered_map<std::string, std::variant<std::string, size_t>>;
// What is known of a device: architecture and device_name; of one that is not there nothing.
inline const DeviceInfo& device_info(const Device& d = default_device()) {
  static const DeviceInfo none, cpu = [] {
    heddle::DeviceInfo known = heddle::device_info();
    return DeviceInfo{{"architecture", known.architecture}, {"device_name", known.name}};
  }();
  return d == Device::cpu ? cpu : none;
}

inline std::ostream& operator<<(std::ostream& stream, const Device& d) {
  return stream << heddle::Device(d);
}

}  // namespace mlx::core
