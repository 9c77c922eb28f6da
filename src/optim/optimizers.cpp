// The formulas of the optimizers, with the names of the papers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "heddle/nn/distributed.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/products.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "heddle/optim.h"
#include "nn/scalar.h"
#include "nn/wide.h"

namespace heddle::optim {
namespace {

using nn::scalar;

void require(bool holds, const char* optimizer, const char* name, const char* wanted,
             double value) {
  if (holds) return;
  throw std::invalid_argument(
      fmt::format("{} {} should be {}, {} was provided instead", optimizer, name, wanted, value));
}
void check_betas(const char* optimizer, double beta1, double beta2) {
  require(beta1 >= 0 && beta1 < 1, optimizer, "beta1", "in [0, 1)", beta1);
  require(beta2 >= 0 && beta2 < 1, optimizer, "beta2", "in [0, 1)", beta2);
}

// An exponentially weighted average: the part `keep` of the old and the rest of the new.
Array average(const Array& old, const Array& now, double keep) {
  return scalar(keep, old) * old + scalar(1 - keep, now) * now;
}
Array average(const Array& old, const Array& now, const Array& keep) {
  return keep * old + (scalar(1, keep) - keep) * now;
}

// Of what counts only where it is above 1e-6 or so. By a power of two, which changes no digit, so
// that squares of float32 do not overflow.
Array root_mean_square(const Array& x) {
  return sqrt(mean(square(x * scalar(0x1p-40, x)))) * scalar(0x1p40, x);
}

Array decayed(const Array& parameter, const Array& lr, double weight_decay) {
  return parameter * (scalar(1, lr) - lr * scalar(weight_decay, lr));
}

}  // namespace

namespace {

// What is remembered of a step in float32. A float16 stops at its largest number: were an average
// infinite once, no later step would ever move the parameter.
Array remembered(const Array& wide, Dtype dtype) {
  constexpr double largest = 65504;
  if (dtype != float16) return nn::rounded(wide, dtype);
  return astype(clip(wide, scalar(-largest, wide), scalar(largest, wide)), dtype);
}

}  // namespace

// Halves are rounded to the dtypes that they would have without float32 in between.
Array Optimizer::apply_single(const Array& gradient, const Array& parameter, State& state,
                              const Array& rate, const Array& step) const {
  Dtype dtype = promote_types(gradient.dtype(), parameter.dtype());
  const State before = state;
  State wide;
  for (const auto& [name, array] : before) {
    dtype = promote_types(dtype, array.dtype());
    wide[name] = nn::widened(array);
  }
  state = wide;
  Array out = formula(nn::widened(gradient), nn::widened(parameter), state, rate, step);
  for (const auto& [name, array] : before) {
    Array& now = state[name];
    const bool changed = now.node() != wide[name].node();
    now = changed ? remembered(now, promote_types(array.dtype(), gradient.dtype())) : array;
  }
  return nn::rounded(out, dtype);
}
Array Optimizer::formula(const Array&, const Array&, State&, const Array&, const Array&) const {
  throw std::logic_error("[optimizer] An optimizer overrides apply_single or formula.");
}

SGD::SGD(const Rate& rate, const Options& options) : Optimizer(rate), options_(options) {
  if (options.nesterov && (options.momentum <= 0 || options.dampening != 0)) {
    throw std::invalid_argument("Nesterov momentum requires a momentum and zero dampening.");
  }
}
State SGD::init_single(const Array& parameter) const { return {{"v", zeros_like(parameter)}}; }
Array SGD::formula(const Array& gradient, const Array& parameter, State& state, const Array& rate,
                   const Array&) const {
  const Options& o = options_;
  Array g = gradient;
  if (o.weight_decay != 0) g = g + scalar(o.weight_decay, parameter) * parameter;
  Array lr = astype(rate, g.dtype());
  if (o.momentum <= 0) return parameter - lr * g;
  Array& v = state["v"];
  Array damped = o.dampening > 0 ? scalar(1 - o.dampening, g) * g : g;
  v = scalar(o.momentum, v) * v + damped;
  return parameter - lr * (o.nesterov ? g + scalar(o.momentum, v) * v : v);
}

RMSprop::RMSprop(const Rate& rate, double alpha, double eps)
    : Optimizer(rate), alpha_(alpha), eps_(eps) {
  require(alpha >= 0, "RMSprop", "alpha", ">=0", alpha);
  require(eps > 0, "RMSprop", "epsilon", ">0", eps);
}
State RMSprop::init_single(const Array& parameter) const { return {{"v", zeros_like(parameter)}}; }
Array RMSprop::formula(const Array& gradient, const Array& parameter, State& state,
                       const Array& rate, const Array&) const {
  Array& v = state["v"];
  v = average(v, square(gradient), alpha_);
  return parameter - astype(rate, gradient.dtype()) * gradient / (sqrt(v) + scalar(eps_, v));
}

Adagrad::Adagrad(const Rate& rate, double eps) : Optimizer(rate), eps_(eps) {
  require(eps > 0, "Adagrad", "epsilon", ">0", eps);
}
State Adagrad::init_single(const Array& parameter) const { return {{"v", zeros_like(parameter)}}; }
Array Adagrad::formula(const Array& gradient, const Array& parameter, State& state,
                       const Array& rate, const Array&) const {
  Array& v = state["v"];
  v = v + square(gradient);
  return parameter - astype(rate, gradient.dtype()) * gradient / (sqrt(v) + scalar(eps_, v));
}

AdaDelta::AdaDelta(const Rate& rate, double rho, double eps)
    : Optimizer(rate), rho_(rho), eps_(eps) {
  require(rho >= 0, "AdaDelta", "rho", ">=0", rho);
  require(eps > 0, "AdaDelta", "epsilon", ">0", eps);
}
State AdaDelta::init_single(const Array& parameter) const {
  return {{"u", zeros_like(parameter)}, {"v", zeros_like(parameter)}};
}
Array AdaDelta::formula(const Array& gradient, const Array& parameter, State& state,
                        const Array& rate, const Array&) const {
  Array &v = state["v"], &u = state["u"];
  v = average(v, square(gradient), rho_);
  Array d = sqrt(u + scalar(eps_, u)) / sqrt(v + scalar(eps_, v)) * gradient;
  u = average(u, square(d), rho_);
  return parameter - astype(rate, gradient.dtype()) * d;
}

Adam::Adam(const Rate& rate, const Options& options) : Optimizer(rate), options_(options) {
  check_betas("Adam", options.beta1, options.beta2);
  require(options.eps >= 0, "Adam", "epsilon", ">=0", options.eps);
}
State Adam::init_single(const Array& parameter) const {
  return {{"m", zeros_like(parameter)}, {"v", zeros_like(parameter)}};
}
Array Adam::formula(const Array& gradient, const Array& parameter, State& state, const Array& rate,
                    const Array& step) const {
  const Options& o = options_;
  Array lr = astype(rate, gradient.dtype());
  Array start = weight_decay_ != 0 ? decayed(parameter, lr, weight_decay_) : parameter;
  Array &m = state["m"], &v = state["v"];
  m = average(m, gradient, o.beta1);
  v = average(v, square(gradient), o.beta2);
  if (!o.bias_correction) return start - lr * m / (sqrt(v) + scalar(o.eps, v));
  // Factors of m and of sqrt(v) that make up for both starting at zero; that of m holds the rate.
  auto missing = [&](double beta) {
    return Array(1.f) - power(Array(beta), astype(step, float32));
  };
  const Dtype dtype = gradient.dtype();
  Array of_m = astype(lr / missing(o.beta1), dtype);
  Array of_v = astype(rsqrt(missing(o.beta2)), dtype);
  return start - of_m * m / (sqrt(v) * of_v + scalar(o.eps, v));
}

Array Adamax::formula(const Array& gradient, const Array& parameter, State& state,
                      const Array& rate, const Array&) const {
  Array &m = state["m"], &v = state["v"];
  m = average(m, gradient, options_.beta1);
  v = maximum(scalar(options_.beta2, v) * v, abs(gradient));
  return parameter - astype(rate, gradient.dtype()) * m / (v + scalar(options_.eps, v));
}

Lion::Lion(const Rate& rate, double beta1, double beta2, double weight_decay)
    : Optimizer(rate), beta1_(beta1), beta2_(beta2), weight_decay_(weight_decay) {
  check_betas("Lion", beta1, beta2);
}
State Lion::init_single(const Array& parameter) const { return {{"m", zeros_like(parameter)}}; }
Array Lion::formula(const Array& gradient, const Array& parameter, State& state, const Array& rate,
                    const Array&) const {
  Array lr = astype(rate, gradient.dtype());
  Array& m = state["m"];
  Array direction = sign(average(m, gradient, beta1_));
  m = average(m, gradient, beta2_);
  Array start = weight_decay_ > 0 ? decayed(parameter, lr, weight_decay_) : parameter;
  return start - lr * direction;
}

State Adafactor::init_single(const Array& parameter) const {
  State state;
  if (parameter.ndim() >= 2) {
    Shape row = parameter.shape(), column = parameter.shape();
    row.erase(row.begin() + parameter.ndim() - 1);
    column.erase(column.begin() + parameter.ndim() - 2);
    state["exp_avg_sq_row"] = zeros(row, parameter.dtype());
    state["exp_avg_sq_col"] = zeros(column, parameter.dtype());
  } else {
    state["exp_avg_sq"] = zeros_like(parameter);
  }
  if (options_.beta1) state["exp_avg"] = zeros_like(parameter);
  return state;
}
Array Adafactor::formula(const Array& gradient, const Array& parameter, State& state,
                         const Array& given_rate, const Array& step) const {
  const Options& o = options_;
  const Array steps = astype(step, float32);
  Array rate = given_rate;
  if (o.relative_step) {
    Array highest = o.warmup_init ? Array(1e-6) * steps : Array(1e-2);
    rate = minimum(highest, rsqrt(steps));
  }
  rate = astype(rate, parameter.dtype());
  if (o.scale_parameter) {
    Array scale = root_mean_square(parameter);
    rate = rate * maximum(scalar(o.eps2, scale), scale);
  }
  Array keep = astype(Array(1.f) - power(steps, Array(o.decay_rate)), gradient.dtype());
  // So that no sum of squares is infinite: one element's would stop, or spoil, all others.
  const double largest = gradient.dtype() == float64 ? std::numeric_limits<double>::max()
                                                     : std::numeric_limits<float>::max();
  const Array most =
      scalar(largest / static_cast<double>(std::max<int64_t>(gradient.size(), 1)), gradient);
  Array squares = minimum(square(gradient) + scalar(o.eps1, gradient), most), update;
  if (gradient.ndim() < 2) {
    Array& all = state["exp_avg_sq"];
    all = average(all, squares, keep);
    update = rsqrt(all) * gradient;
  } else {
    // The average square is taken to be the product of its marginals.
    Array &row = state["exp_avg_sq_row"], &column = state["exp_avg_sq_col"];
    row = average(row, mean(squares, {-1}), keep);
    column = average(column, mean(squares, {-2}), keep);
    Array row_factor = rsqrt(row / mean(row, {-1}, true));
    update = expand_dims(row_factor, -1) * expand_dims(rsqrt(column), -2) * gradient;
  }
  Array excess = root_mean_square(update) / scalar(o.clip_threshold, update);
  update = rate * (update / maximum(scalar(1, excess), excess));
  if (o.beta1) {
    Array& m = state["exp_avg"];
    m = average(m, update, *o.beta1);
    update = m;
  }
  return (o.weight_decay != 0 ? decayed(parameter, rate, o.weight_decay) : parameter) - update;
}

namespace {

// A matrix with the singular vectors of `given` and singular values near 1: the quintic iteration
// of Jordan et al., on the side with fewer rows.
Array orthogonalized(const Array& given, int steps) {
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  const bool tall = given.shape(-2) > given.shape(-1);
  Array x = tall ? transpose(given) : given;
  // Divided by the largest first, if that is above 1, for the squares not to overflow.
  Array unit = maximum(max(abs(x)), scalar(1, x));
  x = x / unit;
  Array norm = sqrt(sum(square(x)));
  x = x / (norm + scalar(1e-7, norm) / unit);
  for (int i = 0; i < steps; i++) {
    Array gram = matmul(x, transpose(x));
    Array polynomial = addmm(scalar(b, gram) * gram, gram, gram, static_cast<float>(c), 1.0f);
    x = scalar(a, x) * x + matmul(polynomial, x);
  }
  return tall ? transpose(x) : x;
}

}  // namespace

State Muon::init_single(const Array& parameter) const { return {{"v", zeros_like(parameter)}}; }
Array Muon::formula(const Array& gradient, const Array& parameter, State& state, const Array& rate,
                    const Array&) const {
  const Options& o = options_;
  Array g = gradient;
  if (o.weight_decay != 0) g = g + scalar(o.weight_decay, parameter) * parameter;
  Array& v = state["v"];
  v = average(v, g, o.momentum);
  Array update = o.nesterov ? average(v, g, o.momentum) : v;
  Array lr = astype(rate, g.dtype());
  if (update.ndim() >= 2) {
    const Shape shape = update.shape();
    update = reshape(orthogonalized(reshape(update, {shape[0], -1}), o.ns_steps), shape);
    const double ratio =
        static_cast<double>(update.shape(-2)) / static_cast<double>(update.shape(-1));
    lr = lr * scalar(std::sqrt(std::max(1.0, ratio)), lr);
  }
  return parameter - lr * update;
}

std::pair<Parameters, Array> clip_grad_norm(const Parameters& gradients, double max_norm) {
  return nn::clip_grad_norm_sharded(gradients, max_norm);
}

}  // namespace heddle::optim
