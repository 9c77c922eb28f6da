// Activations as layers, for Sequential and as members. A plain function serves there too:
// Sequential(Linear(2, 8), relu).
#pragma once

#include <string>

#include "heddle/nn/activations.h"
#include "heddle/nn/layers.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/reduce.h"

namespace heddle::nn {

// An activation without settings.
template <Array (*function)(const Array&)>
class Activation : public Layer {
 public:
  Array operator()(const Array& x) override { return function(x); }
};
using ReLU = Activation<relu>;
using ReLU2 = Activation<relu2>;
using ReLU6 = Activation<relu6>;
using SELU = Activation<selu>;
using SiLU = Activation<silu>;
using Mish = Activation<mish>;
using Softplus = Activation<softplus>;
using Softsign = Activation<softsign>;
using Hardswish = Activation<hardswish>;
using LogSigmoid = Activation<log_sigmoid>;

class Sigmoid : public Layer {
 public:
  Array operator()(const Array& x) override { return sigmoid(x); }
};
class Tanh : public Layer {
 public:
  Array operator()(const Array& x) override { return tanh(x); }
};

// Activations with one number.
template <Array (*function)(const Array&, double)>
class ScaledActivation : public Layer {
 public:
  explicit ScaledActivation(double value) : value_(value) {}
  Array operator()(const Array& x) override { return function(x, value_); }

 private:
  double value_;
};
class LeakyReLU : public ScaledActivation<leaky_relu> {
 public:
  explicit LeakyReLU(double negative_slope = 0.01) : ScaledActivation(negative_slope) {}
};
class ELU : public ScaledActivation<elu> {
 public:
  explicit ELU(double alpha = 1.0) : ScaledActivation(alpha) {}
};
class CELU : public ScaledActivation<celu> {
 public:
  explicit CELU(double alpha = 1.0) : ScaledActivation(alpha) {}
};
class Softshrink : public ScaledActivation<softshrink> {
 public:
  explicit Softshrink(double lambda = 0.5) : ScaledActivation(lambda) {}
};
class HardShrink : public ScaledActivation<hard_shrink> {
 public:
  explicit HardShrink(double lambda = 0.5) : ScaledActivation(lambda) {}
};
class Step : public ScaledActivation<step> {
 public:
  explicit Step(double threshold = 0.0) : ScaledActivation(threshold) {}
};

class HardTanh : public Layer {
 public:
  explicit HardTanh(double lowest = -1.0, double highest = 1.0)
      : lowest_(lowest), highest_(highest) {}
  Array operator()(const Array& x) override { return hard_tanh(x, lowest_, highest_); }

 private:
  double lowest_, highest_;
};

// Along the last axis, or that of GLU.
class Softmax : public Layer {
 public:
  Array operator()(const Array& x) override { return softmax(x, -1); }
};
class Softmin : public Layer {
 public:
  Array operator()(const Array& x) override { return softmin(x); }
};
class LogSoftmax : public Layer {
 public:
  Array operator()(const Array& x) override { return log_softmax(x); }
};
class GLU : public Layer {
 public:
  explicit GLU(int axis = -1) : axis_(axis) {}
  Array operator()(const Array& x) override { return glu(x, axis_); }

 private:
  int axis_;
};

// The slope below zero is learnt, one for all or one for each feature of the last axis.
class PReLU : public Layer {
 public:
  explicit PReLU(int64_t count = 1, double initial = 0.25);
  Array operator()(const Array& x) override { return prelu(x, weight); }
  void members(Members& m) override { m("weight", weight); }
  Array weight;
};

// `approximation`: "none" for gelu, "precise" or "tanh" for gelu_approx, "fast" for
// gelu_fast_approx; another throws std::invalid_argument.
class GELU : public Layer {
 public:
  explicit GELU(const std::string& approximation = "none");
  Array operator()(const Array& x) override { return function_(x); }

 private:
  Array (*function_)(const Array&);
};

}  // namespace heddle::nn
