// Eigenvalues and eigenvectors.
#include "heddle/ops.h"
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

std::optional<Arrays> Eigh::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                const Arrays& out) const {
  if (!vectors) {
    const Array v = apply_multi(make_op<Eigh>(upper, true), {in[0]}, to_stream({}))[1];
    return Arrays{matmul(columns_by(v, g[0]), adjoint(v))};
  }
  const Array &w = out[0], &v = out[1];
  const Array turn = quotient(off_diagonal(matmul(adjoint(v), g[1])), differences(w));
  const Array inner = add(turn, diagonal_matrix(g[0]));
  return Arrays{hermitian_part(matmul(matmul(v, inner), adjoint(v)))};
}

std::optional<Arrays> Eigh::jvp(const Arrays& in, const Arrays& t, const std::vector<int>&,
                                const Arrays& out) const {
  const Arrays parts =
      vectors ? out : apply_multi(make_op<Eigh>(upper, true), {in[0]}, to_stream({}));
  const Array &w = parts[0], &v = parts[1];
  const Array p = matmul(matmul(adjoint(v), hermitian_part(t[0])), v);
  Array dw = diagonal_of(p);
  if (is_complex(p.dtype())) dw = real(dw);
  if (!vectors) return Arrays{dw};
  return Arrays{dw, matmul(v, quotient(off_diagonal(p), differences(w)))};
}

std::optional<Op::Batched> Eigh::vmap(const Arrays& in, const std::vector<int>& axes,
                                      const Stream& s) const {
  return more_matrices(*this, in, axes, vectors ? 2 : 1, s);
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

std::optional<Arrays> Eig::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                               const Arrays& out) const {
  const Arrays parts = eigen_parts(vectors, in[0], out);
  const Array &w = parts[0], &v = parts[1], vh = adjoint(v);
  Array inner = diagonal_matrix(g[0]);
  if (vectors) {
    Array turn = matmul(vh, g[1]);
    turn = subtract(turn, columns_by(matmul(vh, v), real(diagonal_of(turn))));
    inner = add(inner, quotient(off_diagonal(turn), conjugate(differences(w))));
  }
  const Array full = solve_complex(vh, matmul(inner, vh));
  return Arrays{is_complex(in[0].dtype()) ? full : astype(real(full), in[0].dtype())};
}

std::optional<Arrays> Eig::jvp(const Arrays& in, const Arrays& t, const std::vector<int>&,
                               const Arrays& out) const {
  const Arrays parts = eigen_parts(vectors, in[0], out);
  const Array &w = parts[0], &v = parts[1];
  const Array p = solve_complex(v, matmul(astype(t[0], complex64), v));
  const Array dw = diagonal_of(p);
  if (!vectors) return Arrays{dw};
  const Array q = quotient(off_diagonal(p), differences(w));
  const Array along = real(diagonal_of(matmul(matmul(adjoint(v), v), q)));
  return Arrays{dw, subtract(matmul(v, q), columns_by(v, along))};
}

std::optional<Op::Batched> Eig::vmap(const Arrays& in, const std::vector<int>& axes,
                                     const Stream& s) const {
  return more_matrices(*this, in, axes, vectors ? 2 : 1, s);
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
