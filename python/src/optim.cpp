// The private submodule heddle.core._optim: the formulas of heddle::optim. Each function takes the
// gradient, the parameter, the dictionary of what is remembered of it (which it brings up to date),
// the learning rate and the step, and returns the new parameter.
#include "heddle/optim.h"

#include "bind.h"
#include "nn.h"

namespace heddle::python {
namespace {

struct Single {
  Array gradient, parameter;
  nb::dict state;
  Array rate, step;
};

Array apply_single(const optim::Optimizer& optimizer, const Single& s) {
  optim::State state;
  for (auto [name, value] : s.state) {
    if (is_array(value)) state[nb::cast<std::string>(name)] = array_of(value);
  }
  Array out = optimizer.apply_single(s.gradient, s.parameter, state, s.rate, s.step);
  for (auto& [name, array] : state) s.state[name.c_str()] = wrap(array);
  return out;
}

// Binds a function (gradient, parameter, state, rate, step, options...) for an optimizer that
// `make` makes from the options.
template <class... Options, class Make>
void bind_formula(nb::module_& m, const char* name, Make make) {
  m.def(name, [make](const Array& gradient, const Array& parameter, nb::dict state,
                     const std::optional<Array>& rate, const Array& step, Options... options) {
    return apply_single(make(options...),
                        {gradient, parameter, state, rate.value_or(Array()), step});
  });
}

}  // namespace

void bind_optim(nb::module_& parent) {
  using namespace optim;
  nb::module_ m = add_submodule(parent, "_optim", "What heddle.optimizers stands on.");
  const Rate given = 0.0;  // the rate comes with every call
  bind_formula<double, double, double, bool>(
      m, "sgd", [=](double momentum, double weight_decay, double dampening, bool nesterov) {
        return SGD(given, {momentum, weight_decay, dampening, nesterov});
      });
  bind_formula<double, double>(
      m, "rmsprop", [=](double alpha, double eps) { return RMSprop(given, alpha, eps); });
  bind_formula<double>(m, "adagrad", [=](double eps) { return Adagrad(given, eps); });
  bind_formula<double, double>(m, "adadelta",
                               [=](double rho, double eps) { return AdaDelta(given, rho, eps); });
  using Factors = std::optional<std::pair<Array, Array>>;
  bind_formula<double, double, double, bool, double, Factors>(
      m, "adam",
      [=](double beta1, double beta2, double eps, bool bias_correction, double weight_decay,
          const Factors& factors) {
        AdamW adam(given, {beta1, beta2, eps, bias_correction, weight_decay});
        if (factors) adam.share({factors->first, factors->second});
        return adam;
      });
  m.def("adam_corrections", [](const Array& gradient, const Array& rate, const Array& step,
                               double beta1, double beta2) {
    const Adam::Corrections c = Adam::corrections(rate, step, beta1, beta2, gradient.dtype());
    return nb::make_tuple(wrap(c.m), wrap(c.v));
  });
  bind_formula<double, double, double>(m, "adamax", [=](double beta1, double beta2, double eps) {
    return Adamax(given, {.beta1 = beta1, .beta2 = beta2, .eps = eps});
  });
  bind_formula<double, double, double>(m, "lion",
                                       [=](double beta1, double beta2, double weight_decay) {
                                         return Lion(given, beta1, beta2, weight_decay);
                                       });
  bind_formula<double, double, double, double, std::optional<double>, double, bool, bool, bool>(
      m, "adafactor",
      [](double eps1, double eps2, double clip_threshold, double decay_rate,
         std::optional<double> beta1, double weight_decay, bool scale_parameter, bool relative_step,
         bool warmup_init) {
        return Adafactor({eps1, eps2, clip_threshold, decay_rate, beta1, weight_decay,
                          scale_parameter, relative_step, warmup_init});
      });
  bind_formula<double, double, bool, int>(
      m, "muon", [=](double momentum, double weight_decay, bool nesterov, int ns_steps) {
        return Muon(given, {momentum, weight_decay, nesterov, ns_steps});
      });
}

}  // namespace heddle::python
