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

Array integer_if_bool(const Array& a, StreamOrDevice s) {
  return is_bool(a.dtype()) ? astype(a, int32, s) : a;
}

}  // namespace

std::optional<Arrays> Scan::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                const Arrays& out) const {
  Stream s = to_stream({});
  auto back = [&](const Array& x) { return cumsum(x, axis, !reverse, inclusive, s); };
  switch (kind) {
    case ScanKind::sum: return Arrays{back(g[0])};
    case ScanKind::prod: {
      // d prod_k / d x_i = prod_k / x_i; MLX's rule, undefined at zeros.
      return Arrays{divide(back(multiply(out[0], g[0], s)), in[0], s)};
    }
    case ScanKind::logaddexp: {
      // d out_k / d x_i = exp(x_i - out_k)
      Array scaled = multiply(g[0], exp(negative(out[0], s), s), s);
      return Arrays{multiply(exp(in[0], s), back(scaled), s)};
    }
    default: {
      // An element gets the cotangents of the results that it is the extreme of: those between it
      // and the next record. With equal values the first of them.
      return std::nullopt;
    }
  }
}

std::optional<Op::Batched> Scan::vmap(const Arrays& in, const std::vector<int>& axes,
                                      const Stream& s) const {
  int at = axis + (axis >= axes[0] ? 1 : 0);
  return Batched{{apply(make_op<Scan>(kind, at, reverse, inclusive), in, s)}, {axes[0]}};
}

Array cumsum(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return scan("cumsum", ScanKind::sum, integer_if_bool(a, s), axis, reverse, inclusive, s);
}
Array cumprod(const Array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return scan("cumprod", ScanKind::prod, integer_if_bool(a, s), axis, reverse, inclusive, s);
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
