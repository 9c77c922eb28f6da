// Optimizers: they change the parameters of a module by their gradients, as MLX's Python package
// does. What an optimizer remembers of a parameter is made when it first meets it. Computations are
// lazy: evaluate the module's parameters and the optimizer's state after each step.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/nn/module.h"

namespace heddle::optim {

using nn::Parameters;

// From the number of updates made so far (uint64) to a setting.
using Schedule = std::function<Array(const Array& step)>;
using Rate = std::variant<double, Schedule>;

// What is remembered of one parameter, by name.
using State = std::map<std::string, Array>;

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // Changes the parameters that the gradients name.
  void update(nn::Module& model, const Parameters& gradients);
  // The same without a module: the new parameters, in the order of the gradients.
  virtual Parameters apply_gradients(const Parameters& gradients, const Parameters& parameters);

  // Makes what is remembered of the parameters that are not known yet; the first update does this
  // too.
  virtual void init(const Parameters& parameters);

  const Array& step() const { return step_; }  // how many updates were made
  virtual Array learning_rate() const { return rate_; }
  virtual void set_learning_rate(const Rate& rate);

  // Everything that is remembered: "step", "learning_rate" and "<parameter>.<name>".
  virtual Parameters state() const;
  virtual void set_state(const Parameters& state);

  // One parameter: what to remember of it at the start, and its new value. The latter is a formula
  // that depends on nothing else and looks at no values: parameters of one shape may share it.
  virtual State init_single(const Array& parameter) const = 0;
  virtual Array apply_single(const Array& gradient, const Array& parameter, State& state,
                             const Array& rate, const Array& step) const;

 protected:
  Optimizer() = default;
  explicit Optimizer(const Rate& rate) { Optimizer::set_learning_rate(rate); }

  // What apply_single computes, unless that is overridden, in float32 where the arrays are halves:
  // a square that a half cannot hold does no harm on the way to the results, which keep the dtypes.
  virtual Array formula(const Array& gradient, const Array& parameter, State& state,
                        const Array& rate, const Array& step) const;

 private:
  Array step_ = Array(0, uint64);
  Array rate_;  // empty if the optimizer has none
  Schedule schedule_;
  std::map<std::string, State> states_;
};

// v' = momentum v + (1 - dampening) g, w' = w - rate v'; the weight decay is added to the gradient.
class SGD : public Optimizer {
 public:
  struct Options {
    double momentum = 0, weight_decay = 0, dampening = 0;
    bool nesterov = false;
  };
  SGD(const Rate& rate, const Options& options);
  explicit SGD(const Rate& rate) : SGD(rate, Options{}) {}
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  Options options_;
};

// v' = alpha v + (1 - alpha) g^2, w' = w - rate g / (sqrt(v') + eps)
class RMSprop : public Optimizer {
 public:
  explicit RMSprop(const Rate& rate, double alpha = 0.99, double eps = 1e-8);
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  double alpha_, eps_;
};

// v' = v + g^2, w' = w - rate g / (sqrt(v') + eps)
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(const Rate& rate, double eps = 1e-8);
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  double eps_;
};

// Updates scaled by the ratio of the averages of squared updates and squared gradients (Zeiler,
// 2012).
class AdaDelta : public Optimizer {
 public:
  explicit AdaDelta(const Rate& rate, double rho = 0.9, double eps = 1e-6);
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  double rho_, eps_;
};

// m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g^2, w' = w - rate m' / (sqrt(v') + eps)
class Adam : public Optimizer {
 public:
  struct Options {
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    bool bias_correction = false;
  };
  Adam(const Rate& rate, const Options& options);
  explicit Adam(const Rate& rate) : Adam(rate, Options{}) {}
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;
  Options options_;
  double weight_decay_ = 0;
};

// Adam that decays w by the factor 1 - rate weight_decay first (Loshchilov and Hutter, 2019).
class AdamW : public Adam {
 public:
  struct Options {
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    bool bias_correction = false;
    double weight_decay = 0.01;
  };
  AdamW(const Rate& rate, const Options& options)
      : Adam(rate, {options.beta1, options.beta2, options.eps, options.bias_correction}) {
    weight_decay_ = options.weight_decay;
  }
  explicit AdamW(const Rate& rate) : AdamW(rate, Options{}) {}
};

