// Normalizations as functions: see heddle/nn/functional.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heddle/nn/functional.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/norm.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "nn/scalar.h"
#include "nn/shown.h"
#include "nn/wide.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {
namespace {

using Optional = std::optional<Array>;

std::vector<int> axes_between(int first, int last) {
  std::vector<int> axes(static_cast<size_t>(last - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

void check_eps(const char* name, double eps) {
  if (eps > 0) return;
  refuse(name, fmt::format("'eps' must be positive but got {:#}.", eps));
}

void check_rank(const char* name, const Array& x, int least) {
  if (x.ndim() >= least) return;
  refuse(name,
         fmt::format("The input has at least {} axes, the last one of channels, but its shape "
                     "is {}.",
                     least, shown(x.shape())));
}

// One number for each channel: a single one would be broadcast.
void check_channels(const char* name, const char* what, const Optional& a, const Array& x) {
  if (!a || a->size() == x.shape(-1)) return;
  refuse(name,
         fmt::format("The {} of shape {} does not fit the channels, which are the last axis of "
                     "the input of shape {}.",
                     what, shown(a->shape()), shown(x.shape())));
}

// (x - mean) / sqrt(variance + eps), not rounded.
Array standardized(const Array& x, const Array& mean, const Array& variance, double eps) {
  const Array wide = widened(variance);
  return (x - widened(mean)) * rsqrt(wide + scalar(eps, wide));
}

// The same with the mean and variance of x itself, a wide array: it is widened once, for its
// gradient to be rounded once, too. The axes are kept, with one element.
struct Standardized {
  Array result, mean, variance;
};
Standardized standardized_over(const Array& x, const std::vector<int>& axes, double eps) {
  // Times a power of two, which changes no digit: squares that vanish by it are less than 1e-8 of
  // eps, which is added to them.
  const double unit = std::exp2(-std::clamp(std::floor((std::log2(eps) + 98) / 2), 0.0, 40.0));
  const Array centre = mean(x, axes, true), from_centre = x - centre;
  const Array squares = mean(square(from_centre * scalar(unit, x)), axes, true);
  const Array scale = rsqrt(squares + scalar(eps * unit * unit, squares)) * scalar(unit, squares);
  return {from_centre * scale, centre, squares * scalar(1 / (unit * unit), squares)};
}

// y times the weight plus the bias, if there are any, in the dtype of `alike` and these together.
Array scaled_and_shifted(const Array& y, std::initializer_list<Array> alike, const Optional& weight,
                         const Optional& bias) {
  Dtype dtype = together(alike);
  Array out = y;
  if (weight) {
    out = widened(*weight) * out;
    dtype = promote_types(dtype, weight->dtype());
  }
  if (bias) {
    out = out + widened(*bias);
    dtype = promote_types(dtype, bias->dtype());
  }
  return rounded(out, dtype);
}

// A running average of a statistic of x after one more value of it. No gradient passes.
Array moved(const Array& running, const Array& now, double momentum, const Array& x) {
  const Array old = widened(running);
  const Array out = scalar(1 - momentum, old) * old + scalar(momentum, now) * now;
  return stop_gradient(rounded(out, promote_types(running.dtype(), x.dtype())));
}

// Rows of an example, (batch, n, m), as it was; whatever the size of the batch.
Array shaped_as(const Array& x, const Array& rows) {
  return unflatten(flatten(rows, 1), 1, Shape(x.shape().begin() + 1, x.shape().end()));
}

// Groups of neighbouring channels: each becomes one row for a layer norm.
Array normalized_runs(const Array& x, int64_t groups, double eps) {
  Array y = unflatten(x, -1, {groups, -1});
  if (x.ndim() == 2) {
    y = expand_dims(y, 1);
  } else if (x.ndim() > 3) {
    y = flatten(y, 1, -3);
  }
  Array rows = flatten(transpose(y, {0, 2, 1, 3}), 2, 3);
  rows = fast::layer_norm(rows, std::nullopt, std::nullopt, static_cast<float>(eps));
  y = transpose(unflatten(rows, 2, {-1, x.shape(-1) / groups}), {0, 2, 1, 3});
  return shaped_as(x, flatten(y, 2, 3));
}

// Groups of every `groups`-th channel.
Array normalized_strided(const Array& x, int64_t groups, double eps) {
  const Array y = unflatten(flatten(x, 1), 1, {-1, groups});
  return shaped_as(x, standardized_over(y, {1}, eps).result);
}

}  // namespace

Array instance_norm(const Array& x, const Optional& weight, const Optional& bias, double eps) {
  constexpr const char* name = "instance_norm";
  check_eps(name, eps);
  check_rank(name, x, 3);
  check_channels(name, "weight", weight, x);
  check_channels(name, "bias", bias, x);
  const std::vector<int> axes = axes_between(1, x.ndim() - 1);
  return scaled_and_shifted(standardized_over(widened_to_float(x), axes, eps).result, {x}, weight,
                            bias);
}

Array group_norm(const Array& x, int64_t groups, const Optional& weight, const Optional& bias,
                 double eps, Grouping grouping) {
  constexpr const char* name = "group_norm";
  check_eps(name, eps);
  check_rank(name, x, 2);
  if (groups < 1 || x.shape(-1) % groups != 0) {
    refuse(name,
           fmt::format("The channels, which are the last axis of the input of shape {}, do not "
                       "make {} groups.",
                       shown(x.shape()), groups));
  }
  check_channels(name, "weight", weight, x);
  check_channels(name, "bias", bias, x);
  size_read(x);  // of the spatial axes
  const Array wide = widened_to_float(x);
  const Array y = grouping == Grouping::runs ? normalized_runs(wide, groups, eps)
                                             : normalized_strided(wide, groups, eps);
  return scaled_and_shifted(y, {x}, weight, bias);
}

BatchNormed batch_norm(const Array& x, const std::optional<RunningStatistics>& running,
                       const Optional& weight, const Optional& bias,
                       const BatchNormOptions& options) {
  constexpr const char* name = "batch_norm";
  check_eps(name, options.eps);
  check_rank(name, x, 2);
  check_channels(name, "weight", weight, x);
  check_channels(name, "bias", bias, x);
  if (running) {
    check_channels(name, "mean", running->mean, x);
    check_channels(name, "variance", running->variance, x);
  }
  const Array wide = widened_to_float(x);
  if (running && !options.training) {
    const Array y = standardized(wide, running->mean, running->variance, options.eps);
    return {scaled_and_shifted(y, {x, running->mean, running->variance}, weight, bias), *running};
  }
  const int64_t channels = x.shape(-1), count = channels == 0 ? 0 : x.size() / channels;
  if (options.training && count == 1) {
    refuse(name, "Training takes more than one value for each channel.");
  }
  const Standardized now = standardized_over(wide, axes_between(0, x.ndim() - 1), options.eps);
  BatchNormed out{scaled_and_shifted(now.result, {x}, weight, bias), {}};
  if (running) {
    size_read(x);  // for the unbiased variance
    const auto n = static_cast<double>(count);
    const Array unbiased = flatten(now.variance) * scalar(n / (n - 1), now.variance);
    out.running = {moved(running->mean, flatten(now.mean), options.momentum, x),
                   moved(running->variance, unbiased, options.momentum, x)};
  }
  return out;
}

}  // namespace heddle::nn
