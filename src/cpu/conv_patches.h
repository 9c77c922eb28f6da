// Convolution by gathering patches and multiplying matrices: any parameters, float64 included.
// What oneDNN has no primitive for runs here.
#pragma once

#include "cpu/conv.h"

namespace heddle::cpu {

// A kernel seen as groups x out x in channels with strides of its own, so that gradients can
// exchange the channels of a grouped weight.
struct GroupedWeight {
  void* data;
  Dtype dtype;
  int64_t groups, out, in;
  int64_t group_stride, out_stride, in_stride;
  Shape kernel;
  Strides kernel_strides;

  bool dense() const;  // (groups, out, kernel..., in) in row-major order
};

// input and out are dense; weight is dense for conv_patches.
void conv_patches(const View& input, const GroupedWeight& weight, const View& out,
                  const ConvParams& params);
void conv_patches_backward_weight(const View& input, const View& out_gradient,
                                  const GroupedWeight& weight_gradient, const ConvParams& params);

}  // namespace heddle::cpu
