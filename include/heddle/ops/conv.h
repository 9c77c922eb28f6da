// Convolutions on channels-last arrays: input (N, spatial..., C), weight (O, kernel..., C / groups),
// result (N, spatial..., O), one to three spatial dimensions. Floating dtypes only.
#pragma once

#include <array>
#include <string>

#include "heddle/array.h"

namespace heddle {

// The most general form. Lists have one entry per spatial dimension, or one for all. Padding applies to
// the input after dilation; `flip` reverses the kernel.
Array conv_general(const Array& input, const Array& weight, std::vector<int> stride = {1},
                   std::vector<int> padding_low = {0}, std::vector<int> padding_high = {0},
                   std::vector<int> kernel_dilation = {1}, std::vector<int> input_dilation = {1},
                   int groups = 1, bool flip = false, StreamOrDevice s = {});
// `dims` spatial dimensions, symmetric padding; transposed: the adjoint of the convolution in its input.
Array conv(int dims, const Array& input, const Array& weight, std::vector<int> stride,
           std::vector<int> padding, std::vector<int> dilation, int groups = 1,
           StreamOrDevice s = {});
Array conv_transpose(int dims, const Array& input, const Array& weight, std::vector<int> stride,
                     std::vector<int> padding, std::vector<int> dilation,
                     std::vector<int> output_padding, int groups = 1, StreamOrDevice s = {});
// One-dimensional convolution as numpy's; mode "full", "same" or "valid".
Array convolve(const Array& a, const Array& v, const std::string& mode = "full",
               StreamOrDevice s = {});

}  // namespace heddle
