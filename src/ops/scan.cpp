#include "ops/scan.h"

#include "heddle/ops.h"
#include "ops/util.h"

namespace heddle {
namespace {

Array scan(const char* name, ScanKind kind, const Array& a, int axis, bool reverse, bool inclusive,
           StreamOrDevice s) {
  int at = normalize_axis(name, axis, a.ndim());
  return apply(make_op<Scan>(kind, at, reverse, inclusive), {a}, to_stream(s));
}

// Derivatives are taken in float32 where the elements are halves.
Array widened(const Array& x, const Stream& s) {
  return is_half(x.dtype()) ? astype(x, float32, s) : x;
}

// out_k is a product of x_i over i <= k (or i < k): d out_k / d x_i = out_k / x_i, as long as x_i
// is before the first zero. At the first zero it is the product without it; behind it, zero.
Array product_gradient(const Scan& op, const Array& x, const Array& g, const Stream& s) {
  auto back = [&](const Array& v) { return cumsum(v, op.axis, !op.reverse, op.inclusive, s); };
  auto products = [&](const Array& v) { return cumprod(v, op.axis, op.reverse, op.inclusive, s); };
  Array zero(0, x.dtype()), one(1, x.dtype());
  Array is_zero = equal(x, zero, s);
  Array zeros_met = cumsum(astype(is_zero, int32, s), op.axis, op.reverse, true, s);
  Array before = equal(zeros_met, Array(0), s);
  Array first = logical_and(is_zero, equal(zeros_met, Array(1), s), s);
  Array by_quotient = divide(back(multiply(products(x), g, s)), where(before, x, one, s), s);
  Array without_first = back(multiply(products(where(first, one, x, s)), g, s));
  return where(before, by_quotient, where(first, without_first, zero, s), s);
}

// d out_k / d x_i = exp(x_i - out_k), split about the largest element so that both factors stay in
// range. Where out_k is -inf nothing but -inf has come so far, and nothing moves it.
Array logarithm_gradient(const Scan& op, const Array& x, const Array& g, const Array& out,
                         const Stream& s) {
  if (x.size() == 0) return g;
  Array zero(0, x.dtype());
  Array top = stop_gradient(max(x, {op.axis}, true, s), s);
  Array scale = where(isfinite(out, s), exp(subtract(top, out, s), s), zero, s);
  Array sums = cumsum(multiply(g, scale, s), op.axis, !op.reverse, op.inclusive, s);
  return multiply(exp(subtract(x, top, s), s), sums, s);
}

// A result is one of the elements so far, of equal ones the latest: it gets the cotangent.
Array extreme_gradient(const Scan& op, const Array& x, const Array& g, const Stream& s) {
  int n = static_cast<int>(x.shape(op.axis));
  Shape along(x.shape().size(), 1);
  along[static_cast<size_t>(op.axis)] = n;
  Array position = reshape(arange(n, s), along, s);
  Array so_far = op.kind == ScanKind::max ? cummax(x, op.axis, op.reverse, true, s)
                                          : cummin(x, op.axis, op.reverse, true, s);
  Array record = equal_nan(x, so_far, s);
  // In the order of the scan positions rise, or fall where it runs in reverse.
  Array none(op.reverse ? n : -1);
  Array marked = where(record, position, none, s);
  Array source = op.reverse ? cummin(marked, op.axis, true, op.inclusive, s)
                            : cummax(marked, op.axis, false, op.inclusive, s);
  // The first result of an exclusive scan is no element.
  Array found = logical_and(greater_equal(source, Array(0), s), less(source, Array(n), s), s);
  return scatter_add_axis(zeros_like(x, s), where(found, source, Array(0), s),
                          where(found, g, Array(0, g.dtype()), s), op.axis, s);
}

}  // namespace

std::optional<Arrays> Scan::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                const Arrays& out) const {
  Stream s = to_stream({});
  const Dtype dtype = in[0].dtype();
  switch (kind) {
    case ScanKind::sum:
      return Arrays{cumsum(g[0], axis, !reverse, inclusive, s)};
    case ScanKind::prod:
    case ScanKind::logaddexp: {
      // A complex cotangent meets the conjugate of the derivative.
      Array x = widened(in[0], s), cotangent = conjugate(widened(g[0], s), s);
      Array gradient = kind == ScanKind::prod
                           ? product_gradient(*this, x, cotangent, s)
                           : logarithm_gradient(*this, x, cotangent, widened(out[0], s), s);
      return Arrays{astype(conjugate(gradient, s), dtype, s)};
    }
    default:
      return Arrays{extreme_gradient(*this, in[0], g[0], s)};
  }
}

std::optional<Op::Batched> Scan::vmap(const Arrays& in, const std::vector<int>& axes,
                                      const Stream& s) const {
  int at = axis + (axis >= axes[0] ? 1 : 0);
  return Batched{{apply(make_op<Scan>(kind, at, reverse, inclusive), in, s)}, {axes[0]}};
}

Array cumsum(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return scan("cumsum", ScanKind::sum, is_bool(a.dtype()) ? astype(a, int32, s) : a, axis, reverse,
              inclusive, s);
}
Array cumprod(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  // A product of bools is their minimum.
  return scan("cumprod", is_bool(a.dtype()) ? ScanKind::min : ScanKind::prod, a, axis, reverse,
              inclusive, s);
}
Array cummax(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return scan("cummax", ScanKind::max, a, axis, reverse, inclusive, s);
}
Array cummin(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return scan("cummin", ScanKind::min, a, axis, reverse, inclusive, s);
}
Array logcumsumexp(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return scan("logcumsumexp", ScanKind::logaddexp, astype(a, at_least_float(a.dtype()), s), axis,
              reverse, inclusive, s);
}

}  // namespace heddle
