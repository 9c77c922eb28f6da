#include "ops/scan.h"

#include <algorithm>
#include <limits>

#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {
namespace {

Array scan(const char* name, ScanKind kind, const Array& a, int axis, bool reverse, bool inclusive,
           StreamOrDevice s) {
  int at = normalize_axis(name, axis, a.ndim());
  return apply(make_op<Scan>(kind, at, reverse, inclusive), {a}, to_stream(s));
}

// What derivatives of products and exponentials are taken in: numbers whose exponents have room for
// what no result holds.
Array with_room(const Array& x, const Stream& s) {
  return is_floating(x.dtype()) ? astype(x, float64, s) : x;
}

// out_k is a product of x_i over i <= k (or i < k): d out_k / d x_i = out_k / x_i, but for zeros
// and what is not finite. Up to and at the first of them it is the product without it; from a
// second one on all is 0, infinite or NaN, as out_k is.
struct ProductParts {
  Array x, first, divisor, without_first;

  ProductParts(const Scan& op, const Array& given, const Stream& s) : x(given) {
    const Array one(1, x.dtype());
    const Array special =
        logical_or(equal(x, Array(0, x.dtype()), s), logical_not(isfinite(x, s), s), s);
    const Array met = cumsum(astype(special, int32, s), op.axis, op.reverse, true, s);
    first = logical_and(special, equal(met, Array(1), s), s);
    divisor = where(special, one, x, s);
    without_first = where(first, one, x, s);
  }
};

Array product_gradient(const Scan& op, const Array& x, const Array& g, const Stream& s) {
  auto back = [&](const Array& v) { return cumsum(v, op.axis, !op.reverse, op.inclusive, s); };
  auto products = [&](const Array& v) { return cumprod(v, op.axis, op.reverse, op.inclusive, s); };
  const ProductParts parts(op, x, s);
  Array by_quotient = divide(back(multiply(products(x), g, s)), parts.divisor, s);
  return where(parts.first, back(multiply(products(parts.without_first), g, s)), by_quotient, s);
}

// The transpose of it.
Array product_tangent(const Scan& op, const Array& x, const Array& t, const Stream& s) {
  auto so_far = [&](const Array& v) { return cumsum(v, op.axis, op.reverse, op.inclusive, s); };
  auto products = [&](const Array& v) { return cumprod(v, op.axis, op.reverse, op.inclusive, s); };
  const ProductParts parts(op, x, s);
  const Array zero(0, x.dtype());
  auto scaled = [&](const Array& product, const Array& sum) {  // what has no share is no 0 * inf
    return where(equal(sum, zero, s), zero, multiply(product, sum, s), s);
  };
  const Array others = so_far(divide(where(parts.first, zero, t, s), parts.divisor, s));
  return add(scaled(products(x), others),
             scaled(products(parts.without_first), so_far(where(parts.first, t, zero, s))), s);
}

// What stands `by` places further in the direction of the scan; `beyond` its end.
Array further(const Scan& op, const Array& x, int64_t by, const Array& beyond, const Stream& s) {
  const size_t at = static_cast<size_t>(op.axis);
  Shape start(x.shape().size(), slice_end), stop = start, gap = x.shape();
  gap[at] = std::min(by, gap[at]);
  const Array none = broadcast_to(beyond, gap, s);
  (op.reverse ? stop : start)[at] = op.reverse ? x.shape(op.axis) - gap[at] : by;
  const Array rest = slice(x, start, stop, s);
  return concatenate(op.reverse ? Arrays{none, rest} : Arrays{rest, none}, op.axis, s);
}

// d out_k / d x_i = exp(x_i - out_k), taken as exp(x_i - m_i) exp(m_i - m_k) / S_k with the largest
// element so far, m, and S_k, the sum of exp(x_j - m_k) so far: each factor is at most 1, and none
// takes the digits of another. Sums over k >= i are taken over 1, 2, 4, ... places, and so is S.
// Infinite elements count as the largest numbers there are, which share what is infinite; where all
// so far are -inf, nothing moves the result.
Array logarithm_gradient(const Scan& op, const Array& x, Array g, const Stream& s) {
  if (x.size() == 0) return g;
  const Array zero(0, x.dtype());
  if (!op.inclusive) g = further(op, g, 1, zero, s);
  const int64_t n = x.shape(op.axis);
  if (is_complex(x.dtype())) {
    const Array out = logcumsumexp(x, op.axis, op.reverse, true, s);
    const Array bound(std::numeric_limits<float>::max(), x.dtype());
    for (int64_t by = 1; by < n; by *= 2) {
      const Array factor = exp(subtract(out, further(op, out, by, bound, s), s), s);
      g = add(g, multiply(factor, further(op, g, by, zero, s), s), s);
    }
    return multiply(exp(subtract(x, out, s), s), g, s);
  }
  const Array bound(std::numeric_limits<double>::max(), float64), least = negative(bound, s);
  const Scan back{op.kind, op.axis, !op.reverse, op.inclusive};
  const Array own = clip(x, least, bound, s);
  Array most = own, total = ones_like(own, s);
  for (int64_t by = 1; by < n; by *= 2) {
    const Array before = further(back, most, by, least, s);
    const Array joint = maximum(most, before, s);
    total =
        add(multiply(total, exp(subtract(most, joint, s), s), s),
            multiply(further(back, total, by, zero, s), exp(subtract(before, joint, s), s), s), s);
    most = joint;
  }
  Array sums = where(equal(most, least, s), zero, divide(g, total, s), s);
  for (int64_t by = 1; by < n; by *= 2) {
    const Array factor = exp(subtract(most, further(op, most, by, bound, s), s), s);
    sums = add(sums, multiply(factor, further(op, sums, by, zero, s), s), s);
  }
  return multiply(exp(subtract(own, most, s), s), sums, s);
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

void Scan::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  const Dtype t = in[0].dtype();
  const bool fits = kind == ScanKind::logaddexp
                        ? is_inexact(t)
                        : kind == ScanKind::max || kind == ScanKind::min || !is_bool(t);
  if (!fits) refuse("cumsum", "{} is not taken by this scan.", name_of(t));
}

std::optional<Arrays> Scan::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  const Dtype dtype = p.in[0].dtype();
  switch (kind) {
    case ScanKind::sum:
      return Arrays{cumsum(p.g[0], axis, !reverse, inclusive, s)};
    case ScanKind::prod:
    case ScanKind::logaddexp: {
      // A complex cotangent meets the conjugate of the derivative.
      Array x = with_room(p.in[0], s), cotangent = conjugate(with_room(p.g[0], s), s);
      Array gradient = kind == ScanKind::prod ? product_gradient(*this, x, cotangent, s)
                                              : logarithm_gradient(*this, x, cotangent, s);
      return Arrays{astype(conjugate(gradient, s), dtype, s)};
    }
    default:
      return Arrays{extreme_gradient(*this, p.in[0], p.g[0], s)};
  }
}

// The other kinds are linear, or are given by the transpose of their vjp.
std::optional<Arrays> Scan::jvp(const Push& p) const {
  if (kind != ScanKind::prod) return std::nullopt;
  const Stream& s = p.stream;
  const Array moved = product_tangent(*this, with_room(p.in[0], s), with_room(p.t[0], s), s);
  return Arrays{astype(moved, p.in[0].dtype(), s)};
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
