#include "heddle/nn/convolution.h"

#include <fmt/format.h>

#include <cmath>

#include "heddle/nn/init.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/conv.h"
#include "heddle/ops/creation.h"
#include "nn/features.h"

namespace heddle::nn {
namespace {

template <int dims>
std::vector<int> ints(const Sizes<dims>& sizes) {
  return {sizes.begin(), sizes.end()};
}

// Filters (output, kernel..., input), uniform by their fan-in.
template <int dims>
Array draw_filters(int64_t output, const Sizes<dims>& kernel, int64_t input) {
  Shape shape{output};
  double fan = static_cast<double>(input);
  for (int64_t k : kernel) {
    shape.push_back(k);
    fan *= static_cast<double>(k);
  }
  shape.push_back(input);
  double bound = std::sqrt(1 / fan);
  return init::uniform(shape, -bound, bound);
}

int64_t per_group(int64_t channels, int groups) {
  if (groups < 1 || channels % groups != 0) {
    throw std::invalid_argument(fmt::format(
        "The number of input channels ({}) must be divisible by the number of groups ({})",
        channels, groups));
  }
  return channels / groups;
}

std::optional<Array> zero_bias(bool wanted, int64_t channels) {
  if (!wanted) return std::nullopt;
  return zeros({channels});
}

}  // namespace

template <int dims>
Conv<dims>::Conv(int64_t input_channels, int64_t output_channels, Sizes<dims> kernel,
                 Options options)
    : weight(draw_filters(output_channels, kernel, per_group(input_channels, options.groups))),
      bias(zero_bias(options.bias, output_channels)),
      options_(options) {}

template <int dims>
Array Conv<dims>::operator()(const Array& x) {
  check_features("Conv", x, weight.shape(-1) * options_.groups);
  Array y = conv(dims, x, weight, ints(options_.stride), ints(options_.padding),
                 ints(options_.dilation), options_.groups);
  return bias ? y + *bias : y;
}

template <int dims>
ConvTranspose<dims>::ConvTranspose(int64_t input_channels, int64_t output_channels,
                                   Sizes<dims> kernel, Options options)
    : weight(draw_filters(output_channels, kernel, input_channels)),
      bias(zero_bias(options.bias, output_channels)),
      options_(options) {}

template <int dims>
Array ConvTranspose<dims>::operator()(const Array& x) {
  check_features("ConvTranspose", x, weight.shape(-1));
  Array y = conv_transpose(dims, x, weight, ints(options_.stride), ints(options_.padding),
                           ints(options_.dilation), ints(options_.output_padding));
  return bias ? y + *bias : y;
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;
template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

}  // namespace heddle::nn
