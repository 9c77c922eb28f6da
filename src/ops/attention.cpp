#include "ops/attention.h"

#include <cmath>
#include <limits>

#include "heddle/ops/attention.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/products.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

constexpr const char* sdpa = "scaled_dot_product_attention";

void check_operands(const Array& q, const Array& k, const Array& v) {
  if (k.shape(0) != q.shape(0) || v.shape(0) != q.shape(0)) {
    refuse(sdpa, "mismatching batch dimension for inputs with shapes {}, {}, {}.",
           to_string(q.shape()), to_string(k.shape()), to_string(v.shape()));
  }
  if (q.shape(-1) != k.shape(-1)) {
    refuse(sdpa,
           "query, keys expected to have matching last dimension; found query shape {} "
           "for key shape {}.",
           to_string(q.shape()), to_string(k.shape()));
  }
  if (k.shape(1) != v.shape(1) || k.shape(2) != v.shape(2)) {
    refuse(sdpa,
           "keys, values expected to have matching heads and lengths; found key shape "
           "{} for value shape {}.",
           to_string(k.shape()), to_string(v.shape()));
  }
  int64_t heads = q.shape(1), kv = k.shape(1);
  if (kv == 0 || heads % kv != 0) {
    refuse(sdpa, "n_heads must be a multiple of n_kv_heads, found n_heads {} for n_kv_heads {}.",
           heads, kv);
  }
}

void check_rank(const Array& x) {
  if (x.ndim() == 4) return;
  refuse(sdpa, "input with shape {} expected to be rank 4", to_string(x.shape()));
}

void check_sinks(const Array& sinks, const Array& q) {
  if (sinks.ndim() == 1 && sinks.shape(0) == q.shape(1)) return;
  refuse(sdpa, "Received invalid shape for sinks {}.", to_string(sinks.shape()));
}

void check_rotation(const Array& x, int dims, const Array* freqs) {
  if (!is_floating(x.dtype())) {
    refuse("rope", "Input must be a floating type but got {}.", name_of(x.dtype()));
  }
  if (dims <= 0 || dims % 2 != 0) refuse("rope", "dims must be even but got {}.", dims);
  if (dims > x.shape(-1)) {
    refuse("rope", "dims must not exceed the last dimension, {}, but got {}.", x.shape(-1), dims);
  }
  if (freqs && (freqs->ndim() != 1 || freqs->shape(0) != dims / 2)) {
    refuse("rope", "freqs must be one dimensional with size {} but got shape {}.", dims / 2,
           to_string(freqs->shape()));
  }
}

void check_offset(const Array& offset, const Array& x) {
  if (offset.ndim() <= 1 && (offset.size() == 1 || offset.size() == x.shape(0))) return;
  refuse("rope", "offset must be a scalar or vector with {} elements but has shape {}.", x.shape(0),
         to_string(offset.shape()));
}

double lowest(Dtype t) {
  switch (t) {
    case Dtype::float16:
      return -65504.0;
    case Dtype::bfloat16:
      return -0x1.fep127;
    case Dtype::float64:
      return std::numeric_limits<double>::lowest();
    default:
      return std::numeric_limits<float>::lowest();
  }
}

Dtype at_least_float32(Dtype t) { return is_half(t) ? Dtype::float32 : t; }

}  // namespace

void ScaledDotProductAttention::check(const Arrays& in) const {
  require_inputs(*this, in, 3 + size_t{has_mask} + size_t{has_sinks});
  for (size_t i = 0; i < 3; i++) check_rank(in[i]);
  check_operands(in[0], in[1], in[2]);
  const Dtype t = in[0].dtype();
  if (!is_floating(t)) refuse(sdpa, "Received unsupported type {}.", name_of(t));
  for (size_t i = 1; i < in.size(); i++) {
    if (has_mask && i == 3 && is_bool(in[3].dtype())) continue;
    require_dtype(*this, in, i, t);
  }
  if (has_mask) {
    require_shape(sdpa, "The mask", in[3],
                  {in[0].shape(0), in[0].shape(1), in[0].shape(2), in[1].shape(2)});
  }
  if (has_sinks) check_sinks(in.back(), in[0]);
}

Avals ScaledDotProductAttention::infer(const Arrays& in) const {
  Shape out = in[0].shape();
  out.back() = in[2].shape(-1);
  return {{out, in[0].dtype()}};
}

