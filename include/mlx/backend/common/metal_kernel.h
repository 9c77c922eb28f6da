// How Metal source is compiled: known here, so that programs can say it.
#pragma once

namespace mlx::core {

enum class MathMode { Safe = 0, Relaxed = 1, Fast = 2 };

struct CompileOptions {
  MathMode math_mode = MathMode::Safe;

  CompileOptions() = default;
  CompileOptions(MathMode mode) : math_mode(mode) {}
  bool operator==(const CompileOptions&) const = default;
};

}  // namespace mlx::core
