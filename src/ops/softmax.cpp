#include "ops/softmax.h"

#include <limits>

#include "heddle/ops/pointwise.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/reduce.h"
#include "ops/util.h"

namespace heddle {
namespace {

Dtype working_dtype(Dtype t) { return is_half(t) ? float32 : at_least_float(t); }

// The Jacobian of softmax is symmetric: y * (t - sum(t * y)) for cotangents and tangents alike.
Array softmax_derivative(const Array& y, const Array& t) {
  Stream s = to_stream({});
  Dtype wide = working_dtype(y.dtype());
  Array p = astype(y, wide, s), g = astype(t, wide, s);
  Array scaled = sum(multiply(p, g, s), {-1}, true, s);
  return astype(multiply(p, subtract(g, scaled, s), s), y.dtype(), s);
}

std::vector<int> exponential_axes(const char* op, const Array& a, const std::vector<int>& axes) {
  if (a.ndim() == 0 && !axes.empty()) {
    refuse(op, "Received non-empty axes for array with 0 dimensions.");
  }
  return normalize_axes(op, axes, a.ndim());
}

// Rows of floating numbers.
void check_rows(OpName op, const char* name, const Arrays& in) {
  require_inputs(op, in, 1);
  if (in[0].ndim() == 0 || !is_floating(in[0].dtype())) {
    refuse(name, "Rows of a floating type are wanted, but the input is {} of shape {}.",
           name_of(in[0].dtype()), to_string(in[0].shape()));
  }
}

bool is_last_axis(const std::vector<int>& axes, const Array& a) {
  return axes.size() == 1 && axes[0] == a.ndim() - 1 && !is_complex(a.dtype());
}

// The largest value, for the gradient a constant: it only keeps exponentials in range.
Array largest(const Array& x, const std::vector<int>& axes, const Stream& s) {
  return axes.empty() ? stop_gradient(x, s) : stop_gradient(max(x, axes, true, s), s);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// softmax

void Softmax::check(const Arrays& in) const { check_rows(*this, "softmax", in); }

std::optional<Arrays> Softmax::vjp(const Pull& p) const {
  return Arrays{softmax_derivative(p.out[0], p.g[0])};
}
std::optional<Arrays> Softmax::jvp(const Push& p) const {
  return Arrays{softmax_derivative(p.out[0], p.t[0])};
}

Array softmax(const Array& a, const std::vector<int>& axes, bool precise, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> sorted = exponential_axes("softmax", a, axes);
  Array x = astype(a, at_least_float(a.dtype()), stream);
  if (a.size() == 0) return x;
  if (is_last_axis(sorted, x)) return apply(make_op<Softmax>(precise), {x}, stream);
  Array wide = astype(x, working_dtype(x.dtype()), stream);
  Array e = exp(subtract(wide, largest(wide, sorted, stream), stream), stream);
  return astype(divide(e, sum(e, sorted, true, stream), stream), x.dtype(), stream);
}
Array softmax(const Array& a, int axis, bool precise, StreamOrDevice s) {
  return softmax(a, std::vector<int>{axis}, precise, s);
}
Array softmax(const Array& a, bool precise, StreamOrDevice s) {
  return softmax(a, all_axes(a), precise, s);
}

// ---------------------------------------------------------------------------------------------
// logsumexp

void LogSumExp::check(const Arrays& in) const {
  check_rows(*this, "logsumexp", in);
  if (in[0].shape(-1) == 0) refuse("logsumexp", "Received empty array.");
}
Avals LogSumExp::infer(const Arrays& in) const {
  Shape out = in[0].shape();
  out.back() = 1;
  return {{out, in[0].dtype()}};
}
// The shares of the elements in the sum, in float32 for halves. Infinite elements of one sign share
// alike, as the largest numbers would.
static Array shares(const Array& x, const Stream& s) {
  const Array wide = widened(x, s);
  if (is_complex(wide.dtype())) return softmax(wide, -1, false, s);
  const Array bound(wide.dtype() == float64
                        ? std::numeric_limits<double>::max()
                        : static_cast<double>(std::numeric_limits<float>::max()),
                    wide.dtype());
  return softmax(clip(wide, negative(bound, s), bound, s), -1, false, s);
}
std::optional<Arrays> LogSumExp::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  return Arrays{astype(multiply(widened(p.g[0], s), shares(p.in[0], s), s), p.in[0].dtype(), s)};
}
std::optional<Arrays> LogSumExp::jvp(const Push& p) const {
  const Stream& s = p.stream;
  Array total = sum(multiply(widened(p.t[0], s), shares(p.in[0], s), s), {-1}, true, s);
  return Arrays{astype(total, p.in[0].dtype(), s)};
}

Array logsumexp(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  Stream stream = to_stream(s);
  if (a.size() == 0) refuse("logsumexp", "Received empty array.");
  std::vector<int> sorted = exponential_axes("logsumexp", a, axes);
  Array x = astype(a, at_least_float(a.dtype()), stream);
  Array out;
  if (is_last_axis(sorted, x)) {
    out = apply(make_op<LogSumExp>(), {x}, stream);
  } else {
    Array wide = astype(x, working_dtype(x.dtype()), stream);
    Array top = largest(wide, sorted, stream);
    Array total = sum(exp(subtract(wide, top, stream), stream), sorted, true, stream);
    // An infinite extreme is the result; its differences are NaN.
    out = where(isinf(top, stream), top, add(log(total, stream), top, stream), stream);
    out = astype(out, x.dtype(), stream);
  }
  return keepdims ? out : squeeze(out, sorted, stream);
}
Array logsumexp(const Array& a, bool keepdims, StreamOrDevice s) {
  return logsumexp(a, all_axes(a), keepdims, s);
}

}  // namespace heddle