namespace {

// Finite where x is, else 0: so that nothing hidden comes into products as 0 times infinity,
// neither going forward nor going back.
Array finite_part(const Array& x, const Stream& s) {
  return where(isfinite(x, s), x, Array(0, x.dtype()), s);
}

// What infinite and NaN values add to the sums of rows that give them any weight.
Array strange_part(const Array& weights, const Array& v, const Stream& s) {
  const Dtype t = v.dtype();
  const Array weighted = astype(not_equal(weights, Array(0, t), s), t, s);
  auto counted = [&](const Array& which) {
    return not_equal(matmul(weighted, astype(which, t, s), s), Array(0, t), s);
  };
  const Array zero(0, t), infinity(std::numeric_limits<double>::infinity(), t);
  Array above = where(counted(isposinf(v, s)), infinity, zero, s);
  Array below = where(counted(isneginf(v, s)), negative(infinity, s), zero, s);
  Array undefined = where(counted(isnan(v, s)), Array(NAN, t), zero, s);
  return stop_gradient(add(add(above, below, s), undefined, s), s);
}

}  // namespace

std::optional<Arrays> ScaledDotProductAttention::decompose(const Arrays& in,
                                                           const Stream& s) const {
  const Array &q = in[0], &k = in[1];
  int64_t b = q.shape(0), heads = q.shape(1), kv = k.shape(1), lq = q.shape(2), lk = k.shape(2);
  int64_t repeats = kv > 0 ? heads / kv : 1;
  Dtype t = q.dtype();
  auto grouped = [&](const Array& x) {  // heads as (key heads, queries of each)
    return unflatten(x, 1, {kv, repeats}, s);
  };
  auto transposed = [&](const Array& x) { return swapaxes(expand_dims(x, {2}, s), -1, -2, s); };
  Array scores =
      matmul(multiply(grouped(q), Array(scale.value, t), s), transposed(finite_part(k, s)), s);
  // A key with infinite or NaN parts has the score NaN, unless it is hidden.
  Array sound = all(isfinite(k, s), {-1}, true, s);
  scores = where(transposed(sound), scores, Array(NAN, t), s);
  Array minimum(lowest(t), t);
  if (causal) {
    Array row = add(arange(static_cast<int>(lq), s), Array(static_cast<int>(lk - lq)), s);
    Array allowed = greater_equal(expand_dims(row, {1}, s), arange(static_cast<int>(lk), s), s);
    scores = where(allowed, scores, minimum, s);
  }
  if (has_mask) {
    Array mask = grouped(in[3]);
    if (is_bool(mask.dtype())) {
      scores = where(mask, scores, minimum, s);
    } else {
      mask = astype(mask, t, s);
      scores = where(isneginf(mask, s), mask, add(scores, mask, s), s);
    }
  }
  if (has_sinks) {
    Array sinks = broadcast_to(reshape(astype(in.back(), t, s), {1, kv, repeats, 1, 1}, s),
                               {b, kv, repeats, lq, 1}, s);
    scores = concatenate({sinks, scores}, -1, s);
  }
  Array weights = softmax(scores, std::vector<int>{-1}, true, s);
  if (has_sinks) {
    Shape start(5, 0), stop = weights.shape();
    start[4] = 1;
    weights = slice(weights, start, stop, s);
  }
  Array v = expand_dims(in[2], {2}, s);
  Array out = matmul(weights, finite_part(v, s), s);
  // Times the sum of the weights, so that a row that sees infinite or NaN values has no derivative
  // that looks like one.
  Array strange = strange_part(weights, v, s), total = sum(weights, {-1}, true, s);
  const Array zero(0, t);
  strange = where(equal(strange, zero, s), zero, multiply(strange, total, s), s);
  return Arrays{flatten(add(out, strange, s), 1, 2, s)};
}

std::optional<Batched> ScaledDotProductAttention::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  if (has_sinks && b.axes.back() >= 0) return std::nullopt;  // one set of sinks a call
  const int64_t n = batch_size(b.in, b.axes);
  Arrays merged;
  for (size_t i = 0; i < b.in.size(); i++) {
    if (has_sinks && i + 1 == b.in.size()) {
      merged.push_back(b.in[i]);
      continue;
    }
    Array x = b.axes[i] >= 0 ? batch_to_front(b.in[i], b.axes[i]) : expand_dims(b.in[i], {0}, s);
    Shape shape = x.shape();
    shape[0] = n;
    merged.push_back(flatten(broadcast_to(x, shape, s), 0, 1, s));
  }
  Array out = apply(*this, merged, s);
  return Batched{{unflatten(out, 0, {n, out.shape(0) / n}, s)}, {0}};
}

