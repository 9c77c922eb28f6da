// Resizing of the spatial dimensions of (N, spatial..., C).
#pragma once

#include <string>
#include <vector>

#include "heddle/nn/module.h"

namespace heddle::nn {

enum class Interpolation { nearest, linear, cubic };
Interpolation interpolation_from(const std::string& name);  // "nearest", "linear" or "cubic"

struct UpsampleOptions {
  Interpolation mode = Interpolation::nearest;
  // Linear and cubic: the outermost samples of output and input coincide. Otherwise samples stand
  // for areas, whose borders coincide.
  bool align_corners = false;
  // Linear and cubic, factors below 1: smooth before samples are left out, as PyTorch and PIL do.
  bool antialias = false;
};

// Sizes are multiplied by `scales`, one for each spatial dimension, and rounded down. Interpolation
// is separable, and computed in float32 at least.
Array upsample(const Array& x, const std::vector<double>& scales,
               const UpsampleOptions& options = {});

// Channels become space: (..., height, width, channels factor^2) to (..., height factor,
// width factor, channels). Of the factor^2 neighbours that stand for one channel, the first
// `factor` are the first row of its square. Other numbers of channels throw std::invalid_argument.
Array pixel_shuffle(const Array& x, int factor);

class PixelShuffle : public Layer {
 public:
  explicit PixelShuffle(int upscale_factor) : factor_(upscale_factor) {}
  Array operator()(const Array& x) override { return pixel_shuffle(x, factor_); }

 private:
  int factor_;
};

// Options that contradict each other, inputs without spatial dimensions and numbers of factors that
// do not fit throw std::invalid_argument.
class Upsample : public Layer {
 public:
  explicit Upsample(double scale, const UpsampleOptions& options = {});  // of every dimension
  explicit Upsample(std::vector<double> scales, const UpsampleOptions& options = {});
  Array operator()(const Array& x) override;

 private:
  std::vector<double> scales_;
  bool same_for_all_;
  UpsampleOptions options_;
};

}  // namespace heddle::nn
