#include "heddle/nn/normalization.h"

#include <fmt/format.h>

#include <numeric>

#include "heddle/ops.h"
#include "nn/features.h"
#include "nn/scalar.h"

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

Array normalized(const Array& x, const Array& mean, const Array& variance, double eps) {
  return (x - mean) * rsqrt(variance + scalar(eps, variance));
}

Array scale_and_shift(const Array& x, const std::optional<Array>& weight,
                      const std::optional<Array>& bias) {
  return weight ? *weight * x + *bias : x;
}

}  // namespace

LayerNorm::LayerNorm(int64_t dims, double eps, bool affine, bool with_bias)
    : weight(ones_if(affine, dims)), bias(zeros_if(affine && with_bias, dims)), eps_(eps) {}
Array LayerNorm::operator()(const Array& x) {
  if (weight) check_features("LayerNorm", x, weight->size());
  return fast::layer_norm(x, weight, bias, static_cast<float>(eps_));
}

RMSNorm::RMSNorm(int64_t dims, double eps) : weight(ones({dims})), eps_(eps) {}
Array RMSNorm::operator()(const Array& x) {
  check_features("RMSNorm", x, weight.size());
  return fast::rms_norm(x, weight, static_cast<float>(eps_));
}

InstanceNorm::InstanceNorm(int64_t dims, double eps, bool affine)
    : weight(ones_if(affine, dims)), bias(zeros_if(affine, dims)), eps_(eps) {}
Array InstanceNorm::operator()(const Array& x) {
  if (x.ndim() < 3) {
    throw std::invalid_argument(
        fmt::format("InstanceNorm expects inputs with at least 3 dimensions (N, ..., C) but the "
                    "input has {} dimensions.",
                    x.ndim()));
  }
  if (weight) check_features("InstanceNorm", x, weight->size());
  std::vector<int> axes = axes_between(1, x.ndim() - 1);
  return scale_and_shift(normalized(x, mean(x, axes, true), var(x, axes, true), eps_), weight,
                         bias);
}

GroupNorm::GroupNorm(int64_t groups, int64_t dims, double eps, bool affine, bool pytorch_compatible)
    : weight(ones_if(affine, dims)),
      bias(zeros_if(affine, dims)),
      groups_(groups),
      eps_(eps),
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
    Array split = transpose(reshape(x, {x.shape(0), -1, groups_, width}), {0, 2, 1, 3});
    Array rows = fast::layer_norm(reshape(split, {x.shape(0), groups_, -1}), std::nullopt,
                                  std::nullopt, static_cast<float>(eps_));
    y = reshape(transpose(reshape(rows, split.shape()), {0, 2, 1, 3}), x.shape());
  } else {
    Array groups = reshape(x, {x.shape(0), -1, groups_});
    y = reshape(normalized(groups, mean(groups, {1}, true), var(groups, {1}, true), eps_),
                x.shape());
  }
  return scale_and_shift(y, weight, bias);
}

BatchNorm::BatchNorm(int64_t features, double eps, double momentum, bool affine,
                     bool track_running_stats)
    : weight(ones_if(affine, features)),
      bias(zeros_if(affine, features)),
      running_mean(zeros_if(track_running_stats, features)),
      running_var(ones_if(track_running_stats, features)),
      eps_(eps),
      momentum_(momentum) {
  if (track_running_stats) freeze({"running_mean", "running_var"});
}

std::pair<Array, Array> BatchNorm::statistics(const Array& x) {
  if (!training() && running_mean) return {*running_mean, *running_var};
  const int64_t count = x.size() / x.shape(-1);
  if (training() && count == 1) {
    throw std::invalid_argument("BatchNorm training requires more than one value per channel.");
  }
  std::vector<int> axes = axes_between(0, x.ndim() - 1);
  Array m = mean(x, axes), v = var(x, axes);
  if (training() && running_mean) {
    auto moved = [&](const Array& old, const Array& now) {
      return scalar(1 - momentum_, old) * old + scalar(momentum_, now) * now;
    };
    const double n = static_cast<double>(count);
    running_mean = stop_gradient(moved(*running_mean, m));
    running_var = stop_gradient(moved(*running_var, v * scalar(n / (n - 1), v)));
  }
  return {m, v};
}

Array BatchNorm::operator()(const Array& x) {
  if (x.ndim() < 2 || x.ndim() > 4) {
    throw std::invalid_argument(
        fmt::format("Expected input tensor to have 2, 3 or 4 dimensions, but got {}", x.ndim()));
  }
  if (weight) check_features("BatchNorm", x, weight->size());
  if (running_mean) check_features("BatchNorm", x, running_mean->size());
  auto [m, v] = statistics(x);
  return scale_and_shift(normalized(x, m, v, eps_), weight, bias);
}

}  // namespace heddle::nn
