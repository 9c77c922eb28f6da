// Convolutions and their adjoints on (N, spatial..., channels).
#pragma once

#include "heddle/nn/layers.h"

namespace heddle::nn {

template <int dims>
struct ConvOptions {
  Sizes<dims> stride = 1, padding = 0, dilation = 1;
  int groups = 1;
  bool bias = true;
};

// weight (output, kernel..., input / groups), uniform within 1 / sqrt(fan in); the bias starts at
// zero.
template <int dims>
class Conv : public Layer {
 public:
  using Options = ConvOptions<dims>;
  Conv(int64_t input_channels, int64_t output_channels, Sizes<dims> kernel, Options options = {});
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("weight", weight)("bias", bias); }
  Array weight;
  std::optional<Array> bias;

 private:
  Options options_;
};
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

template <int dims>
struct ConvTransposeOptions {
  Sizes<dims> stride = 1, padding = 0, dilation = 1, output_padding = 0;
  bool bias = true;
};

// The stride spreads the input out; weight (output, kernel..., input).
template <int dims>
class ConvTranspose : public Layer {
 public:
  using Options = ConvTransposeOptions<dims>;
  ConvTranspose(int64_t input_channels, int64_t output_channels, Sizes<dims> kernel,
                Options options = {});
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("weight", weight)("bias", bias); }
  Array weight;
  std::optional<Array> bias;

 private:
  Options options_;
};
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

}  // namespace heddle::nn
