// The private submodule heddle.core._nn: the functions of heddle::nn that the Python package's
// layers stand on. Names, defaults and documentation are those of the Python functions that call
// these.
#include "nn.h"

#include "bind.h"
#include "heddle/nn/activations.h"
#include "heddle/nn/init.h"
#include "heddle/nn/losses.h"
#include "heddle/nn/upsample.h"

namespace heddle::python {
namespace {

void bind_activations(nb::module_& m) {
  using Plain = Array (*)(const Array&);
  const std::pair<const char*, Plain> plain[] = {
      {"relu", nn::relu},
      {"relu2", nn::relu2},
      {"relu6", nn::relu6},
      {"selu", nn::selu},
      {"silu", nn::silu},
      {"gelu", nn::gelu},
      {"gelu_approx", nn::gelu_approx},
      {"gelu_fast_approx", nn::gelu_fast_approx},
      {"mish", nn::mish},
      {"softplus", nn::softplus},
      {"softsign", nn::softsign},
      {"hardswish", nn::hardswish},
      {"log_sigmoid", nn::log_sigmoid},
  };
  for (auto [name, function] : plain) {
    m.def(
        name, [function](nb::handle x) { return function(to_operand(x)); }, "x"_a);
  }
  using Scaled = Array (*)(const Array&, double);
  const std::pair<const char*, Scaled> scaled[] = {
      {"leaky_relu", nn::leaky_relu}, {"elu", nn::elu},   {"celu", nn::celu},
      {"softshrink", nn::softshrink}, {"step", nn::step}, {"hard_shrink", nn::hard_shrink},
  };
  for (auto [name, function] : scaled) {
    m.def(
        name, [function](nb::handle x, double value) { return function(to_operand(x), value); },
        "x"_a, "value"_a);
  }
  using AlongAxis = Array (*)(const Array&, int);
  const std::pair<const char*, AlongAxis> along_axis[] = {
      {"softmin", nn::softmin}, {"log_softmax", nn::log_softmax}, {"glu", nn::glu}};
  for (auto [name, function] : along_axis) {
    m.def(
        name, [function](nb::handle x, int axis) { return function(to_operand(x), axis); }, "x"_a,
        "axis"_a);
  }
  m.def(
      "prelu",
      [](nb::handle x, nb::handle alpha) {
        auto [a, b] = to_operands(x, alpha);
        return nn::prelu(a, b);
      },
      "x"_a, "alpha"_a);
  m.def("hard_tanh", &nn::hard_tanh, "x"_a, "lowest"_a, "highest"_a);
}

void bind_losses(nb::module_& m) {
  using namespace nn::losses;
  m.def(
      "cross_entropy",
      [](const Array& logits, const Array& targets, const Weights& weights, int axis,
         double label_smoothing, const std::string& reduction) {
        return cross_entropy(logits, targets, weights, axis, label_smoothing,
                             reduction_from(reduction));
      },
      "logits"_a, "targets"_a, "weights"_a.none(), "axis"_a, "label_smoothing"_a, "reduction"_a);
  m.def(
      "binary_cross_entropy",
      [](const Array& inputs, const Array& targets, const Weights& weights, bool with_logits,
         const std::string& reduction) {
        return binary_cross_entropy(inputs, targets, weights, with_logits,
                                    reduction_from(reduction));
      },
      "inputs"_a, "targets"_a, "weights"_a.none(), "with_logits"_a, "reduction"_a);

  using Pair = Array (*)(const Array&, const Array&, Reduction);
  const std::pair<const char*, Pair> pairs[] = {
      {"l1_loss", l1_loss},
      {"mse_loss", mse_loss},
      {"hinge_loss", hinge_loss},
      {"log_cosh_loss", log_cosh_loss},
  };
  for (auto [name, function] : pairs) {
    m.def(
        name,
        [function](const Array& x, const Array& y, const std::string& reduction) {
          return function(x, y, reduction_from(reduction));
        },
        "x"_a, "y"_a, "reduction"_a);
  }
  using PairAlongAxis = Array (*)(const Array&, const Array&, int, Reduction);
  const std::pair<const char*, PairAlongAxis> along_axis[] = {{"nll_loss", nll_loss},
                                                              {"kl_div_loss", kl_div_loss}};
  for (auto [name, function] : along_axis) {
    m.def(
        name,
        [function](const Array& x, const Array& y, int axis, const std::string& reduction) {
          return function(x, y, axis, reduction_from(reduction));
        },
        "x"_a, "y"_a, "axis"_a, "reduction"_a);
  }
  using PairWithBound = Array (*)(const Array&, const Array&, double, Reduction);
  const std::pair<const char*, PairWithBound> bounded[] = {{"smooth_l1_loss", smooth_l1_loss},
                                                           {"huber_loss", huber_loss}};
  for (auto [name, function] : bounded) {
    m.def(
        name,
        [function](const Array& x, const Array& y, double bound, const std::string& reduction) {
          return function(x, y, bound, reduction_from(reduction));
        },
        "x"_a, "y"_a, "bound"_a, "reduction"_a);
  }
  m.def(
      "gaussian_nll_loss",
      [](const Array& inputs, const Array& targets, const Array& variances, bool full, double eps,
         const std::string& reduction) {
        return gaussian_nll_loss(inputs, targets, variances, full, eps, reduction_from(reduction));
      },
      "inputs"_a, "targets"_a, "vars"_a, "full"_a, "eps"_a, "reduction"_a);
  m.def(
      "triplet_loss",
      [](const Array& anchors, const Array& positives, const Array& negatives, int axis, double p,
         double margin, double eps, const std::string& reduction) {
        return triplet_loss(anchors, positives, negatives, axis, p, margin, eps,
                            reduction_from(reduction));
      },
      "anchors"_a, "positives"_a, "negatives"_a, "axis"_a, "p"_a, "margin"_a, "eps"_a,
      "reduction"_a);
  m.def(
      "cosine_similarity_loss",
      [](const Array& x1, const Array& x2, int axis, double eps, const std::string& reduction) {
        return cosine_similarity_loss(x1, x2, axis, eps, reduction_from(reduction));
      },
      "x1"_a, "x2"_a, "axis"_a, "eps"_a, "reduction"_a);
  m.def(
      "margin_ranking_loss",
      [](const Array& x1, const Array& x2, const Array& targets, double margin,
         const std::string& reduction) {
        return margin_ranking_loss(x1, x2, targets, margin, reduction_from(reduction));
      },
      "inputs1"_a, "inputs2"_a, "targets"_a, "margin"_a, "reduction"_a);
}

// Each makes an array of the shape of `a`.
void bind_initializers(nb::module_& m) {
  namespace init = nn::init;
  m.def(
      "init_identity", [](const Array& a, Dtype dtype) { return init::identity(a.shape(), dtype); },
      "a"_a, "dtype"_a);
  m.def(
      "init_glorot_normal",
      [](const Array& a, double gain, Dtype dtype) {
        return init::glorot_normal(a.shape(), gain, dtype);
      },
      "a"_a, "gain"_a, "dtype"_a);
  m.def(
      "init_glorot_uniform",
      [](const Array& a, double gain, Dtype dtype) {
        return init::glorot_uniform(a.shape(), gain, dtype);
      },
      "a"_a, "gain"_a, "dtype"_a);
  m.def(
      "init_he_normal",
      [](const Array& a, const std::string& mode, double gain, Dtype dtype) {
        return init::he_normal(a.shape(), init::fan_from(mode), gain, dtype);
      },
      "a"_a, "mode"_a, "gain"_a, "dtype"_a);
  m.def(
      "init_he_uniform",
      [](const Array& a, const std::string& mode, double gain, Dtype dtype) {
        return init::he_uniform(a.shape(), init::fan_from(mode), gain, dtype);
      },
      "a"_a, "mode"_a, "gain"_a, "dtype"_a);
  m.def(
      "init_sparse",
      [](const Array& a, double sparsity, double mean, double std, Dtype dtype) {
        return init::sparse(a.shape(), sparsity, mean, std, dtype);
      },
      "a"_a, "sparsity"_a, "mean"_a, "std"_a, "dtype"_a);
  m.def(
      "init_orthogonal",
      [](const Array& a, double gain, Dtype dtype) {
        return init::orthogonal(a.shape(), gain, dtype);
      },
      "a"_a, "gain"_a, "dtype"_a);
}

void bind_upsample(nb::module_& m) {
  m.def(
      "upsample",
      [](const Array& x, const std::vector<double>& scales, const std::string& mode,
         bool align_corners, bool antialias) {
        return nn::upsample(x, scales, {nn::interpolation_from(mode), align_corners, antialias});
      },
      "x"_a, "scales"_a, "mode"_a, "align_corners"_a, "antialias"_a);
  m.def("pixel_shuffle", &nn::pixel_shuffle, "x"_a, "factor"_a);
}

}  // namespace

void bind_nn(nb::module_& parent) {
  nb::module_ m = add_submodule(parent, "_nn", "What heddle.nn stands on.");
  bind_activations(m);
  bind_losses(m);
  bind_initializers(m);
  bind_upsample(m);
  bind_nn_functions(m);
}

}  // namespace heddle::python
