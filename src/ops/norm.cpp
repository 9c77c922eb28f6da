#include "ops/norm.h"

#include <algorithm>
#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/index.h"
#include "heddle/ops/norm.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

Array row_mean(const Array& x, const Stream& s) { return mean(x, {-1}, true, s); }

// 1 / sqrt(mean x^2 + eps) of each row.
Array inverse_root(const Array& x, float eps, const Stream& s) {
  Array scale(1, x.dtype());
  if (x.shape(-1) > 0) {
    scale = maximum(scale_for_squares(max(abs(x, s), {-1}, true, s), s), scale, s);
  }
  // The scale is a power of two: a product with its reciprocal is as exact as a quotient.
  const Array squares = row_mean(square(multiply(x, reciprocal(scale, s), s)), s);
  const Array least = divide(divide(Array(eps, x.dtype()), scale, s), scale, s);
  return divide(rsqrt(add(squares, least, s), s), scale, s);
}

// The sum over all rows, in the dtype of `like`.
Array over_rows(const Array& x, const Array& like, const Stream& s) {
  std::vector<int> rows(static_cast<size_t>(x.ndim() - 1));
  std::iota(rows.begin(), rows.end(), 0);
  return astype(sum(x, rows, false, s), like.dtype(), s);
}

// Of y = (x - c) * r, where r scales rows to unit mean square: the cotangent of x for that of y.
// Where rows are centred, c is their mean.
Array through_norm(const Array& g, const Array& y, const Array& r, bool centred, const Stream& s) {
  Array rest = subtract(g, multiply(y, row_mean(multiply(g, y, s), s), s), s);
  if (centred) rest = subtract(rest, row_mean(g, s), s);
  return multiply(rest, r, s);
}

// Rows in any number, if nothing but x has a batch axis.
std::optional<Batched> more_rows(const OpRef& op, const Arrays& in, const std::vector<int>& axes,
                                 const Stream& s) {
  if (std::any_of(axes.begin() + 1, axes.end(), [](int a) { return a >= 0; })) return std::nullopt;
  Arrays inputs = in;
  inputs[0] = batch_to_front(in[0], axes[0]);
  return Batched{{apply(op, inputs, s)}, {0}};
}

void require_rows(const char* op, const char* what, const Array& x) {
  if (x.ndim() > 0) return;
  refuse(op, "{} must have at least 1 dimension but got input with 0 dimensions.", what);
}

void require_row(const char* op, const char* what, const Array& a, const Array& x) {
  if (a.ndim() != 1) {
    refuse(op, "{} must have 1 dimension but has {} dimensions.", what, a.ndim());
  }
  if (a.size() != x.shape(-1)) {
    refuse(op,
           "{} must have the same size as the last dimension of x but has {} "
           "elements.",
           what, a.size());
  }
}

void require_one_floating(OpName op, const char* name, const Arrays& in) {
  if (!is_floating(in[0].dtype())) {
    refuse(name, "Received unsupported type {}.", name_of(in[0].dtype()));
  }
  require_one_dtype(op, in);
}

Arrays pick(const Arrays& all, const std::vector<int>& argnums) {
  Arrays out;
  for (int i : argnums) out.push_back(all[static_cast<size_t>(i)]);
  return out;
}

Avals shapes_of(const Arrays& in, size_t first) {
  Avals out;
  for (size_t i = first; i < in.size(); i++) out.push_back({in[i].shape(), in[i].dtype()});
  return out;
}

