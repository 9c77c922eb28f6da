// In heddle.core._nn: the functions of heddle/nn/functional.h, which layers call.
#include "heddle/nn/functional.h"
#include "nn.h"

namespace heddle::python {
namespace {

using Ints = std::vector<int64_t>;

nn::Windows windows_of(const Ints& kernel, const Ints& stride, const PadWidths& padding,
                       const Ints& dilation, bool ceil_mode) {
  return {Shape(kernel.begin(), kernel.end()), Shape(stride.begin(), stride.end()), padding,
          Shape(dilation.begin(), dilation.end()), ceil_mode};
}

nb::object pair(nn::MaxPooled found) {
  return nb::make_tuple(wrap(std::move(found.values)), wrap(std::move(found.indices)));
}

void bind_pools(nb::module_& m) {
  m.def(
      "max_pool",
      [](const Array& x, const Ints& kernel, const Ints& stride, const PadWidths& padding,
         const Ints& dilation, bool ceil_mode) {
        return nn::max_pool(x, windows_of(kernel, stride, padding, dilation, ceil_mode));
      },
      "x"_a, "kernel"_a, "stride"_a = Ints{}, "padding"_a = PadWidths{}, "dilation"_a = Ints{},
      "ceil_mode"_a = false);
  m.def(
      "max_pool_with_indices",
      [](const Array& x, const Ints& kernel, const Ints& stride, const PadWidths& padding,
         const Ints& dilation, bool ceil_mode) {
        return pair(
            nn::max_pool_with_indices(x, windows_of(kernel, stride, padding, dilation, ceil_mode)));
      },
      "x"_a, "kernel"_a, "stride"_a = Ints{}, "padding"_a = PadWidths{}, "dilation"_a = Ints{},
      "ceil_mode"_a = false);
  m.def(
      "average_pool",
      [](const Array& x, const Ints& kernel, const Ints& stride, const PadWidths& padding,
         const Ints& dilation, bool ceil_mode, bool count_include_pad,
         std::optional<int64_t> divisor) {
        return nn::average_pool(x, windows_of(kernel, stride, padding, dilation, ceil_mode),
                                {count_include_pad, divisor});
      },
      "x"_a, "kernel"_a, "stride"_a = Ints{}, "padding"_a = PadWidths{}, "dilation"_a = Ints{},
      "ceil_mode"_a = false, "count_include_pad"_a = true, "divisor"_a = nb::none());
  m.def(
      "adaptive_max_pool",
      [](const Array& x, const Ints& sizes) {
        return nn::adaptive_max_pool(x, Shape(sizes.begin(), sizes.end()));
      },
      "x"_a, "sizes"_a);
  m.def(
      "adaptive_max_pool_with_indices",
      [](const Array& x, const Ints& sizes) {
        return pair(nn::adaptive_max_pool_with_indices(x, Shape(sizes.begin(), sizes.end())));
      },
      "x"_a, "sizes"_a);
  m.def(
      "adaptive_average_pool",
      [](const Array& x, const Ints& sizes) {
        return nn::adaptive_average_pool(x, Shape(sizes.begin(), sizes.end()));
      },
      "x"_a, "sizes"_a);
}

using Optional = const std::optional<Array>&;

void bind_linear(nb::module_& m) {
  m.def("linear", &nn::linear, "x"_a, "weight"_a, "bias"_a = nb::none());
  m.def("bilinear", &nn::bilinear, "x1"_a, "x2"_a, "weight"_a, "bias"_a = nb::none());
  m.def("dropout", &nn::dropout, "x"_a, "p"_a, "spatial_dims"_a = 0, "key"_a = nb::none());
}

void bind_norms(nb::module_& m) {
  m.def("instance_norm", &nn::instance_norm, "x"_a, "weight"_a = nb::none(), "bias"_a = nb::none(),
        "eps"_a = 1e-5);
  m.def(
      "group_norm",
      [](const Array& x, int64_t groups, Optional weight, Optional bias, double eps, bool runs) {
        return nn::group_norm(x, groups, weight, bias, eps,
                              runs ? nn::Grouping::runs : nn::Grouping::strided);
      },
      "x"_a, "groups"_a, "weight"_a = nb::none(), "bias"_a = nb::none(), "eps"_a = 1e-5,
      "runs"_a = true);
  m.def(
      "batch_norm",
      [](const Array& x, Optional mean, Optional variance, Optional weight, Optional bias,
         bool training, double momentum, double eps) -> nb::object {
        std::optional<nn::RunningStatistics> running;
        if (mean && variance) running = {*mean, *variance};
        nn::BatchNormed found = nn::batch_norm(x, running, weight, bias, {training, momentum, eps});
        auto given = [](Array a) { return a ? wrap(std::move(a)) : nb::none(); };
        return nb::make_tuple(wrap(std::move(found.result)), given(std::move(found.running.mean)),
                              given(std::move(found.running.variance)));
      },
      "x"_a, "mean"_a = nb::none(), "variance"_a = nb::none(), "weight"_a = nb::none(),
      "bias"_a = nb::none(), "training"_a = false, "momentum"_a = 0.1, "eps"_a = 1e-5);
}

void bind_padding_and_positions(nb::module_& m) {
  m.def(
      "pad",
      [](const Array& x, const PadWidths& widths, const std::string& mode, nb::handle value) {
        return nn::pad(x, widths, nn::pad_mode_from(mode), to_operand(value, x.dtype()));
      },
      "x"_a, "widths"_a, "mode"_a, "value"_a = 0);
  m.def("sinusoidal_frequencies", &nn::sinusoidal_frequencies, "dims"_a, "min_freq"_a, "max_freq"_a,
        "full_turns"_a);
  m.def("sinusoidal_encoding", &nn::sinusoidal_encoding, "positions"_a, "frequencies"_a, "scale"_a,
        "cos_first"_a);
  m.def("alibi_slopes", &nn::alibi_slopes, "heads"_a, "dtype"_a);
  m.def("alibi_matrix", &nn::alibi_matrix, "queries"_a, "keys"_a, "heads"_a, "offset"_a, "dtype"_a);
  m.def("alibi", &nn::alibi, "scores"_a, "offset"_a, "mask"_a = nb::none());
}

// A Python function of an array.
nn::Part part(nb::callable function) {
  return [function = std::move(function)](const Array& x) {
    return nb::cast<Array>(function(wrap(x)));
  };
}

void bind_transformers(nb::module_& m) {
  m.def("multi_head_attention", &nn::multi_head_attention, "queries"_a, "keys"_a, "values"_a,
        "heads"_a, "mask"_a.none() = nb::none());
  m.def("additive_causal_mask", &nn::additive_causal_mask, "n"_a, "dtype"_a);
  m.def(
      "residual_branches",
      [](const Array& x, const std::vector<std::pair<nb::callable, nb::callable>>& branches,
         bool norm_first) {
        std::vector<nn::Branch> parts;
        for (const auto& [norm, branch] : branches) parts.push_back({part(norm), part(branch)});
        return nn::residual_branches(x, parts, norm_first);
      },
      "x"_a, "branches"_a, "norm_first"_a);
}

fast::RecurrentActivation activation_from(const std::string& name) {
  if (name == "tanh") return fast::RecurrentActivation::tanh;
  if (name == "relu") return fast::RecurrentActivation::relu;
  throw std::invalid_argument(
      "[recurrent_layers] The activation must be 'tanh' or 'relu' but is '" + name + "'.");
}

void bind_recurrent_layers(nb::module_& m) {
  m.def(
      "rnn",
      [](const Array& x, const Array& wx, const Array& wh, Optional bias, Optional hidden,
         nb::callable f) { return nn::rnn(x, wx, wh, bias, hidden, part(std::move(f))); },
      "x"_a, "wx"_a, "wh"_a, "bias"_a.none(), "hidden"_a.none(), "nonlinearity"_a);
  m.def(
      "recurrent_layers",
      [](const Array& x, const std::vector<Arrays>& weights, const std::string& cell,
         bool bidirectional, const std::string& activation, double dropout, Optional key,
         Optional hidden, Optional cells, Optional lengths,
         const std::vector<Array>& projections) -> nb::object {
        nn::RecurrentOptions options;
        options.cell = cell == "lstm"  ? nn::Cell::lstm
                       : cell == "gru" ? nn::Cell::gru
                                       : nn::Cell::rnn;
        options.bidirectional = bidirectional;
        options.activation = activation_from(activation);
        options.dropout = dropout;
        options.key = key;
        std::vector<nn::RecurrentWeights> all;
        for (const Arrays& w : weights) {
          if (w.size() < 2) throw std::invalid_argument("[recurrent_layers] No wx and wh.");
          auto at = [&](size_t i) { return i < w.size() ? std::optional(w[i]) : std::nullopt; };
          all.push_back({w[0], w[1], at(2), at(3)});
        }
        for (size_t i = 0; i < projections.size() && i < all.size(); i++) {
          all[i].projection = projections[i];
        }
        nn::Recurrent found = nn::recurrent_layers(x, all, options, hidden, cells, lengths);
        return nb::make_tuple(wrap(found.output), wrap(found.hidden),
                              found.cell ? wrap(found.cell) : nb::none());
      },
      "x"_a, "weights"_a, "cell"_a, "bidirectional"_a = false, "activation"_a = "tanh",
      "dropout"_a = 0.0, "key"_a = nb::none(), "hidden"_a = nb::none(), "cells"_a = nb::none(),
      "lengths"_a = nb::none(), "projections"_a = Arrays{});
}

}  // namespace

void bind_nn_functions(nb::module_& m) {
  bind_linear(m);
  bind_norms(m);
  bind_pools(m);
  bind_padding_and_positions(m);
  bind_transformers(m);
  bind_recurrent_layers(m);
}

}  // namespace heddle::python
