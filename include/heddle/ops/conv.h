// Convolutions on channels-last arrays: input (N, spatial..., C), weight (O, kernel..., C /
// groups), result (N, spatial..., O), one to three spatial dimensions. Floating dtypes only.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include "heddle/array.h"

namespace heddle {

// The most general form. Lists have one entry per spatial dimension, or one for all. Padding
// applies to the input after dilation; `flip` reverses the kernel.
Array conv_general(const Array& input, const Array& weight, std::vector<int> stride = {1},
                   std::vector<int> padding_low = {0}, std::vector<int> padding_high = {0},
                   std::vector<int> kernel_dilation = {1}, std::vector<int> input_dilation = {1},
                   int groups = 1, bool flip = false, StreamOrDevice s = {});
// `dims` spatial dimensions, symmetric padding; transposed: the adjoint of the convolution in its
// input.
Array conv(int dims, const Array& input, const Array& weight, std::vector<int> stride,
           std::vector<int> padding, std::vector<int> dilation, int groups = 1,
           StreamOrDevice s = {});
Array conv_transpose(int dims, const Array& input, const Array& weight, std::vector<int> stride,
                     std::vector<int> padding, std::vector<int> dilation,
                     std::vector<int> output_padding, int groups = 1, StreamOrDevice s = {});
// The same by name, with a pair or a triple of numbers for two and three dimensions.
inline Array conv1d(const Array& input, const Array& weight, int stride = 1, int padding = 0,
                    int dilation = 1, int groups = 1, StreamOrDevice s = {}) {
  return conv(1, input, weight, {stride}, {padding}, {dilation}, groups, s);
}
using Extent2 = std::pair<int, int>;
Array conv2d(const Array& input, const Array& weight, const Extent2& stride = {1, 1},
             const Extent2& padding = {0, 0}, const Extent2& dilation = {1, 1}, int groups = 1,
             StreamOrDevice s = {});
using Extent3 = std::tuple<int, int, int>;
Array conv3d(const Array& input, const Array& weight, const Extent3& stride = {1, 1, 1},
             const Extent3& padding = {0, 0, 0}, const Extent3& dilation = {1, 1, 1},
             int groups = 1, StreamOrDevice s = {});
inline Array conv_transpose1d(const Array& input, const Array& weight, int stride = 1,
                              int padding = 0, int dilation = 1, int output_padding = 0,
                              int groups = 1, StreamOrDevice s = {}) {
  return conv_transpose(1, input, weight, {stride}, {padding}, {dilation}, {output_padding}, groups,
                        s);
}
Array conv_transpose2d(const Array& input, const Array& weight, const Extent2& stride = {1, 1},
                       const Extent2& padding = {0, 0}, const Extent2& dilation = {1, 1},
                       const Extent2& output_padding = {0, 0}, int groups = 1,
                       StreamOrDevice s = {});
Array conv_transpose3d(const Array& input, const Array& weight, const Extent3& stride = {1, 1, 1},
                       const Extent3& padding = {0, 0, 0}, const Extent3& dilation = {1, 1, 1},
                       const Extent3& output_padding = {0, 0, 0}, int groups = 1,
                       StreamOrDevice s = {});

// One-dimensional convolution as numpy's; mode "full", "same" or "valid".
Array convolve(const Array& a, const Array& v, const std::string& mode = "full",
               StreamOrDevice s = {});

}  // namespace heddle
