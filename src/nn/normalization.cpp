#include "heddle/nn/normalization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/features.h"
#include "nn/normalized.h"
#include "nn/scalar.h"
#include "nn/wide.h"

namespace heddle::nn {
namespace {

std::vector<int> axes_between(int first, int last) {
  std::vector<int> axes(static_cast<size_t>(last - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

std::optional<Array> ones_if(bool wanted, int64_t dims) {
  if (!wanted) return std::nullopt;
  return ones({dims});
}
std::optional<Array> zeros_if(bool wanted, int64_t dims) {
  if (!wanted) return std::nullopt;
  return zeros({dims});
}

double positive(const char* layer, double eps) {
  if (eps > 0) return eps;
  throw std::invalid_argument(fmt::format("[{}] 'eps' must be positive but got {:#}.", layer, eps));
}

}  // namespace

Array standardized(const Array& x, const Array& mean, const Array& variance, double eps) {
  const Array wide = widened(variance);
  return (x - widened(mean)) * rsqrt(wide + scalar(eps, wide));
}

Standardized standardized_over(const Array& x, const std::vector<int>& axes, double eps) {
  // Times a power of two, which changes no digit: squares that vanish by it are less than 1e-8 of
  // eps, which is added to them.
  const double unit = std::exp2(-std::clamp(std::floor((std::log2(eps) + 98) / 2), 0.0, 40.0));
  const Array centre = mean(x, axes, true), from_centre = x - centre;
  const Array squares = mean(square(from_centre * scalar(unit, x)), axes, true);
  const Array scale = rsqrt(squares + scalar(eps * unit * unit, squares)) * scalar(unit, squares);
  return {from_centre * scale, centre, squares * scalar(1 / (unit * unit), squares)};
}

Array scaled_and_shifted(const Array& y, const Arrays& alike, const std::optional<Array>& weight,
                         const std::optional<Array>& bias) {
  Dtype dtype = alike.at(0).dtype();
  for (const Array& a : alike) dtype = promote_types(dtype, a.dtype());
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

Array moved(const Array& running, const Array& now, double momentum, const Array& x) {
  Array old = widened(running);
  Array out = scalar(1 - momentum, old) * old + scalar(momentum, now) * now;
  return stop_gradient(rounded(out, promote_types(running.dtype(), x.dtype())));
}

LayerNorm::LayerNorm(int64_t dims, double eps, bool affine, bool with_bias)
    : weight(ones_if(affine, dims)),
      bias(zeros_if(affine && with_bias, dims)),
      eps_(positive("LayerNorm", eps)) {}
Array LayerNorm::operator()(const Array& x) {
  if (weight) check_features("LayerNorm", x, weight->size());
  return fast::layer_norm(x, weight, bias, static_cast<float>(eps_));
}

RMSNorm::RMSNorm(int64_t dims, double eps) : weight(ones({dims})), eps_(positive("RMSNorm", eps)) {}
Array RMSNorm::operator()(const Array& x) {
  check_features("RMSNorm", x, weight.size());
  return fast::rms_norm(x, weight, static_cast<float>(eps_));
}

InstanceNorm::InstanceNorm(int64_t dims, double eps, bool affine)
    : weight(ones_if(affine, dims)),
      bias(zeros_if(affine, dims)),
      eps_(positive("InstanceNorm", eps)) {}
Array InstanceNorm::operator()(const Array& x) {
  if (x.ndim() < 3) {
    throw std::invalid_argument(
        fmt::format("InstanceNorm expects inputs with at least 3 dimensions (N, ..., C) but the "
                    "input has {} dimensions.",
                    x.ndim()));
  }
  if (weight) check_features("InstanceNorm", x, weight->size());
  std::vector<int> axes = axes_between(1, x.ndim() - 1);
  Array y = standardized_over(widened_to_float(x), axes, eps_).result;
  return scaled_and_shifted(y, {x}, weight, bias);
}

GroupNorm::GroupNorm(int64_t groups, int64_t dims, double eps, bool affine, bool pytorch_compatible)
    : weight(ones_if(affine, dims)),
      bias(zeros_if(affine, dims)),
      groups_(groups),
      eps_(positive("GroupNorm", eps)),
      pytorch_compatible_(pytorch_compatible) {
  if (groups < 1 || dims < 1) {
    throw std::invalid_argument(fmt::format("The number of {} ({}) must be a positive integer.",
                                            groups < 1 ? "groups" : "features",
                                            groups < 1 ? groups : dims));
  }
  if (dims % groups != 0) {
    throw std::invalid_argument(fmt::format(
        "The number of features ({}) must be evenly divisible by the number of groups ({}).", dims,
        groups));
  }
}
Array GroupNorm::operator()(const Array& x) {
  if (weight) check_features("GroupNorm", x, weight->size());
  Array y;
  if (pytorch_compatible_) {
    // Each group becomes one row for a layer norm.
    int64_t width = x.shape(-1) / groups_;
    Array split = transpose(reshape(widened(x), {x.shape(0), -1, groups_, width}), {0, 2, 1, 3});
    Array rows = fast::layer_norm(reshape(split, {x.shape(0), groups_, -1}), std::nullopt,
                                  std::nullopt, static_cast<float>(eps_));
    y = reshape(transpose(reshape(rows, split.shape()), {0, 2, 1, 3}), x.shape());
  } else {
    Array groups = reshape(widened_to_float(x), {x.shape(0), -1, groups_});
    y = reshape(standardized_over(groups, {1}, eps_).result, x.shape());
  }
  return scaled_and_shifted(y, {x}, weight, bias);
}

BatchNorm::BatchNorm(int64_t features, double eps, double momentum, bool affine,
                     bool track_running_stats)
    : weight(ones_if(affine, features)),
      bias(zeros_if(affine, features)),
      running_mean(zeros_if(track_running_stats, features)),
      running_var(ones_if(track_running_stats, features)),
      eps_(positive("BatchNorm", eps)),
      momentum_(momentum) {
  if (track_running_stats) freeze({"running_mean", "running_var"});
}

Array BatchNorm::operator()(const Array& x) {
  if (x.ndim() < 2 || x.ndim() > 4) {
    throw std::invalid_argument(
        fmt::format("Expected input tensor to have 2, 3 or 4 dimensions, but got {}", x.ndim()));
  }
  if (weight) check_features("BatchNorm", x, weight->size());
  if (running_mean) check_features("BatchNorm", x, running_mean->size());
  if (!training() && running_mean) {
    Array y = standardized(widened(x), *running_mean, *running_var, eps_);
    return scaled_and_shifted(y, {x, *running_mean, *running_var}, weight, bias);
  }
  const int64_t count = x.size() / x.shape(-1);
  if (training() && count == 1) {
    throw std::invalid_argument("BatchNorm training requires more than one value per channel.");
  }
  const Standardized now =
      standardized_over(widened_to_float(x), axes_between(0, x.ndim() - 1), eps_);
  if (training() && running_mean) {
    const double n = static_cast<double>(count);
    running_mean = moved(*running_mean, flatten(now.mean), momentum_, x);
    Array unbiased = flatten(now.variance) * scalar(n / (n - 1), now.variance);
    running_var = moved(*running_var, unbiased, momentum_, x);
  }
  return scaled_and_shifted(now.result, {x}, weight, bias);
}

}  // namespace heddle::nn
