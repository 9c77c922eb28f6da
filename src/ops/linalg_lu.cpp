// LU factorization and determinants.
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/products.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "heddle/ops/sort.h"
#include "ops/checks.h"
#include "ops/linalg.h"
#include "ops/linalg_util.h"

namespace heddle {
namespace {

Array transposed(const Array& a) { return swapaxes(a, -1, -2); }

Array solve_with(bool upper, const Array& triangle, const Array& b) {
  return apply(make_op<SolveTriangular>(upper), {triangle, b}, to_stream({}));
}

// The parts of a packed factorization; k = min(M, N).
struct Packed {
  Array l, u;    // of the first k rows and columns
  Array lower;   // the rows of L beyond k, if M > N
  Array beside;  // the columns of U beyond k, if N > M
};

// Splits in the same way what belongs to the packed matrix, l without a diagonal.
Packed split(const Array& packed) {
  const int64_t m = packed.shape(-2), n = packed.shape(-1), k = std::min(m, n);
  const Array square = block(packed, 0, k, 0, k);
  Packed parts{tril(square, -1), triu(square), {}, {}};
  if (m > k) parts.lower = block(packed, k, m, 0, k);
  if (n > k) parts.beside = block(packed, 0, k, k, n);
  return parts;
}
Packed factors(const Array& packed) {
  Packed parts = split(packed);
  parts.l = add(parts.l, eye(static_cast<int>(parts.l.shape(-1)), parts.l.dtype()));
  return parts;
}

Array join(const Array& square, const Array& below, const Array& beside) {
  if (below) return concatenate({square, below}, -2);
  if (beside) return concatenate({square, beside}, -1);
  return square;
}

Array x_over_u(const Array& x, const Array& u) {  // x u^-1
  return transposed(solve_with(false, transposed(u), transposed(x)));
}
Array x_over_ut(const Array& x, const Array& u) {  // x u^-T
  return transposed(solve_with(true, u, transposed(x)));
}

Array rows_of(const Array& a, const Array& order) {
  return take_along_axis(a, expand_dims(order, -1), -2);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// LU. With b the argument's rows in their new order and f = l^-1 db u^-1,
//   dl = l tril(f, -1),  du = triu(f) u;
// of a tall or wide matrix that holds for its first rows and columns, and the others are
//   lower = b u^-1, beside = l^-1 b.

void LU::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_real("lu", in[0]);
  require_matrices("lu", in[0]);
}

Avals LU::infer(const Arrays& in) const {
  Shape rows(in[0].shape().begin(), in[0].shape().end() - 1), pivots = rows;
  pivots.back() = std::min(in[0].shape(-2), in[0].shape(-1));
  return {{in[0].shape(), in[0].dtype()}, {pivots, uint32}, {rows, uint32}};
}

std::optional<Arrays> LU::vjp(const Pull& p) const {
  const Packed lu = factors(p.out[0]);
  Packed q = split(p.g[0]);
  Array below, beside;
  if (lu.lower) {
    below = x_over_ut(q.lower, lu.u);
    q.u = subtract(q.u, triu(matmul(transposed(lu.lower), below)));
  }
  if (lu.beside) {
    beside = solve_with(true, transposed(lu.l), q.beside);
    q.l = subtract(q.l, tril(matmul(beside, transposed(lu.beside)), -1));
  }
  const Array inner =
      add(tril(matmul(transposed(lu.l), q.l), -1), triu(matmul(q.u, transposed(lu.u))));
  const Array square = solve_with(true, transposed(lu.l), x_over_ut(inner, lu.u));
  return Arrays{rows_of(join(square, below, beside), p.out[2])};
}

std::optional<Arrays> LU::jvp(const Push& p) const {
  const Packed lu = factors(p.out[0]);
  const int64_t m = p.t[0].shape(-2), n = p.t[0].shape(-1), k = std::min(m, n);
  const Array moved = rows_of(p.t[0], argsort(p.out[2], -1));
  const Array f = x_over_u(solve_with(false, lu.l, block(moved, 0, k, 0, k)), lu.u);
  const Array dl = matmul(lu.l, tril(f, -1)), du = matmul(triu(f), lu.u);
  Array below, beside;
  if (lu.lower) {
    below = x_over_u(subtract(block(moved, k, m, 0, k), matmul(lu.lower, du)), lu.u);
  }
  if (lu.beside) {
    beside = solve_with(false, lu.l, subtract(block(moved, 0, k, k, n), matmul(dl, lu.beside)));
  }
  return Arrays{join(add(dl, du), below, beside), zeros_like(p.out[1]), zeros_like(p.out[2])};
}

// ---------------------------------------------------------------------------------------------
// Determinants

namespace {

Aval per_matrix(const Array& a) {
  return {Shape(a.shape().begin(), a.shape().end() - 2), a.dtype()};
}

void check_determinant(OpName op, const char* name, const Arrays& in) {
  require_inputs(op, in, 1);
  require_matrices(name, in[0]);
  require_square(name, in[0], "Only defined for square matrices.");
  require_real(name, in[0]);
}

Array spread(const Array& scalar) { return expand_dims(scalar, {-1, -2}); }

Array cofactors(const Array& a) { return apply(make_op<Cofactors>(), {a}, to_stream({})); }

// The sum of products of elements.
Array inner_product(const Array& a, const Array& b) { return sum(multiply(a, b), {-2, -1}); }

}  // namespace

void Det::check(const Arrays& in) const { check_determinant(*this, "det", in); }
void SLogDet::check(const Arrays& in) const { check_determinant(*this, "slogdet", in); }
void Cofactors::check(const Arrays& in) const { check_determinant(*this, "det", in); }

Avals Det::infer(const Arrays& in) const { return {per_matrix(in[0])}; }

std::optional<Arrays> Det::vjp(const Pull& p) const {
  return Arrays{multiply(spread(p.g[0]), cofactors(p.in[0]))};
}
std::optional<Arrays> Det::jvp(const Push& p) const {
  return Arrays{inner_product(p.t[0], cofactors(p.in[0]))};
}

Avals SLogDet::infer(const Arrays& in) const { return {per_matrix(in[0]), per_matrix(in[0])}; }

std::optional<Arrays> SLogDet::vjp(const Pull& p) const {
  return Arrays{multiply(spread(p.g[1]), transposed(linalg::inv(p.in[0])))};
}
std::optional<Arrays> SLogDet::jvp(const Push& p) const {
  return Arrays{zeros_like(p.out[0]), inner_product(p.t[0], transposed(linalg::inv(p.in[0])))};
}

Avals Cofactors::infer(const Arrays& in) const { return {{in[0].shape(), in[0].dtype()}}; }

std::optional<Arrays> Cofactors::decompose(const Arrays& in, const Stream& s) const {
  const Array determinant = apply(make_op<Det>(), {in[0]}, s);
  return Arrays{multiply(spread(determinant), transposed(linalg::inv(in[0], s)))};
}

namespace linalg {
namespace {

// The stack in a dtype that LAPACK knows.
Array for_determinant(const char* op, const Array& a, StreamOrDevice s) {
  if (is_complex(a.dtype())) refuse_matrices(op, "Complex inputs are not supported.");
  return astype(a, a.dtype() == float64 ? float64 : float32, s);
}

}  // namespace

Arrays lu(const Array& a, StreamOrDevice s) {
  require_real("lu", a);
  require_matrices("lu", a);
  const int64_t m = a.shape(-2), n = a.shape(-1), k = std::min(m, n);
  const Arrays parts = apply_multi(make_op<LU>(), {a}, to_stream(s));
  const Array one = eye(static_cast<int>(m), static_cast<int>(k), 0, a.dtype(), s);
  return {parts[2], add(tril(block(parts[0], 0, m, 0, k), -1, s), one, s),
          triu(block(parts[0], 0, k, 0, n), 0, s)};
}

std::pair<Array, Array> lu_factor(const Array& a, StreamOrDevice s) {
  require_real("lu_factor", a);
  require_matrices("lu_factor", a);
  const Arrays parts = apply_multi(make_op<LU>(), {a}, to_stream(s));
  return {parts[0], parts[1]};
}

Array det(const Array& a, StreamOrDevice s) {
  const Array x = for_determinant("det", a, s);
  return astype(apply(make_op<Det>(), {x}, to_stream(s)), at_least_float(a.dtype()), s);
}

std::pair<Array, Array> slogdet(const Array& a, StreamOrDevice s) {
  const Array x = for_determinant("slogdet", a, s);
  const Arrays parts = apply_multi(make_op<SLogDet>(), {x}, to_stream(s));
  const Dtype t = at_least_float(a.dtype());
  return {astype(parts[0], t, s), astype(parts[1], t, s)};
}

}  // namespace linalg
}  // namespace heddle