void RoPE::check(const Arrays& in) const {
  require_inputs(*this, in, 2 + size_t{has_freqs});
  require_rank("rope", "Input", in[0], 4);
  check_rotation(in[0], dims, has_freqs ? &in[2] : nullptr);
  require_dtype(*this, in, 1, int32);
  if (in[1].ndim() == 0) refuse("rope", "offset must be a vector.");
  check_offset(in[1], in[0]);
  if (has_freqs) require_dtype(*this, in, 2, float32);
}

std::optional<Arrays> RoPE::decompose(const Arrays& in, const Stream& s) const {
  const Array& x = in[0];
  const int64_t length = x.shape(2), depth = x.shape(3), half = dims / 2;
  // Angles are float64 as in the kernel: those of late positions lose the digits of a float32.
  Array speed;
  if (has_freqs) {
    speed = divide(Array(scale.value, float64), astype(in[2], float64, s), s);
  } else {
    Array exponent = arange(0, dims, 2, float64, s);
    speed = multiply(exp(multiply(exponent, Array(-std::log(double{base}) / dims, float64), s), s),
                     Array(scale.value, float64), s);
  }
  if (inverse) speed = negative(speed, s);
  Array offsets = reshape(astype(in[1], float64, s), {-1, 1, 1, 1}, s);
  Array positions = expand_dims(arange(0, static_cast<double>(length), 1, float64, s), {1}, s);
  Array angles = multiply(add(positions, offsets, s), speed, s);
  Dtype t = at_least_float32(x.dtype());
  Array cosine = astype(cos(angles, s), t, s), sine = astype(sin(angles, s), t, s);

  // The pairs are neighbours, or lie half of the turned dimensions apart.
  Shape stop = x.shape();
  stop[3] = dims;
  Array turning = astype(slice(x, Shape(4, 0), stop, s), t, s);
  int last = traditional ? 4 : 3;
  Array pairs = unflatten(turning, 3, traditional ? Shape{half, 2} : Shape{2, half}, s);
  Array a = take(pairs, 0, last, s), b = take(pairs, 1, last, s);
  Array turned = stack({subtract(multiply(a, cosine, s), multiply(b, sine, s), s),
                        add(multiply(a, sine, s), multiply(b, cosine, s), s)},
                       last, s);
  Array out = astype(flatten(turned, 3, 4, s), x.dtype(), s);
  if (depth > dims) {
    Shape start(4, 0);
    start[3] = dims;
    out = concatenate({out, slice(x, start, x.shape(), s)}, 3, s);
  }
  return Arrays{out};
}

// A rotation is linear, and its transpose turns back. Gradients with respect to the frequencies are
// those of the decomposition.
std::optional<Arrays> RoPE::vjp(const Pull& p) const {
  if (p.wanted != std::vector<int>{0}) return std::nullopt;
  Arrays turned = p.in;
  turned[0] = p.g[0];
  return Arrays{apply(make_op<RoPE>(dims, traditional, base, scale, has_freqs, !inverse),
                      std::move(turned), p.stream)};
}

std::optional<Arrays> RoPE::jvp(const Push& p) const {
  if (p.wanted != std::vector<int>{0}) return std::nullopt;
  Arrays turned = p.in;
  turned[0] = p.t[0];
  return Arrays{apply(*this, std::move(turned), p.stream)};
}

std::optional<Batched> RoPE::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  if (has_freqs && b.axes[2] >= 0) return std::nullopt;  // one set of frequencies a call
  int64_t n = b.axes[0] >= 0 ? b.in[0].shape(b.axes[0]) : b.in[1].shape(b.axes[1]);
  Array x = b.axes[0] >= 0 ? batch_to_front(b.in[0], b.axes[0]) : expand_dims(b.in[0], {0}, s);
  Array offset = b.axes[1] >= 0 ? batch_to_front(b.in[1], b.axes[1]) : expand_dims(b.in[1], {0}, s);
  Shape whole = x.shape();
  whole[0] = n;
  int64_t rows = whole[1];
  Arrays merged = b.in;
  merged[0] = flatten(broadcast_to(x, whole, s), 0, 1, s);
  merged[1] = flatten(broadcast_to(offset, {n, rows}, s), 0, 1, s);
  Array out = apply(*this, merged, s);
  return Batched{{unflatten(out, 0, {n, rows}, s)}, {0}};
}

