// MLX's events, by which streams wait for each other. heddle has none: see below.
#pragma once

namespace mlx::core {

class Event {
 public:
  template <class... T>
  explicit Event(T&&...) {
    static_assert(sizeof...(T) > 999, "results are complete when eval_cpu returns: no events");
  }
};

}  // namespace mlx::core
