// Cholesky and QR factorizations.
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/products.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/linalg.h"
#include "ops/linalg_util.h"

namespace heddle {
namespace {

Array transposed(const Array& a) { return swapaxes(a, -1, -2); }

Array solve_lower(const Array& l, const Array& b) {
  return apply(make_op<SolveTriangular>(false), {l, b}, to_stream({}));
}
Array solve_upper(const Array& u, const Array& b) {
  return apply(make_op<SolveTriangular>(true), {u, b}, to_stream({}));
}

// x r^-T for upper triangular r.
Array over_transposed(const Array& x, const Array& r) {
  return transposed(solve_upper(r, transposed(x)));
}
// x r^-1.
Array over(const Array& x, const Array& r) {
  return transposed(solve_lower(transposed(r), transposed(x)));
}

// The lower triangle with half the diagonal: what is L for a = L + L^T.
Array half_of(const Array& a) {
  const Array half = multiply(diagonal_matrix(diagonal_of(a)), Array(0.5, a.dtype()));
  return subtract(tril(a), half);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Cholesky: a = l l^T gives dl = l half(l^-1 da l^-T), where half(x) + half(x)^T = x.

void Cholesky::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_real("cholesky", in[0]);
  require_matrices("cholesky", in[0]);
  require_square("cholesky", in[0], "Cholesky decomposition is only defined for square matrices.");
}

Avals Cholesky::infer(const Arrays& in) const { return {{in[0].shape(), in[0].dtype()}}; }

std::optional<Arrays> Cholesky::vjp(const Pull& p) const {
  const Array l = upper ? transposed(p.out[0]) : p.out[0];
  const Array gl = upper ? transposed(p.g[0]) : p.g[0];
  const Array lt = transposed(l);
  const Array left = solve_upper(lt, half_of(matmul(lt, gl)));       // l^-T k
  const Array both = transposed(solve_upper(lt, transposed(left)));  // l^-T k l^-1
  return Arrays{multiply(add(both, transposed(both)), Array(0.5, both.dtype()))};
}
std::optional<Arrays> Cholesky::jvp(const Push& p) const {
  const Array l = upper ? transposed(p.out[0]) : p.out[0];
  const Array da = multiply(add(p.t[0], transposed(p.t[0])), Array(0.5, p.t[0].dtype()));
  const Array inner = solve_lower(l, transposed(solve_lower(l, da)));  // symmetric
  const Array dl = matmul(l, half_of(inner));
  return Arrays{upper ? transposed(dl) : dl};
}

// ---------------------------------------------------------------------------------------------
// QR. For M >= N: with c = q^T da r^-1 and w = tril(c, -1) - tril(c, -1)^T,
//   dq = q w + (da r^-1 - q c),  dr = (c - w) r.
// A wide matrix is the QR of its first M columns, and r = q^T a for the others.

void QR::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_real("qr", in[0]);
  require_matrices("qr", in[0]);
}

Avals QR::infer(const Arrays& in) const {
  Shape q = in[0].shape(), r = q;
  const int64_t k = std::min(in[0].shape(-2), in[0].shape(-1));
  q.back() = k;
  r[r.size() - 2] = k;
  return {{q, in[0].dtype()}, {r, in[0].dtype()}};
}

std::optional<Arrays> QR::decompose(const Arrays& in, const Stream& s) const {
  const int64_t m = in[0].shape(-2), n = in[0].shape(-1);
  if (m >= n) return std::nullopt;
  const Arrays square = apply_multi(*this, {block(in[0], 0, m, 0, m)}, s);
  const Array rest = matmul(transposed(square[0]), block(in[0], 0, m, m, n));
  return Arrays{square[0], concatenate({square[1], rest}, -1)};
}
std::optional<Arrays> QR::vjp(const Pull& p) const {
  if (p.in[0].shape(-2) < p.in[0].shape(-1)) return std::nullopt;
  const Array &q = p.out[0], &r = p.out[1];
  const Array m = subtract(matmul(r, transposed(p.g[1])), matmul(transposed(p.g[0]), q));
  const Array symmetric = add(tril(m), transposed(tril(m, -1)));
  return Arrays{over_transposed(add(p.g[0], matmul(q, symmetric)), r)};
}
std::optional<Arrays> QR::jvp(const Push& p) const {
  if (p.in[0].shape(-2) < p.in[0].shape(-1)) return std::nullopt;
  const Array &q = p.out[0], &r = p.out[1];
  const Array scaled = over(p.t[0], r);
  const Array c = matmul(transposed(q), scaled);
  const Array below = tril(c, -1);
  const Array w = subtract(below, transposed(below));
  const Array dq = add(scaled, matmul(q, subtract(w, c)));
  return Arrays{dq, triu(matmul(subtract(c, w), r))};
}

namespace linalg {

Array cholesky(const Array& a, bool upper, StreamOrDevice s) {
  return apply(make_op<Cholesky>(upper), {a}, to_stream(s));
}

std::pair<Array, Array> qr(const Array& a, StreamOrDevice s) {
  const Arrays parts = apply_multi(make_op<QR>(), {a}, to_stream(s));
  return {parts[0], parts[1]};
}

}  // namespace linalg
}  // namespace heddle
