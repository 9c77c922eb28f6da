// Convolutions.
#pragma once

#include <tuple>
#include <utility>
#include <vector>

#include "heddle/ops/conv.h"
#include "mlx/utils.h"

namespace mlx::core {

namespace detail {

// What MLX leaves empty stands for that number in each dimension.
inline std::vector<int> or_else(std::vector<int> given, int otherwise) {
  return given.empty() ? std::vector<int>{otherwise} : std::move(given);
}

}  // namespace detail

inline array conv_general(array input, array weight, std::vector<int> stride = {},
                          std::vector<int> padding_lo = {}, std::vector<int> padding_hi = {},
                          std::vector<int> kernel_dilation = {},
                          std::vector<int> input_dilation = {}, int groups = 1, bool flip = false,
                          StreamOrDevice s = {}) {
  return heddle::conv_general(input, weight, detail::or_else(stride, 1),
                              detail::or_else(padding_lo, 0), detail::or_else(padding_hi, 0),
                              detail::or_else(kernel_dilation, 1),
                              detail::or_else(input_dilation, 1), groups, flip, detail::in(s));
}
inline array conv_general(const array& input, const array& weight, std::vector<int> stride = {},
                          std::vector<int> padding = {}, std::vector<int> kernel_dilation = {},
                          std::vector<int> input_dilation = {}, int groups = 1, bool flip = false,
                          StreamOrDevice s = {}) {
  return conv_general(array(input), array(weight), std::move(stride), padding, padding,
                      std::move(kernel_dilation), std::move(input_dilation), groups, flip, s);
}
inline array conv1d(const array& input, const array& weight, int stride = 1, int padding = 0,
                    int dilation = 1, int groups = 1, StreamOrDevice s = {}) {
  return heddle::conv1d(input, weight, stride, padding, dilation, groups, detail::in(s));
}
inline array conv2d(const array& input, const array& weight,
                    const std::pair<int, int>& stride = {1, 1},
                    const std::pair<int, int>& padding = {0, 0},
                    const std::pair<int, int>& dilation = {1, 1}, int groups = 1,
                    StreamOrDevice s = {}) {
  return heddle::conv2d(input, weight, stride, padding, dilation, groups, detail::in(s));
}
inline array conv3d(const array& input, const array& weight,
                    const std::tuple<int, int, int>& stride = {1, 1, 1},
                    const std::tuple<int, int, int>& padding = {0, 0, 0},
                    const std::tuple<int, int, int>& dilation = {1, 1, 1}, int groups = 1,
                    StreamOrDevice s = {}) {
  return heddle::conv3d(input, weight, stride, padding, dilation, groups, detail::in(s));
}
inline array conv_transpose1d(const array& input, const array& weight, int stride = 1,
                              int padding = 0, int dilation = 1, int output_padding = 0,
                              int groups = 1, StreamOrDevice s = {}) {
  return heddle::conv_transpose1d(input, weight, stride, padding, dilation, output_padding, groups,
                                  detail::in(s));
}
inline array conv_transpose2d(const array& input, const array& weight,
                              const std::pair<int, int>& stride = {1, 1},
                              const std::pair<int, int>& padding = {0, 0},
                              const std::pair<int, int>& dilation = {1, 1},
                              const std::pair<int, int>& output_padding = {0, 0}, int groups = 1,
                              StreamOrDevice s = {}) {
  return heddle::conv_transpose2d(input, weight, stride, padding, dilation, output_padding, groups,
                                  detail::in(s));
}
inline array conv_transpose3d(const array& input, const array& weight,
                              const std::tuple<int, int, int>& stride = {1, 1, 1},
                              const std::tuple<int, int, int>& padding = {0, 0, 0},
                              const std::tuple<int, int, int>& dilation = {1, 1, 1},
                              const std::tuple<int, int, int>& output_padding = {0, 0, 0},
                              int groups = 1, StreamOrDevice s = {}) {
  return heddle::conv_transpose3d(input, weight, stride, padding, dilation, output_padding, groups,
                                  detail::in(s));
}

}  // namespace mlx::core