// v' = max(b2 v, |g|), w' = w - rate m' / (v' + eps)
class Adamax : public Adam {
 public:
  Adamax(const Rate& rate, const Options& options) : Adam(rate, options) {}
  explicit Adamax(const Rate& rate) : Adam(rate) {}

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;
};

// By the sign of b1 m + (1 - b1) g (Chen et al., 2023).
class Lion : public Optimizer {
 public:
  explicit Lion(const Rate& rate, double beta1 = 0.9, double beta2 = 0.99, double weight_decay = 0);
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  double beta1_, beta2_, weight_decay_;
};

// Squared gradients remembered by rows and columns (Shazeer and Stern, 2018).
class Adafactor : public Optimizer {
 public:
  struct Options {
    double eps1 = 1e-30, eps2 = 1e-3;  // beside squared gradients; the least scale of a parameter
    double clip_threshold = 1.0, decay_rate = -0.8;
    std::optional<double> beta1;
    double weight_decay = 0;
    bool scale_parameter = true, relative_step = true, warmup_init = false;
  };
  explicit Adafactor(const Options& options) : options_(options) {}
  Adafactor() : Adafactor(Options{}) {}
  Adafactor(const Rate& rate, const Options& options) : Optimizer(rate), options_(options) {}
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  Options options_;
};

// Momentum whose matrices are made orthogonal by Newton-Schulz iterations (Jordan et al., 2024).
class Muon : public Optimizer {
 public:
  struct Options {
    double momentum = 0.95, weight_decay = 0.01;
    bool nesterov = true;
    int ns_steps = 5;
  };
  Muon(const Rate& rate, const Options& options) : Optimizer(rate), options_(options) {}
  explicit Muon(const Rate& rate) : Muon(rate, Options{}) {}
  State init_single(const Array& parameter) const override;

 protected:
  Array formula(const Array&, const Array&, State&, const Array&, const Array&) const override;

 private:
  Options options_;
};

// Several optimizers: the first whose filter says yes takes a parameter, otherwise the last. The
// learning rate is that of the first and is set for all; the state of each is under "states.<i>.".
class MultiOptimizer : public Optimizer {
 public:
  using Filter = std::function<bool(const std::string& path, const Array& gradient)>;
  // One filter fewer than optimizers; std::invalid_argument otherwise.
  MultiOptimizer(std::vector<std::shared_ptr<Optimizer>> optimizers, std::vector<Filter> filters);
  void init(const Parameters& parameters) override;
  Parameters apply_gradients(const Parameters& gradients, const Parameters& parameters) override;
  Array learning_rate() const override { return optimizers_[0]->learning_rate(); }
  void set_learning_rate(const Rate& rate) override;
  Parameters state() const override;
  void set_state(const Parameters& state) override;
  State init_single(const Array& parameter) const override;
  Array apply_single(const Array&, const Array&, State&, const Array&, const Array&) const override;
  const std::vector<std::shared_ptr<Optimizer>>& optimizers() const { return optimizers_; }

 private:
  std::vector<Parameters> divided(const Parameters& parameters) const;
  std::vector<std::shared_ptr<Optimizer>> optimizers_;
  std::vector<Filter> filters_;
};

// What the optimizer remembers as state of a compiled function. The optimizer must outlive it.
CapturedState captured(Optimizer& optimizer);

// Gradients scaled down where their norm, taken over all together, exceeds a limit; and that norm.
std::pair<Parameters, Array> clip_grad_norm(const Parameters& gradients, double max_norm);

Schedule exponential_decay(double init, double decay_rate);
Schedule step_decay(double init, double decay_rate, int step_size);
Schedule cosine_decay(double init, int decay_steps, double end = 0.0);
Schedule linear_schedule(double init, double end, int steps);
// One after the other; `boundaries` are the steps at which all but the first begin.
Schedule join_schedules(std::vector<Schedule> schedules, std::vector<int> boundaries);

}  // namespace heddle::optim
