// The layers of heddle/nn/normalization.h: parameters for the functions of normalization.cpp.
#include <fmt/format.h>

#include "heddle/nn/functional.h"
#include "heddle/nn/normalization.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/norm.h"
#include "nn/features.h"
#include "ops/checks.h"

namespace heddle::nn {
namespace {

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
  refuse(layer, "'eps' must be positive but got {:#}.", eps);
}

}  // namespace

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
  return instance_norm(x, weight, bias, eps_);
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
  return group_norm(x, groups_, weight, bias, eps_,
                    pytorch_compatible_ ? Grouping::runs : Grouping::strided);
}

BatchNorm::BatchNorm(int64_t features, double eps, double momentum, bool affine,
                     bool track_running_stats)
    : weight(ones_if(affine, features)),
      bias(zeros_if(affine, features)),
      running_mean(zeros_if(track_running_stats, features)),
      running_var(ones_if(track_running_stats, features)),
      features_(features),
      eps_(positive("BatchNorm", eps)),
      momentum_(momentum) {
  if (track_running_stats) freeze({"running_mean", "running_var"});
}

Array BatchNorm::operator()(const Array& x) {
  if (x.ndim() < 2 || x.ndim() > 4) {
    throw std::invalid_argument(
        fmt::format("Expected input tensor to have 2, 3 or 4 dimensions, but got {}", x.ndim()));
  }
  check_features("BatchNorm", x, features_);
  if (training() && x.size() == features_) {
    throw std::invalid_argument("BatchNorm training requires more than one value per channel.");
  }
  std::optional<RunningStatistics> running;
  if (running_mean) running = {*running_mean, *running_var};
  BatchNormed found = batch_norm(x, running, weight, bias, {training(), momentum_, eps_});
  if (training() && running_mean) {
    running_mean = found.running.mean;
    running_var = found.running.variance;
  }
  return found.result;
}

}  // namespace heddle::nn
