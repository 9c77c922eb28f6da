// Groups of processes: here, of one (heddle/distributed.h).
#pragma once

#include <functional>
#include <string>

#include "heddle/distributed.h"
#include "mlx/array.h"

namespace mlx::core::distributed {

struct Group {
  Group(heddle::distributed::Group group) : group_(group) {}
  operator heddle::distributed::Group() const { return group_; }

  int rank() const { return group_.rank(); }
  int size() const { return group_.size(); }
  // Always throws std::runtime_error: one process cannot be divided.
  Group split(int color, int key = -1) const { return group_.split(color, key); }
  template <class T = void>
  void raw_group() const {
    static_assert(!std::is_same_v<T, T>, "a group of one process has no implementation to show");
  }

 private:
  heddle::distributed::Group group_;
};

inline bool is_available() { return heddle::distributed::is_available(); }
inline bool is_available(const std::string& backend) {
  return heddle::distributed::is_available(backend);
}
inline Group init(bool strict = false, const std::string& backend = "any") {
  return heddle::distributed::init(strict, backend);
}

using AllGatherFn = std::function<void(const char*, char*, size_t)>;
using AllGatherFactory = std::function<AllGatherFn(int, int)>;
template <class Factory>
Group init(bool, const std::string&, Factory) {
  static_assert(!std::is_same_v<Factory, Factory>, "heddle does not connect processes");
  return init(true);
}
inline void clear_backends() {}

}  // namespace mlx::core::distributed