namespace fast {

Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v, float scale,
                                   const std::string& mask_mode, const std::optional<Array>& mask,
                                   const std::optional<Array>& sinks, bool force_fused,
                                   StreamOrDevice s) {
  for (const Array* x : {&q, &k, &v}) check_rank(*x);
  if (!mask_mode.empty() && mask_mode != "causal" && mask_mode != "array") {
    refuse(sdpa, "invalid mask option '{}'. Must be 'causal', or an array.", mask_mode);
  }
  check_operands(q, k, v);  // before the mask takes its shape from them
  Dtype t = promote_types(promote_types(q.dtype(), k.dtype()), v.dtype());
  if (!is_floating(t)) refuse(sdpa, "Received unsupported type {}.", name_of(t));
  if (mask && !is_bool(mask->dtype()) && promote_types(mask->dtype(), t) != t) {
    refuse(sdpa, "Mask type must promote to output type {}.", name_of(t));
  }
  if (sinks) {
    if (promote_types(sinks->dtype(), t) != t) {
      refuse(sdpa, "Type of sinks must promote to output type {}.", name_of(t));
    }
    check_sinks(*sinks, q);
  }
  if (force_fused)
    refuse(sdpa, "force_fused=True but no fused kernel is available in CPU backend.");
  Stream stream = to_stream(s);
  Arrays in{astype(q, t, stream), astype(k, t, stream), astype(v, t, stream)};
  if (mask) {
    Array m = is_bool(mask->dtype()) ? *mask : astype(*mask, t, stream);
    Shape shape{q.shape(0), q.shape(1), q.shape(2), k.shape(2)};
    if (may_change_size(q) && m.ndim() > 0 && m.shape(-1) == k.shape(2)) {
      broadcast_shapes(m.shape(), shape);  // checks
      Array rows = stop_gradient(max(in[0], {-1}, true, stream), stream);
      in.push_back(apply(make_op<BroadcastLike>(0), {m, rows}, stream));
    } else {
      in.push_back(broadcast_to(m, shape, stream));
    }
  }
  if (sinks) in.push_back(astype(*sinks, t, stream));
  auto op = make_op<ScaledDotProductAttention>(scale, mask_mode == "causal", mask.has_value(),
                                               sinks.has_value());
  // The kernel sums in float32, so float64 is computed by its parts.
  if (t == float64) return (*op->decompose(in, stream))[0];
  Aval out = op->infer(in)[0];  // of what was checked above
  return apply(std::move(op), std::move(in), std::move(out), stream);
}

Array rope(const Array& a, int dims, bool traditional, std::optional<float> base, float scale,
           const Array& offset, const std::optional<Array>& freqs, StreamOrDevice s) {
  if (a.ndim() < 3) {
    refuse("rope", "Input must have at least 3 dimensions but got input with {} dimensions.",
           a.ndim());
  }
  check_rotation(a, dims, freqs ? &*freqs : nullptr);
  if (base && freqs) refuse("rope", "Only one of base or freqs can have a value.");
  if (!base && !freqs) refuse("rope", "Neither base nor freqs has a value.");
  if (!is_integer(offset.dtype())) {
    refuse("rope", "offset must be an integer but got type {}.", name_of(offset.dtype()));
  }
  check_offset(offset, a);
  Stream stream = to_stream(s);
  if (a.size() == 0) return a;
  // Axes between the batch and the positions are one.
  Array four = a.ndim() == 3 ? expand_dims(a, 1, stream) : flatten(a, 1, -3, stream);
  Arrays in{four, reshape(astype(offset, int32, stream), {-1}, stream)};
  if (freqs) in.push_back(astype(*freqs, float32, stream));
  auto op = make_op<RoPE>(dims, traditional, base.value_or(0.0f), scale, freqs.has_value(), false);
  // The kernel turns in float32, so float64 is computed by its parts.
  Array out = a.dtype() == float64
                  ? (*op->decompose(in, stream))[0]
                  : apply(std::move(op), std::move(in), {four.shape(), a.dtype()}, stream);
  if (a.ndim() == 3) return squeeze(out, 1, stream);
  if (a.ndim() == 4) return out;
  return unflatten(out, 1, Shape(a.shape().begin() + 1, a.shape().end() - 2), stream);
}

}  // namespace fast
}  // namespace heddle
