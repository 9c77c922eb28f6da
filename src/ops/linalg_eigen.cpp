// Eigenvalues and eigenvectors.
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/products.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/linalg.h"
#include "ops/linalg_util.h"

namespace heddle {
namespace {

Shape without_rows(const Array& a) { return Shape(a.shape().begin(), a.shape().end() - 1); }

void require_for_eigen(const char* op, const Array& a) {
  require_real_or_complex(op, a);
  require_matrices(op, a);
  require_square(op, a, "Only defined for square matrices.");
}

Array hermitian_part(const Array& a) {
  return multiply(add(a, adjoint(a)), Array(0.5, is_complex(a.dtype()) ? float32 : a.dtype()));
}

Array columns_by(const Array& a, const Array& factors) {
  return multiply(a, expand_dims(factors, -2));
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Symmetric and Hermitian matrices: with p = v^H da v, dw = diag(p) and
// dv = v (p / (w_j - w_i)) off the diagonal.

void Eigh::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_for_eigen(vectors ? "eigh" : "eigvalsh", in[0]);
}

Avals Eigh::infer(const Arrays& in) const {
  const Dtype t = in[0].dtype();
  const Aval values{without_rows(in[0]), is_complex(t) ? float32 : t};
  if (!vectors) return {values};
  return {values, {in[0].shape(), t}};
}

std::optional<Arrays> Eigh::vjp(const Pull& p) const {
  if (!vectors) {
    const Array v = apply_multi(make_op<Eigh>(upper, true), {p.in[0]}, p.stream)[1];
    return Arrays{matmul(columns_by(v, p.g[0]), adjoint(v))};
  }
  const Array &w = p.out[0], &v = p.out[1];
  const Array turn = quotient(off_diagonal(matmul(adjoint(v), p.g[1])), differences(w));
  const Array inner = add(turn, diagonal_matrix(p.g[0]));
  return Arrays{hermitian_part(matmul(matmul(v, inner), adjoint(v)))};
}

std::optional<Arrays> Eigh::jvp(const Push& p) const {
  const Arrays parts =
      vectors ? p.out : apply_multi(make_op<Eigh>(upper, true), {p.in[0]}, p.stream);
  const Array &w = parts[0], &v = parts[1];
  const Array moved = matmul(matmul(adjoint(v), hermitian_part(p.t[0])), v);
  Array dw = diagonal_of(moved);
  if (is_complex(moved.dtype())) dw = real(dw);
  if (!vectors) return Arrays{dw};
  return Arrays{dw, matmul(v, quotient(off_diagonal(moved), differences(w)))};
}

// ---------------------------------------------------------------------------------------------
// General matrices: with p = v^-1 da v and q = p / (w_j - w_i) off the diagonal, dw = diag(p) and
// dv = v (q - real diag(v^H v q)), which keeps the norms.

namespace {

// Values and vectors, from `out` if they are there.
Arrays eigen_parts(bool vectors, const Array& a, const Arrays& out) {
  return vectors ? out : apply_multi(make_op<Eig>(true), {a}, to_stream({}));
}

Array solve_complex(const Array& a, const Array& b) {
  return apply(make_op<Solve>(), {a, b}, to_stream({}));
}

}  // namespace

void Eig::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_for_eigen(vectors ? "eig" : "eigvals", in[0]);
}

Avals Eig::infer(const Arrays& in) const {
  const Aval values{without_rows(in[0]), complex64};
  if (!vectors) return {values};
  return {values, {in[0].shape(), complex64}};
}

std::optional<Arrays> Eig::vjp(const Pull& p) const {
  const Arrays parts = eigen_parts(vectors, p.in[0], p.out);
  const Array &w = parts[0], &v = parts[1], vh = adjoint(v);
  Array inner = diagonal_matrix(p.g[0]);
  if (vectors) {
    Array turn = matmul(vh, p.g[1]);
    turn = subtract(turn, columns_by(matmul(vh, v), real(diagonal_of(turn))));
    inner = add(inner, quotient(off_diagonal(turn), conjugate(differences(w))));
  }
  const Array full = solve_complex(vh, matmul(inner, vh));
  return Arrays{is_complex(p.in[0].dtype()) ? full : astype(real(full), p.in[0].dtype())};
}

std::optional<Arrays> Eig::jvp(const Push& p) const {
  const Arrays parts = eigen_parts(vectors, p.in[0], p.out);
  const Array &w = parts[0], &v = parts[1];
  const Array moved = solve_complex(v, matmul(astype(p.t[0], complex64), v));
  const Array dw = diagonal_of(moved);
  if (!vectors) return Arrays{dw};
  const Array q = quotient(off_diagonal(moved), differences(w));
  const Array along = real(diagonal_of(matmul(matmul(adjoint(v), v), q)));
  return Arrays{dw, subtract(matmul(v, q), columns_by(v, along))};
}

namespace linalg {
namespace {

bool is_upper(const std::string& UPLO) {
  return UPLO.empty() || (UPLO[0] != 'L' && UPLO[0] != 'l');
}

}  // namespace

std::pair<Array, Array> eig(const Array& a, StreamOrDevice s) {
  const Arrays parts = apply_multi(make_op<Eig>(true), {a}, to_stream(s));
  return {parts[0], parts[1]};
}
Array eigvals(const Array& a, StreamOrDevice s) {
  return apply(make_op<Eig>(false), {a}, to_stream(s));
}

std::pair<Array, Array> eigh(const Array& a, const std::string& UPLO, StreamOrDevice s) {
  const Arrays parts = apply_multi(make_op<Eigh>(is_upper(UPLO), true), {a}, to_stream(s));
  return {parts[0], parts[1]};
}
Array eigvalsh(const Array& a, const std::string& UPLO, StreamOrDevice s) {
  return apply(make_op<Eigh>(is_upper(UPLO), false), {a}, to_stream(s));
}

}  // namespace linalg
}  // namespace heddle
