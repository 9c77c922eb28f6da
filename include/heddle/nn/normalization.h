// Normalizations. Channels or features are the last axis; `affine` learns a scale and a shift for
// each. Statistics are computed in float32 or wider, whatever x is; the result has the dtype of x
// and the parameters together. An eps that is not positive throws std::invalid_argument.
#pragma once

#include "heddle/nn/module.h"

namespace heddle::nn {

// Vectors to mean 0 and variance 1.
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(int64_t dims, double eps = 1e-5, bool affine = true, bool with_bias = true);
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("weight", weight)("bias", bias); }
  std::optional<Array> weight, bias;

 private:
  double eps_;
};

// Vectors divided by their root mean square, and scaled.
class RMSNorm : public Layer {
 public:
  explicit RMSNorm(int64_t dims, double eps = 1e-5);
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("weight", weight); }
  Array weight;

 private:
  double eps_;
};

// Every channel of every example over the spatial dimensions.
class InstanceNorm : public Layer {
 public:
  explicit InstanceNorm(int64_t dims, double eps = 1e-5, bool affine = false);
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("weight", weight)("bias", bias); }
  std::optional<Array> weight, bias;

 private:
  double eps_;
};

// Groups of channels of every example: runs of neighbours if `pytorch_compatible`, else channel c
// belongs to group c % groups.
class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t dims, double eps = 1e-5, bool affine = true,
            bool pytorch_compatible = false);
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("bias", bias)("weight", weight); }
  std::optional<Array> weight, bias;

 private:
  int64_t groups_;
  double eps_;
  bool pytorch_compatible_;
};

// Every channel over the batch and the spatial dimensions: in training by the statistics of the
// batch, else by their running averages, which are never trainable.
class BatchNorm : public Layer {
 public:
  explicit BatchNorm(int64_t features, double eps = 1e-5, double momentum = 0.1, bool affine = true,
                     bool track_running_stats = true);
  Array operator()(const Array& x) override;
  void members(Members& m) override {
    m("weight", weight)("bias", bias)("running_mean", running_mean)("running_var", running_var);
  }
  std::optional<Array> weight, bias, running_mean, running_var;

 protected:
  void unfrozen() override { freeze({"running_mean", "running_var"}, false); }

 private:
  int64_t features_;
  double eps_, momentum_;
};

}  // namespace heddle::nn
