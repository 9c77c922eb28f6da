// MLX's fences, by which streams wait for each other. heddle has none: see below.
#pragma once

namespace mlx::core {

class Fence {
 public:
  template <class... T>
  explicit Fence(T&&...) {
    static_assert(sizeof...(T) > 999, "results are complete when eval_cpu returns: no fences");
  }
};

}  // namespace mlx::core
