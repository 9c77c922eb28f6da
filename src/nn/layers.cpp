#include "heddle/nn/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "heddle/nn/functional.h"
#include "heddle/nn/init.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/attention.h"
#include "nn/features.h"
#include "ops/checks.h"

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
  if (!quantized()) return linear(x, weight, bias);
  return bias ? times_weight(x) + *bias : times_weight(x);
}

Bilinear::Bilinear(int64_t input1_dims, int64_t input2_dims, int64_t output_dims, bool with_bias) {
  const double bound = bound_for(input1_dims);
  weight = init::uniform({output_dims, input2_dims, input1_dims}, -bound, bound);
  bias = bias_within(with_bias, bound, output_dims);
}
Array Bilinear::operator()(const Array& x1, const Array& x2) {
  check_features("Bilinear", x1, weight.shape(-1), "its first input");
  check_features("Bilinear", x2, weight.shape(-2), "its second input");
  return bilinear(x1, x2, weight, bias);
}

Embedding::Embedding(int64_t count, int64_t dims)
    : QuantizableLayer(init::normal({count, dims}, 0, bound_for(dims))) {}
Array Embedding::operator()(const Array& x) {
  if (is_inexact(x.dtype())) {
    refuse("Embedding", "The layer takes integers, the numbers of rows, but its input is {}.",
           name_of(x.dtype()));
  }
  return rows_of_weight(x);
}
Array Embedding::as_linear(const Array& x) const {
  check_features("Embedding.as_linear", x, columns());
  return times_weight(x);
}

Dropout::Dropout(double p, int spatial_dims) : p_(p), spatial_dims_(spatial_dims) {
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
  return training() ? dropout(x, p_, spatial_dims_) : x;
}

template <int dims, Pooling pooling>
Pool<dims, pooling>::Pool(Sizes<dims> kernel, std::optional<Sizes<dims>> stride,
                          Sizes<dims> padding) {
  auto require = [](const char* name, const Sizes<dims>& sizes, int64_t least, const char* wanted) {
    if (*std::ranges::min_element(sizes) < least) {
      refuse("Pool", "'{}' must be {} but got ({}).", name, wanted, fmt::join(sizes, ", "));
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
    : frequencies_(sinusoidal_frequencies(dims, min_freq, max_freq, full_turns)),
      scale_(scale.value_or(std::sqrt(2.0 / dims))),
      cos_first_(cos_first) {}
Array SinusoidalPositionalEncoding::operator()(const Array& x) {
  return sinusoidal_encoding(x, frequencies_, scale_, cos_first_);
}

Array Sequential::operator()(const Array& x) {
  Array y = x;
  for (const auto& layer : layers) y = (*layer)(y);
  return y;
}

}  // namespace heddle::nn
