// Linear and bilinear maps, and dropout.
#include <fmt/format.h>

#include "heddle/nn/functional.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/products.h"
#include "heddle/ops/random.h"
#include "heddle/ops/shape.h"
#include "nn/scalar.h"
#include "nn/shown.h"
#include "nn/wide.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {

Array linear(const Array& x, const Array& weight, const std::optional<Array>& bias) {
  if (weight.ndim() != 2 || x.ndim() == 0 || x.shape(-1) != weight.shape(1)) {
    refuse("linear",
           fmt::format("The weight of shape {} does not fit the last axis of x, which has the "
                       "shape {}.",
                       shown(weight.shape()), shown(x.shape())));
  }
  return bias ? addmm(*bias, x, transpose(weight)) : matmul(x, transpose(weight));
}

Array bilinear(const Array& x1, const Array& x2, const Array& weight,
               const std::optional<Array>& bias) {
  constexpr const char* name = "bilinear";
  if (weight.ndim() != 3 || x1.ndim() == 0 || x2.ndim() == 0 || x1.shape(-1) != weight.shape(2) ||
      x2.shape(-1) != weight.shape(1)) {
    refuse(name,
           fmt::format("The weight of shape {} does not fit the last axes of x1 and x2, which "
                       "have the shapes {} and {}.",
                       shown(weight.shape()), shown(x1.shape()), shown(x2.shape())));
  }
  Shape batch = x1.shape();
  batch.pop_back();
  if (Shape other = x2.shape(); (other.pop_back(), other != batch)) {
    refuse(name, fmt::format("x1 and x2 have one shape but for the last axis, not {} and {}.",
                             shown(x1.shape()), shown(x2.shape())));
  }
  size_read(x1);  // of the batch
  const int64_t output = weight.shape(0), in2 = weight.shape(1), in1 = weight.shape(2);
  // All W_i x1 in one product: (batch, input2, output).
  Array w = reshape(swapaxes(widened_to_float(weight), 0, 1), {in2 * output, in1});
  Array y = matmul(reshape(widened_to_float(x1), {-1, in1}), transpose(w));
  y = matmul(reshape(widened_to_float(x2), {-1, 1, in2}), reshape(y, {-1, in2, output}));
  batch.push_back(output);
  y = reshape(y, batch);
  return rounded(bias ? y + *bias : y, together({x1, x2, weight, bias.value_or(weight)}));
}

Array dropout(const Array& x, double p, int spatial_dims, const random::Key& key) {
  constexpr const char* name = "dropout";
  if (!(p >= 0 && p <= 1)) {
    refuse(name, fmt::format("The probability takes a number in [0, 1] but is {:#}.", p));
  }
  if (spatial_dims < 0 || spatial_dims > std::max(x.ndim() - 1, 0)) {
    refuse(name, fmt::format("The input of shape {} has no {} spatial axes before its channels.",
                             shown(x.shape()), spatial_dims));
  }
  if (p == 0) return x;
  const Array wide = widened_to_float(x);
  if (p == 1) return rounded(zeros_like(wide), x.dtype());
  size_read(x);  // for the numbers to draw
  Shape mask = x.shape();
  for (int i = 0; i < spatial_dims; i++) mask[mask.size() - 2 - static_cast<size_t>(i)] = 1;
  const double kept = 1 - p;
  return rounded(random::bernoulli(Array(kept), mask, key) * wide * scalar(1 / kept, wide),
                 x.dtype());
}

}  // namespace heddle::nn
