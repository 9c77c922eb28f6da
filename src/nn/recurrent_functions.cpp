// Recurrent layers beyond what one operation computes: any nonlinearity, several layers, both
// directions.
#include <fmt/format.h>

#include "heddle/nn/functional.h"
#include "heddle/ops.h"
#include "nn/shown.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {
namespace {

// Step t of (..., time, features).
Array step_of(const Array& x, int64_t t) {
  const auto ndim = static_cast<size_t>(x.ndim());
  Shape start(ndim, slice_end), stop(ndim, slice_end);
  start[ndim - 2] = t;
  stop[ndim - 2] = t + 1;
  return squeeze(slice(x, start, stop), -2);
}

struct States {
  Array steps, hidden, cell;  // of all steps; the last ones
};

States run(const Array& x, const RecurrentWeights& w, const RecurrentOptions& o,
           const std::optional<Array>& hidden, const std::optional<Array>& cell) {
  auto last = [](const Array& steps) { return take(steps, -1, -2); };
  if (o.cell == Cell::lstm) {
    auto [steps, cells] = fast::lstm(x, w.wx, w.wh, w.bias, hidden, cell);
    return {steps, last(steps), last(cells)};
  }
  Array steps = o.cell == Cell::gru ? fast::gru(x, w.wx, w.wh, w.bias, w.bias_hn, hidden)
                                    : fast::rnn(x, w.wx, w.wh, w.bias, hidden, o.activation);
  return {steps, last(steps), {}};
}

// The initial state of one layer and direction.
std::optional<Array> state_of(const std::optional<Array>& states, size_t i) {
  if (!states) return std::nullopt;
  return take(*states, static_cast<int>(i), 0);
}

}  // namespace

Array rnn(const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias,
          const std::optional<Array>& hidden, const Nonlinearity& f) {
  if (auto* known = std::get_if<fast::RecurrentActivation>(&f)) {
    return fast::rnn(x, wx, wh, bias, hidden, *known);
  }
  const Part& activation = std::get<Part>(f);
  if (!activation) refuse("rnn", "The nonlinearity is an empty function.");
  if (x.ndim() < 2 || x.shape(-2) == 0) {
    refuse("rnn", fmt::format("The input has the axes (..., time, features) and at least one step, "
                              "not the shape {}.",
                              shown(x.shape())));
  }
  const Array inputs = linear(x, wx, bias);
  size_read(x);  // the steps
  Arrays states;
  std::optional<Array> state = hidden;
  for (int64_t t = 0; t < x.shape(-2); t++) {
    const Array input = step_of(inputs, t);
    state = activation(state ? addmm(input, *state, transpose(wh)) : input);
    states.push_back(*state);
  }
  return stack(states, -2);
}

Recurrent recurrent_layers(const Array& x, const std::vector<RecurrentWeights>& weights,
                           const RecurrentOptions& options, const std::optional<Array>& hidden,
                           const std::optional<Array>& cell) {
  constexpr const char* name = "recurrent_layers";
  const size_t directions = options.bidirectional ? 2 : 1;
  if (weights.empty() || weights.size() % directions != 0) {
    refuse(name,
           fmt::format("There are weights for each layer and direction, but {} for {}.",
                       weights.size(), directions == 2 ? "both directions" : "one direction"));
  }
  if (options.cell != Cell::lstm && cell) refuse(name, "Only an LSTM has cells.");
  for (const std::optional<Array>& states : {hidden, cell}) {
    if (states &&
        (states->ndim() != x.ndim() || states->shape(0) != static_cast<int64_t>(weights.size()))) {
      refuse(name, fmt::format("The initial states of {} layers and directions have the axes "
                               "(states, ..., hidden), not the shape {}.",
                               weights.size(), shown(states->shape())));
    }
  }
  Array y = x;
  Arrays last_hidden, last_cell;
  random::Key key = options.key;
  for (size_t i = 0; i < weights.size(); i += directions) {
    if (i > 0 && options.dropout > 0) {
      random::Key now;
      if (key) std::tie(key, now) = random::split(*key);
      y = dropout(y, options.dropout, 0, now);
    }
    Arrays outputs;
    for (size_t k = i; k < i + directions; k++) {
      const bool back = k > i;
      States found = run(back ? flip(y, {-2}) : y, weights[k], options, state_of(hidden, k),
                         state_of(cell, k));
      outputs.push_back(back ? flip(found.steps, {-2}) : found.steps);
      last_hidden.push_back(found.hidden);
      if (options.cell == Cell::lstm) last_cell.push_back(found.cell);
    }
    y = outputs.size() == 1 ? outputs[0] : concatenate(outputs, -1);
  }
  return {y, stack(last_hidden), last_cell.empty() ? Array() : stack(last_cell)};
}

}  // namespace heddle::nn