// What a norm's derivative takes: the cotangent, the input, and the weight if there is one.
void check_pulled(OpName op, const char* name, const char* weight, bool has_weight,
                  const Arrays& in) {
  require_inputs(op, in, 2 + size_t{has_weight});
  require_rows(name, "Input", in[1]);
  require_shape(name, "The cotangent", in[0], in[1].shape());
  if (has_weight) require_row(name, weight, in[2], in[1]);
  require_one_floating(op, name, in);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// layer norm

void LayerNorm::check(const Arrays& in) const {
  constexpr const char* op = "layer_norm";
  require_inputs(*this, in, 1 + size_t{has_weight} + size_t{has_bias});
  require_rows(op, "Input", in[0]);
  if (has_weight) require_row(op, "weight", in[1], in[0]);
  if (has_bias) require_row(op, "bias", in.back(), in[0]);
  require_one_floating(*this, op, in);
}

std::optional<Arrays> LayerNorm::vjp(const Pull& p) const {
  Arrays inputs{astype(p.g[0], p.in[0].dtype()), p.in[0]};
  if (has_weight) inputs.push_back(p.in[1]);
  return pick(apply_multi(make_op<LayerNormVJP>(eps, has_weight, has_bias), inputs, p.stream),
              p.wanted);
}

std::optional<Batched> LayerNorm::vmap(const Batch& b) const {
  return more_rows(make_op(*this), b.in, b.axes, b.stream);
}

std::optional<Arrays> LayerNorm::decompose(const Arrays& in, const Stream& s) const {
  Array x = widened(in[0], s);
  Array centred = subtract(x, row_mean(x, s), s);
  Array y = multiply(centred, inverse_root(centred, eps, s), s);
  if (has_weight) y = multiply(y, widened(in[1], s), s);
  if (has_bias) y = add(y, widened(in.back(), s), s);
  return Arrays{astype(y, in[0].dtype(), s)};
}

void LayerNormVJP::check(const Arrays& in) const {
  check_pulled(*this, "layer_norm", "weight", has_weight, in);
}

Avals LayerNormVJP::infer(const Arrays& in) const {
  Avals out = shapes_of(in, 1);
  if (has_bias) out.push_back({Shape{in[1].shape(-1)}, in[1].dtype()});
  return out;
}

std::optional<Arrays> LayerNormVJP::decompose(const Arrays& in, const Stream& s) const {
  Array g = widened(in[0], s), x = widened(in[1], s);
  Array centred = subtract(x, row_mean(x, s), s);
  Array r = inverse_root(centred, eps, s);
  Array y = multiply(centred, r, s);
  Array gy = has_weight ? multiply(g, widened(in[2], s), s) : g;
  Arrays out{astype(through_norm(gy, y, r, true, s), in[1].dtype(), s)};
  if (has_weight) out.push_back(over_rows(multiply(g, y, s), in[2], s));
  if (has_bias) out.push_back(over_rows(g, in[1], s));
  return out;
}

// ---------------------------------------------------------------------------------------------
// root-mean-square norm

void RMSNorm::check(const Arrays& in) const {
  constexpr const char* op = "rms_norm";
  require_inputs(*this, in, 1 + size_t{has_weight});
  require_rows(op, "Input", in[0]);
  if (has_weight) require_row(op, "(*weight)", in[1], in[0]);
  require_one_floating(*this, op, in);
}

std::optional<Arrays> RMSNorm::vjp(const Pull& p) const {
  Arrays inputs{astype(p.g[0], p.in[0].dtype()), p.in[0]};
  if (has_weight) inputs.push_back(p.in[1]);
  return pick(apply_multi(make_op<RMSNormVJP>(eps, has_weight), inputs, p.stream), p.wanted);
}

std::optional<Batched> RMSNorm::vmap(const Batch& b) const {
  return more_rows(make_op(*this), b.in, b.axes, b.stream);
}

std::optional<Arrays> RMSNorm::decompose(const Arrays& in, const Stream& s) const {
  Array x = widened(in[0], s);
  Array y = multiply(x, inverse_root(x, eps, s), s);
  if (has_weight) y = multiply(y, widened(in[1], s), s);
  return Arrays{astype(y, in[0].dtype(), s)};
}

void RMSNormVJP::check(const Arrays& in) const {
  check_pulled(*this, "rms_norm", "(*weight)", has_weight, in);
}

Avals RMSNormVJP::infer(const Arrays& in) const { return shapes_of(in, 1); }

std::optional<Arrays> RMSNormVJP::decompose(const Arrays& in, const Stream& s) const {
  Array g = widened(in[0], s), x = widened(in[1], s);
  Array r = inverse_root(x, eps, s);
  Array y = multiply(x, r, s);
  Array gy = has_weight ? multiply(g, widened(in[2], s), s) : g;
  Arrays out{astype(through_norm(gy, y, r, false, s), in[1].dtype(), s)};
  if (has_weight) out.push_back(over_rows(multiply(g, y, s), in[2], s));
  return out;
}

// ---------------------------------------------------------------------------------------------
// Public functions

namespace fast {

Array rms_norm(const Array& x, const std::optional<Array>& weight, float eps, StreamOrDevice s) {
  Dtype t = weight ? promote_types(x.dtype(), weight->dtype()) : x.dtype();
  Arrays inputs{astype(x, t, s)};
  if (weight) inputs.push_back(astype(*weight, t, s));
  return apply(make_op<RMSNorm>(eps, weight.has_value()), inputs, to_stream(s));
}

Array layer_norm(const Array& x, const std::optional<Array>& weight,
                 const std::optional<Array>& bias, float eps, StreamOrDevice s) {
  Dtype t = x.dtype();
  if (weight) t = promote_types(t, weight->dtype());
  if (weight && bias) t = promote_types(t, bias->dtype());
  Arrays inputs{astype(x, t, s)};
  if (weight) inputs.push_back(astype(*weight, t, s));
  if (bias) inputs.push_back(astype(*bias, t, s));
  return apply(make_op<LayerNorm>(eps, weight.has_value(), bias.has_value()), inputs, to_stream(s));
}

Array cross_entropy(const Array& logits, const Array& targets, StreamOrDevice s) {
  require_rows("cross_entropy", "logits", logits);
  if (!is_floating(logits.dtype())) {
    refuse("cross_entropy", "Received unsupported logits type {}.", name_of(logits.dtype()));
  }
  if (!is_integer(targets.dtype())) {
    refuse("cross_entropy", "targets must be integer class indices but got {}.",
           name_of(targets.dtype()));
  }
  Shape rows(logits.shape().begin(), logits.shape().end() - 1);
  if (!(targets.shape() == rows)) {
    refuse("cross_entropy",
           "targets shape {} does not match logits shape {} with the last "
           "axis removed.",
           to_string(targets.shape()), to_string(logits.shape()));
  }
  Array x = is_half(logits.dtype()) ? astype(logits, float32, s) : logits;
  Array index = expand_dims(targets, -1, s);
  if (may_change_size(logits)) {  // states that there is one target for each row
    index = exactly_like(index, stop_gradient(max(logits, {-1}, true, s), s), to_stream(s));
  }
  // From the narrow logits: only one element of each row is converted.
  Array picked = astype(take_along_axis(logits, index, -1, s), x.dtype(), s);
  // Logits count from the chosen one: two large numbers would have a difference of few digits.
  Array from = stop_gradient(where(isfinite(picked, s), picked, Array(0, x.dtype()), s), s);
  Array all = logsumexp(subtract(x, from, s), {-1}, true, s);
  return astype(squeeze(subtract(all, subtract(picked, from, s), s), -1, s), float32, s);
}

}  // namespace fast
}  // namespace heddle
