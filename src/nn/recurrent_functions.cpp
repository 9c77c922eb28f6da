// Recurrent layers beyond what one operation computes: any nonlinearity, several layers, both
// directions.
#include <fmt/format.h>

#include "heddle/nn/functional.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/products.h"
#include "heddle/ops/random.h"
#include "heddle/ops/recurrent.h"
#include "heddle/ops/shape.h"
#include "nn/shown.h"
#include "nn/wide.h"
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

// All steps of one layer in one direction; cells of an LSTM only.
struct Steps {
  Array hidden, cells;
};

// An LSTM whose states are projected before they go on to the next step: wide, step by step.
Steps projected_lstm(const Array& x, const RecurrentWeights& w, std::optional<Array> hidden,
                     std::optional<Array> cell) {
  auto wide = [](const std::optional<Array>& a) {
    return a ? std::optional<Array>(widened(*a)) : std::nullopt;
  };
  const Array inputs = linear(widened(x), widened(w.wx), wide(w.bias));
  const Array wh = widened(w.wh), projection = widened(*w.projection);
  hidden = wide(hidden);
  cell = wide(cell);
  Arrays all_hidden, all_cells;
  size_read(x);  // the steps
  for (int64_t t = 0; t < x.shape(-2); t++) {
    const Array step = step_of(inputs, t);
    const Arrays gates = split(hidden ? linear(*hidden, wh, step) : step, 4, -1);  // i f g o
    const Array fresh = sigmoid(gates[0]) * tanh(gates[2]);
    cell = cell ? sigmoid(gates[1]) * *cell + fresh : fresh;
    hidden = linear(sigmoid(gates[3]) * tanh(*cell), projection);
    all_hidden.push_back(*hidden);
    all_cells.push_back(*cell);
  }
  const Dtype dtype = together({x, w.wx, w.wh, *w.projection});
  return {rounded(stack(all_hidden, -2), dtype), rounded(stack(all_cells, -2), dtype)};
}

Steps run(const Array& x, const RecurrentWeights& w, const RecurrentOptions& o,
          const std::optional<Array>& hidden, const std::optional<Array>& cell) {
  if (o.cell == Cell::lstm) {
    if (w.projection) return projected_lstm(x, w, hidden, cell);
    auto [steps, cells] = fast::lstm(x, w.wx, w.wh, w.bias, hidden, cell);
    return {steps, cells};
  }
  if (o.cell == Cell::gru) return {fast::gru(x, w.wx, w.wh, w.bias, w.bias_hn, hidden), {}};
  return {fast::rnn(x, w.wx, w.wh, w.bias, hidden, o.activation), {}};
}

// Where sequences end, as indices for their steps. Steps after an end come after what counts, so
// that no state depends on them.
class Ends {
 public:
  Ends(const Array& x, const Array& lengths) {
    size_read(x);  // the steps
    const Array length = expand_dims(astype(lengths, int32), std::vector<int>{1, 2});
    const Array step = expand_dims(arange(static_cast<int>(x.shape(1))), std::vector<int>{0, 2});
    inside_ = step < length;
    reversed_ = where(inside_, length - Array(1) - step, step);
    last_ = length - Array(1);
  }
  Array reversed(const Array& x) const { return take_along_axis(x, reversed_, 1); }
  Array last(const Array& x) const { return squeeze(take_along_axis(x, last_, 1), 1); }
  Array cleared(const Array& x) const { return where(inside_, x, Array(0, x.dtype())); }

 private:
  Array inside_, reversed_, last_;
};

// The initial state of one layer and direction.
std::optional<Array> state_of(const std::optional<Array>& states, size_t i) {
  if (!states) return std::nullopt;
  return take(*states, static_cast<int>(i), 0);
}

void check(const Array& x, const std::vector<RecurrentWeights>& weights,
           const RecurrentOptions& options, const std::optional<Array>& hidden,
           const std::optional<Array>& cell, const std::optional<Array>& lengths) {
  constexpr const char* name = "recurrent_layers";
  const size_t directions = options.bidirectional ? 2 : 1;
  if (weights.empty() || weights.size() % directions != 0) {
    refuse(name,
           fmt::format("There are weights for each layer and direction, but {} for {}.",
                       weights.size(), directions == 2 ? "both directions" : "one direction"));
  }
  if (x.ndim() < 2 || x.shape(-2) == 0) {
    refuse(name, fmt::format("The input has the axes (..., time, features) and at least one step, "
                             "not the shape {}.",
                             shown(x.shape())));
  }
  if (options.cell != Cell::lstm && cell) refuse(name, "Only an LSTM has cells.");
  for (const RecurrentWeights& w : weights) {
    if (options.cell != Cell::lstm && w.projection) refuse(name, "Only an LSTM has a projection.");
    if (options.cell != Cell::gru && w.bias_hn) refuse(name, "Only a GRU has a second bias.");
  }
  for (const std::optional<Array>& states : {hidden, cell}) {
    if (states &&
        (states->ndim() != x.ndim() || states->shape(0) != static_cast<int64_t>(weights.size()))) {
      refuse(name, fmt::format("The initial states of {} layers and directions have the axes "
                               "(states, ..., hidden), not the shape {}.",
                               weights.size(), shown(states->shape())));
    }
  }
  if (lengths && (x.ndim() != 3 || lengths->shape() != Shape{x.shape(0)} ||
                  !issubdtype(lengths->dtype(), DtypeCategory::integer))) {
    refuse(name, fmt::format("Lengths are an integer for each sequence of (batch, time, features), "
                             "not {} of shape {} for an input of shape {}.",
                             name_of(lengths->dtype()), shown(lengths->shape()), shown(x.shape())));
  }
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
                           const std::optional<Array>& cell, const std::optional<Array>& lengths) {
  check(x, weights, options, hidden, cell, lengths);
  std::optional<Ends> ends;
  if (lengths) ends.emplace(x, *lengths);
  auto backwards = [&](const Array& a) { return ends ? ends->reversed(a) : flip(a, {-2}); };
  auto last = [&](const Array& a) { return ends ? ends->last(a) : take(a, -1, -2); };
  const size_t directions = options.bidirectional ? 2 : 1;
  Array y = ends ? ends->cleared(x) : x;  // for derivatives: zero times a number
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
      Steps found =
          run(back ? backwards(y) : y, weights[k], options, state_of(hidden, k), state_of(cell, k));
      outputs.push_back(back ? backwards(found.hidden) : found.hidden);
      last_hidden.push_back(last(found.hidden));
      if (found.cells) last_cell.push_back(last(found.cells));
    }
    y = outputs.size() == 1 ? outputs[0] : concatenate(outputs, -1);
  }
  return {ends ? ends->cleared(y) : y, stack(last_hidden),
          last_cell.empty() ? Array() : stack(last_cell)};
}

}  // namespace heddle::nn
