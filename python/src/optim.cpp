// The private submodule heddle.core._optim: the formulas of heddle::optim. A formula is an
// optimizer without a rate, which comes with every update.
#include <nanobind/stl/shared_ptr.h>

#include "bind.h"
#include "nn.h"
#include "nn/clip.h"
#include "optim/update.h"

namespace heddle::python {
namespace {

using Formula = std::shared_ptr<optim::Optimizer>;

// One update of many parameters.
struct Update {
  Formula formula;
  optim::Update update;

  Update(Formula f, const std::optional<Array>& rate, const Array& step)
      : formula(std::move(f)), update(*formula, rate.value_or(Array()), step) {}

  nb::object operator()(const Array& gradient, const Array& parameter, nb::dict state) {
    optim::State arrays;
    for (auto [name, value] : state) {
      if (is_array(value)) arrays[nb::cast<std::string>(name)] = array_of(value);
    }
    Array out = update(gradient, parameter, arrays);
    for (auto& [name, array] : arrays) state[name.c_str()] = wrap(std::move(array));
    return wrap(std::move(out));
  }
};

// Binds a function from an optimizer's options to its formula.
template <class... Options, class Make>
void bind_formula(nb::module_& m, const char* name, Make make) {
  m.def(name, [make](Options... options) -> Formula {
    using Optimizer = decltype(make(options...));
    return std::make_shared<Optimizer>(make(options...));
  });
}

}  // namespace

void bind_optim(nb::module_& parent) {
  using namespace optim;
  nb::module_ m = add_submodule(parent, "_optim", "What heddle.optimizers stands on.");
  nb::class_<Optimizer>(m, "Formula");
  nb::class_<python::Update>(m, "Update", "One update of many parameters by a formula.")
      .def(nb::init<Formula, const std::optional<Array>&, const Array&>(), "formula"_a,
           "rate"_a.none(), "step"_a)
      .def("__call__", &python::Update::operator(), "gradient"_a, "parameter"_a, "state"_a,
           "The new parameter; the dictionary of its state is brought up to date.");
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
  bind_formula<double, double, double, bool, double>(
      m, "adam",
      [=](double beta1, double beta2, double eps, bool bias_correction, double weight_decay) {
        return AdamW(given, {beta1, beta2, eps, bias_correction, weight_decay});
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
  m.def(
      "clipped",
      [](const Arrays& gradients, nb::handle max_norm, const distributed::Group& group) {
        auto [scaled, norm] = nn::clipped(gradients, to_operand(max_norm), group);
        nb::list arrays;
        for (Array& a : scaled) arrays.append(wrap(std::move(a)));
        return nb::make_tuple(arrays, wrap(std::move(norm)));
      },
      "gradients"_a, "max_norm"_a, "group"_a,
      "The gradients, scaled down where their norm exceeds a limit, and that norm.");
}

}  // namespace heddle::python
