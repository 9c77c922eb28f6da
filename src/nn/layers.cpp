#include "heddle/nn/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "heddle/nn/functional.h"
#include "heddle/nn/init.h"
#include "nn/features.h"
#include "nn/scalar.h"
#include "nn/wide.h"

namespace heddle::nn {
namespace {

double bound_for(int64_t dims) { return std::sqrt(1.0 / static_cast<double>(dims)); }

std::optional<Array> bias_within(bool wanted, double bound, int64_t dims) {
  if (!wanted) return std::nullopt;
  return init::uniform({dims}, -bound, bound);
}

}  // namespace

Linear::Linear(int64_t input_dims, int64_t output_dims, bool with_bias)
    : QuantizableLayer(
          init::uniform({output_dims, input_dims}, -bound_for(input_dims), bound_for(input_dims))),
      bias(bias_within(with_bias, bound_for(input_dims), output_dims)) {}
Array Linear::operator()(const Array& x) {
  check_features("Linear", x, columns());
  if (!bias) return times_weight(x);
  return quantized() ? times_weight(x) + *bias : addmm(*bias, x, transpose(weight));
}

Bilinear::Bilinear(int64_t input1_dims, int64_t input2_dims, int64_t output_dims, bool with_bias) {
  const double bound = bound_for(input1_dims);
  weight = init::uniform({output_dims, input2_dims, input1_dims}, -bound, bound);
  bias = bias_within(with_bias, bound, output_dims);
}
Array Bilinear::operator()(const Array& x1, const Array& x2) {
  check_features("Bilinear", x1, weight.shape(-1), "its first input");
  check_features("Bilinear", x2, weight.shape(-2), "its second input");
  Array y = einsum("...i,oji,...j->...o", {widened(x1), widened(weight), widened(x2)});
  const Dtype dtype = together({x1, x2, weight, bias.value_or(weight)});
  return rounded(bias ? y + widened(*bias) : y, dtype);
}

Embedding::Embedding(int64_t count, int64_t dims)
    : QuantizableLayer(init::normal({count, dims}, 0, bound_for(dims))) {}
Array Embedding::operator()(const Array& x) {
  if (is_inexact(x.dtype())) {
    throw std::invalid_argument(
        fmt::format("[Embedding] The layer takes integers, the numbers of rows, but its input is "
                    "{}.",
                    name_of(x.dtype())));
  }
  return rows_of_weight(x);
}
Array Embedding::as_linear(const Array& x) const {
  check_features("Embedding.as_linear", x, columns());
  return times_weight(x);
}

Dropout::Dropout(double p, int spatial_dims) : keep_(1 - p), spatial_dims_(spatial_dims) {
  if (p < 0 || p >= 1) {
    throw std::invalid_argument(fmt::format("The dropout probability {:#} is not in [0, 1)", p));
  }
}
Array Dropout::operator()(const Array& x) {
  if (spatial_dims_ > 0 && x.ndim() != spatial_dims_ + 1 && x.ndim() != spatial_dims_ + 2) {
    throw std::invalid_argument(
        fmt::format("Received input with {} dimensions. Expected {} or {} dimensions.", x.ndim(),
                    spatial_dims_ + 1, spatial_dims_ + 2));
  }
  if (!training() || keep_ == 1) return x;
  Shape mask = x.shape();
  for (int i = 0; i < spatial_dims_; i++) mask[mask.size() - 2 - static_cast<size_t>(i)] = 1;
  Array wide = widened(x);
  return rounded(random::bernoulli(Array(keep_), mask) * wide * scalar(1 / keep_, wide), x.dtype());
}

template <int dims, Pooling pooling>
Pool<dims, pooling>::Pool(Sizes<dims> kernel, std::optional<Sizes<dims>> stride,
                          Sizes<dims> padding) {
  auto require = [](const char* name, const Sizes<dims>& sizes, int64_t least, const char* wanted) {
    if (*std::ranges::min_element(sizes) < least) {
      throw std::invalid_argument(fmt::format("[Pool] '{}' must be {} but got ({}).", name, wanted,
                                              fmt::join(sizes, ", ")));
    }
  };
  const Sizes<dims> steps = stride.value_or(kernel);
  require("kernel_size", kernel, 1, "positive");
  require("stride", steps, 1, "positive");
  require("padding", padding, 0, "non-negative");
  windows_.kernel = Shape(kernel.begin(), kernel.end());
  windows_.stride = Shape(steps.begin(), steps.end());
  for (int64_t p : padding) windows_.padding.emplace_back(p, p);
}

template <int dims, Pooling pooling>
Array Pool<dims, pooling>::operator()(const Array& x) {
  return pooling == Pooling::max ? max_pool(x, windows_) : average_pool(x, windows_);
}
template class Pool<1, Pooling::max>;
template class Pool<2, Pooling::max>;
template class Pool<3, Pooling::max>;
template class Pool<1, Pooling::average>;
template class Pool<2, Pooling::average>;
template class Pool<3, Pooling::average>;

Array RoPE::operator()(const Array& x, int offset) {
  return fast::rope(x, dims_, traditional_, static_cast<float>(base_), static_cast<float>(scale_),
                    Array(offset));
}

SinusoidalPositionalEncoding::SinusoidalPositionalEncoding(int dims, double min_freq,
                                                           double max_freq,
                                                           std::optional<double> scale,
                                                           bool cos_first, bool full_turns)
    : scale_(scale.value_or(std::sqrt(2.0 / dims))), cos_first_(cos_first) {
  if (dims <= 0 || dims % 2 != 0) {
    throw std::invalid_argument(fmt::format(
        "[SinusoidalPositionalEncoding] dims must be positive and even but got {}.", dims));
  }
  const int half = dims / 2;
  const double lowest = std::log(min_freq), highest = std::log(max_freq);
  std::vector<float> values;
  for (int i = 0; i < half; i++) {
    double position = 1 - static_cast<double>(i) / std::max(half - 1, 1);
    double turn = full_turns ? 2 * std::numbers::pi : 1;
    values.push_back(static_cast<float>(std::exp(position * (highest - lowest) + lowest) * turn));
  }
  frequencies_ = Array(values.begin(), Shape{half});
}
Array SinusoidalPositionalEncoding::operator()(const Array& x) {
  Array angles = expand_dims(x, -1) * frequencies_;
  Arrays waves{sin(angles), cos(angles)};
  if (cos_first_) std::swap(waves[0], waves[1]);
  Array y = concatenate(waves, -1);
  return scale_ == 1 ? y : y * scalar(scale_, y);
}

Array Sequential::operator()(const Array& x) {
  Array y = x;
  for (const auto& layer : layers) y = (*layer)(y);
  return y;
}

}  // namespace heddle::nn
