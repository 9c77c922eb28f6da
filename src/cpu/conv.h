// Convolutions of one to three spatial dimensions on channels-last arrays, and their gradients.
#pragma once

#include "core/view.h"

namespace heddle::cpu {

// Per spatial dimension. With input_dilation d the input is read as if d - 1 zeros stood between
// its elements; padding (which may be negative, cutting elements off) applies after that. `flip`
// reverses the kernel along its spatial dimensions.
struct ConvParams {
  Shape strides, low, high, kernel_dilation, input_dilation;
  int groups = 1;
  bool flip = false;
};

// out (N, spatial'..., O) = input (N, spatial..., C) * weight (O, kernel..., C / groups).
// float16, bfloat16, float32 or float64 throughout, summed in float32 (float64 for float64). out is
// row-contiguous and overlaps no operand; input and weight may have any strides (other than dense
// ones are copied). out's spatial extents follow from the rest: (d (n - 1) + 1 + low + high -
// (kernel_dilation (k - 1) + 1)) / stride + 1. Threads share the work; thread-safe.
void conv(const View& input, const View& weight, const View& out, const ConvParams& params);

// The gradient of conv with regard to its input, given that of its result.
void conv_backward_input(const View& out_gradient, const View& weight, const View& input_gradient,
                         const ConvParams& params);

// The same with regard to its weight.
void conv_backward_weight(const View& input, const View& out_gradient, const View& weight_gradient,
                          const ConvParams& params);

}  // namespace heddle::cpu
