#include "ops/recurrent.h"

#include <algorithm>

#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/products.h"
#include "heddle/ops/recurrent.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "heddle/transforms.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {
namespace {

size_t input_count(Recurrence cell) {
  return cell == Recurrence::lstm || cell == Recurrence::gru ? 4 : 3;
}

Avals avals_of(const Arrays& arrays, size_t count) {
  Avals out;
  for (size_t i = 0; i < count; i++) out.push_back({arrays[i].shape(), arrays[i].dtype()});
  return out;
}

// The states after one step: hidden[, cell] from the input's part of the gates (B, gates * H).
Arrays step(Recurrence cell, const Array& x, const Array& wh_t, const Array& extra,
            const Arrays& states, const Stream& s) {
  const Array& h = states[0];
  if (cell == Recurrence::gru) {
    int hidden = static_cast<int>(h.shape(-1));
    Arrays in = split(x, 3, -1, s), own = split(matmul(h, wh_t, s), {hidden, 2 * hidden}, -1, s);
    Array r = sigmoid(add(in[0], own[0], s), s), z = sigmoid(add(in[1], own[1], s), s);
    Array n = tanh(add(in[2], multiply(r, add(own[2], extra, s), s), s), s);
    return {add(multiply(subtract(Array(1.f, h.dtype()), z, s), n, s), multiply(z, h, s), s)};
  }
  Array sums = addmm(x, h, wh_t, 1, 1, s);
  if (cell == Recurrence::rnn_tanh) return {tanh(sums, s)};
  if (cell == Recurrence::rnn_relu) return {maximum(sums, Array(0.f, h.dtype()), s)};
  Arrays g = split(sums, 4, -1, s);
  Array kept = multiply(sigmoid(g[1], s), states[1], s);
  Array c = add(kept, multiply(sigmoid(g[0], s), tanh(g[2], s), s), s);
  return {multiply(sigmoid(g[3], s), tanh(c, s), s), c};
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// rules

namespace {

void check_cell(OpName op, const char* name, Recurrence cell, const Arrays& in) {
  const Array &x = in[0], &wh = in[1], &h = in[2];
  if (x.dtype() != float32 && x.dtype() != float64) {
    refuse(name, "Wanted a floating type but got {}.", name_of(x.dtype()));
  }
  require_one_dtype(op, in);
  require_rank(name, "The input", x, 3);
  require_rank(name, "The initial state", h, 2);
  if (x.shape(1) < 1) refuse(name, "The input must have at least one time step.");
  const int64_t hidden = h.shape(1), gates = gates_of(cell) * hidden;
  require_shape(name, "The input", x, {h.shape(0), x.shape(1), gates});
  require_shape(name, "The weights", wh, {gates, hidden});
  if (cell == Recurrence::lstm) require_shape(name, "The initial cell", in[3], h.shape());
  if (cell == Recurrence::gru) require_shape(name, "The bias of n", in[3], {hidden});
}

const char* name_of_cell(Recurrence cell) {
  return cell == Recurrence::lstm ? "lstm" : cell == Recurrence::gru ? "gru" : "rnn";
}

size_t output_count(Recurrence cell) { return cell == Recurrence::lstm ? 2 : 1; }

}  // namespace

void Recurrent::check(const Arrays& in) const {
  require_inputs(*this, in, input_count(cell));
  check_cell(*this, name_of_cell(cell), cell, in);
}

void RecurrentVJP::check(const Arrays& in) const {
  const size_t n = input_count(cell);
  require_inputs(*this, in, n + 2 * output_count(cell));
  check_cell(*this, name_of_cell(cell), cell, in);
  for (size_t i = n; i < in.size(); i++) {
    require_shape(name_of_cell(cell), "A result or its cotangent", in[i],
                  {in[0].shape(0), in[0].shape(1), in[2].shape(1)});
  }
}

Avals Recurrent::infer(const Arrays& in) const {
  Aval states{{in[0].shape(0), in[0].shape(1), in[2].shape(1)}, in[0].dtype()};
  return Avals(output_count(cell), states);
}

std::optional<Arrays> Recurrent::decompose(const Arrays& in, const Stream& s) const {
  const Array& x = in[0];
  Array wh_t = transpose(in[1], s);
  bool lstm = cell == Recurrence::lstm;
  Arrays states{in[2]};
  if (lstm) states.push_back(in[3]);
  std::vector<Arrays> all(states.size());
  for (int64_t t = 0; t < x.shape(1); t++) {
    states = step(cell, take(x, t, 1, s), wh_t, in.size() > 3 ? in[3] : Array(), states, s);
    for (size_t i = 0; i < states.size(); i++) all[i].push_back(states[i]);
  }
  Arrays out;
  for (const Arrays& steps : all) out.push_back(stack(steps, 1, s));
  return out;
}

std::optional<Arrays> Recurrent::vjp(const Pull& p) const {
  Arrays inputs = p.in;
  inputs.insert(inputs.end(), p.out.begin(), p.out.end());
  inputs.insert(inputs.end(), p.g.begin(), p.g.end());
  auto op = make_op<RecurrentVJP>(cell);
  Arrays all = p.in[0].dtype() == float64 ? *op->decompose(inputs, p.stream)
                                          : apply_multi(std::move(op), inputs, p.stream);
  Arrays picked;
  for (int i : p.wanted) picked.push_back(all[static_cast<size_t>(i)]);
  return picked;
}

// More sequences, if all go through the same weights.
std::optional<Batched> Recurrent::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  if (b.axes[1] >= 0 || (cell == Recurrence::gru && b.axes[3] >= 0)) return std::nullopt;
  Arrays merged = b.in;
  const int64_t n = batch_size(b.in, b.axes);
  auto merge = [&](size_t i) {
    Array front = b.axes[i] >= 0 ? batch_to_front(b.in[i], b.axes[i]) : expand_dims(b.in[i], 0, s);
    Shape whole = front.shape();
    whole[0] = n;
    return flatten(broadcast_to(front, whole, s), 0, 1, s);
  };

  merged[0] = merge(0);
  merged[2] = merge(2);
  if (cell == Recurrence::lstm) merged[3] = merge(3);
  Arrays out = apply_multi(*this, merged, s);
  for (Array& o : out) o = unflatten(o, 0, {n, -1}, s);
  return Batched{out, std::vector<int>(out.size(), 0)};
}

Avals RecurrentVJP::infer(const Arrays& in) const { return avals_of(in, input_count(cell)); }

std::optional<Arrays> RecurrentVJP::decompose(const Arrays& in, const Stream& s) const {
  size_t n = input_count(cell), outputs = (in.size() - n) / 2;
  Recurrence kind = cell;
  auto forward = [kind, s](const Arrays& inputs) { return *Recurrent{kind}.decompose(inputs, s); };
  Arrays primals(in.begin(), in.begin() + static_cast<int64_t>(n));
  Arrays cotangents(in.begin() + static_cast<int64_t>(n + outputs), in.end());
  return heddle::vjp(forward, primals, cotangents).second;
}

// ---------------------------------------------------------------------------------------------
// public functions

namespace fast {
namespace {

struct Weights {
  const Array &wx, &wh;
  const std::optional<Array>& bias;
};

// The checks and the layout that all cells share: `states` are the initial ones that were given.
Arrays run(const char* name, Recurrence cell, const Array& x, const Weights& w,
           std::vector<std::optional<Array>> states, const std::optional<Array>& bias_hn,
           const Stream& s) {
  if (x.ndim() < 2) {
    refuse(name,
           "The input must have at least 2 dimensions (..., time, features) but "
           "has shape {}.",
           to_string(x.shape()));
  }
  if (x.shape(-2) < 1) refuse(name, "The input must have at least one time step.");
  if (w.wx.ndim() != 2 || w.wh.ndim() != 2 || w.wh.shape(0) != gates_of(cell) * w.wh.shape(1) ||
      w.wx.shape(0) != w.wh.shape(0)) {
    refuse(name,
           "The weights must have the shapes ({0} * hidden, features) and ({0} * "
           "hidden, hidden) but have {1} and {2}.",
           gates_of(cell), to_string(w.wx.shape()), to_string(w.wh.shape()));
  }
  const int64_t hidden = w.wh.shape(1), time = x.shape(-2);
  auto check_width = [&](const char* what, const Array& a) {
    if (a.ndim() < 1 || a.shape(-1) != hidden) {
      refuse(name, "{} must have {} features but has shape {}.", what, hidden,
             to_string(a.shape()));
    }
  };
  Array projected =
      w.bias ? addmm(*w.bias, x, transpose(w.wx, s), 1, 1, s) : matmul(x, transpose(w.wx, s), s);
  Dtype t = promote_types(projected.dtype(), w.wh.dtype());
  if (bias_hn) {
    check_width("The bias of n", *bias_hn);
    t = promote_types(t, bias_hn->dtype());
  }
  Shape batch(x.shape().begin(), x.shape().end() - 2);
  for (const auto& state : states) {
    if (!state) continue;
    check_width("The initial state", *state);
    t = promote_types(t, state->dtype());
    batch = broadcast_shapes(batch, Shape(state->shape().begin(), state->shape().end() - 1));
  }
  if (!is_floating(t)) refuse(name, "Wanted a floating type but got {}.", name_of(t));
  Dtype computed = t == float64 ? float64 : float32;
  auto spread = [&](const Array& a, int keep) {
    Shape whole = batch, flat{element_count(batch)};
    for (int axis = -keep; axis < 0; axis++) {
      whole.push_back(a.shape(axis));
      flat.push_back(a.shape(axis));
    }
    return reshape(broadcast_to(astype(a, computed, s), whole, s), flat, s);
  };
  Arrays in{spread(projected, 2), astype(w.wh, computed, s)};
  for (const auto& state : states) {
    in.push_back(state ? spread(*state, 1) : zeros({element_count(batch), hidden}, computed, s));
  }
  if (cell == Recurrence::gru) {
    in.push_back(bias_hn ? astype(broadcast_to(*bias_hn, {hidden}, s), computed, s)
                         : zeros({hidden}, computed, s));
  }
  auto op = make_op<Recurrent>(cell);
  Arrays out = computed == float64 ? *op->decompose(in, s) : apply_multi(std::move(op), in, s);
  Shape shape = batch;
  shape.push_back(time);
  shape.push_back(hidden);
  for (Array& o : out) o = astype(reshape(o, shape, s), t, s);
  return out;
}

}  // namespace

Array rnn(const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias,
          const std::optional<Array>& hidden, RecurrentActivation activation, StreamOrDevice s) {
  auto cell = activation == RecurrentActivation::tanh ? Recurrence::rnn_tanh : Recurrence::rnn_relu;
  return run("rnn", cell, x, {wx, wh, bias}, {hidden}, {}, to_stream(s))[0];
}

Array gru(const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias,
          const std::optional<Array>& bias_hn, const std::optional<Array>& hidden,
          StreamOrDevice s) {
  return run("gru", Recurrence::gru, x, {wx, wh, bias}, {hidden}, bias_hn, to_stream(s))[0];
}

std::pair<Array, Array> lstm(const Array& x, const Array& wx, const Array& wh,
                             const std::optional<Array>& bias, const std::optional<Array>& hidden,
                             const std::optional<Array>& cell, StreamOrDevice s) {
  Arrays out = run("lstm", Recurrence::lstm, x, {wx, wh, bias}, {hidden, cell}, {}, to_stream(s));
  return {out[0], out[1]};
}

}  // namespace fast
}  // namespace heddle
