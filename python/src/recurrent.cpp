// Recurrent layers over whole sequences, in the submodule heddle.core.fast.
#include "heddle/ops/recurrent.h"

#include "bind.h"
#include "nn.h"

namespace heddle::python {
namespace {

constexpr const char* about_arrays = R"(

`x` is (..., time, features) with at least one step; the weights are (gates * hidden, features) and
(gates * hidden, hidden); initial states are (..., hidden), zero if None.

Raises:
  ValueError: shapes or dtypes that do not fit.)";

fast::RecurrentActivation activation_from(const std::string& name) {
  if (name == "tanh") return fast::RecurrentActivation::tanh;
  if (name == "relu") return fast::RecurrentActivation::relu;
  throw std::invalid_argument("[rnn] The activation must be 'tanh' or 'relu' but is '" + name +
                              "'.");
}

}  // namespace

void bind_recurrent(nb::module_& fast) {
  fast.def(
      "rnn",
      [](const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias,
         const std::optional<Array>& hidden, const std::string& activation,
         const StreamOrDevice& s) {
        return fast::rnn(x, wx, wh, bias, hidden, activation_from(activation), s);
      },
      "x"_a, "wx"_a, "wh"_a, "bias"_a = nb::none(), "hidden"_a = nb::none(),
      "activation"_a = "tanh", nb::kw_only(), "stream"_a = nb::none(), keep(std::string(R"(
An Elman network: ``h = activation(wx x + bias + wh h)`` for every step, all of which are returned.

`activation` is ``"tanh"`` or ``"relu"``.)") + about_arrays));
  fast.def(
      "gru",
      [](const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias,
         const std::optional<Array>& bias_hn, const std::optional<Array>& hidden,
         const StreamOrDevice& s) { return fast::gru(x, wx, wh, bias, bias_hn, hidden, s); },
      "x"_a, "wx"_a, "wh"_a, "bias"_a = nb::none(), "bias_hn"_a = nb::none(),
      "hidden"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(), keep(std::string(R"(
Gated recurrent units, whose hidden states of all steps are returned.

The gates are r, z and n: ``n = tanh(wx_n x + bias_n + r * (wh_n h + bias_hn))`` and
``h = (1 - z) * n + z * h``.)") + about_arrays));
  fast.def(
      "lstm",
      [](const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias,
         const std::optional<Array>& hidden, const std::optional<Array>& cell,
         const StreamOrDevice& s) { return fast::lstm(x, wx, wh, bias, hidden, cell, s); },
      "x"_a, "wx"_a, "wh"_a, "bias"_a = nb::none(), "hidden"_a = nb::none(), "cell"_a = nb::none(),
      nb::kw_only(), "stream"_a = nb::none(),
      keep(std::string(R"(
Long short-term memory: the hidden states and the cells of all steps.

The gates are i, f, g and o: ``c = f * c + i * g`` and ``h = o * tanh(c)``.)") +
           about_arrays));
  fast.def(
      "gated_delta_update",
      [](const Array& q, const Array& k, const Array& v, const Array& gamma, const Array& beta,
         const std::optional<Array>& initial_state, const std::optional<Array>& mask,
         const StreamOrDevice& s) {
        return fast::gated_delta_update(q, k, v, gamma, beta, initial_state, mask, s);
      },
      "q"_a, "k"_a, "v"_a, "gamma"_a, "beta"_a, "initial_state"_a = nb::none(),
      "mask"_a = nb::none(), "stream"_a = nb::none(), R"(
The gated delta rule of linear attention, computed in float32.

For every step, with the state ``S`` of each head: ``S = gamma * S``,
``S = S + beta * outer(v - S @ k, k)``, and the output ``S @ q``.

Args:
  q: queries (B, T, Hk, Dk).
  k: keys (B, T, Hk, Dk).
  v: values (B, T, Hv, Dv); each head of the keys serves Hv / Hk of the values, in a row.
  gamma: what of the state is kept, (B, T, Hv), or for each feature of the keys (B, T, Hv, Dk).
  beta: the rate of the update, (B, T, Hv).
  initial_state: (B, Hv, Dv, Dk); zeros if None.
  mask: bool (B, T); where it is False the state stays and the output is zero.

Returns:
  list of array: the outputs (B, T, Hv, Dv) and the last state, which is float32.)");
}

}  // namespace heddle::python
