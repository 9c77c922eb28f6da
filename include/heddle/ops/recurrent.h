// Recurrent layers over whole sequences, each as one operation with a kernel of its own. `x` is
// (..., time, features) with at least one step; the weights apply to the last axis, (out, in), the
// parts of the gates one below the other; initial states are (..., hidden) and zero if absent. All
// floating dtypes; halves are computed in float32. Shapes that do not fit throw
// std::invalid_argument.
#pragma once

#include <optional>
#include <utility>

#include "heddle/array.h"

namespace heddle::fast {

enum class RecurrentActivation { tanh, relu };

// h' = activation(wx x + bias + wh h). Returns the states of all steps, (..., time, hidden).
Array rnn(const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias = {},
          const std::optional<Array>& hidden = {},
          RecurrentActivation activation = RecurrentActivation::tanh, StreamOrDevice s = {});

// Gates in the order r, z, n: h' = (1 - z) n + z h, n = tanh(wx_n x + bias_n + r (wh_n h +
// bias_hn)).
Array gru(const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias = {},
          const std::optional<Array>& bias_hn = {}, const std::optional<Array>& hidden = {},
          StreamOrDevice s = {});

// Gates in the order i, f, g, o: c' = f c + i g, h' = o tanh(c'). Returns the hidden states and the
// cells of all steps.
std::pair<Array, Array> lstm(const Array& x, const Array& wx, const Array& wh,
                             const std::optional<Array>& bias = {},
                             const std::optional<Array>& hidden = {},
                             const std::optional<Array>& cell = {}, StreamOrDevice s = {});

// The gated delta rule of linear attention: for every step, with the state S (Dv, Dk) of each head,
//   S = gamma S,  S = S + beta (v - S k) k^T,  output = S q.
// q, k (B, T, Hk, Dk), v (B, T, Hv, Dv), gamma (B, T, Hv) or, a rate for each feature of the keys,
// (B, T, Hv, Dk), beta (B, T, Hv); each of the Hk heads serves Hv / Hk value heads in a row.
// `state` (B, Hv, Dv, Dk) is zero if absent. Where `mask` (B, T), bool, is false, the state stays
// and the output is zero. Computed in float32: the outputs (B, T, Hv, Dv) in the dtype of q, and
// the last state.
Arrays gated_delta_update(const Array& q, const Array& k, const Array& v, const Array& gamma,
                          const Array& beta, const std::optional<Array>& state = {},
                          const std::optional<Array>& mask = {}, StreamOrDevice s = {});

}  // namespace heddle::fast
