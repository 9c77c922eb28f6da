// The singular value decomposition.
//
// Derivatives, for M >= N (otherwise of the adjoint): with P = u^H da v, whose upper N x N block is
// P1 and lower block P2, s moves by the real diagonal of P1, and u and v turn by
//   du = u [[W, -Z^H], [Z, 0]],  W = (P1 s + s P1^H) / (s_j^2 - s_i^2),  Z = P2 / s_j
//   dv = v X,                    X = (s P1 + P1^H s) / (s_j^2 - s_i^2)
// elementwise off the diagonal. Complex vectors are known up to a phase; the one that turns u_i and
// v_i by opposite angles is taken: W_ii = -X_ii = i Im(P1_ii) / (2 s_i). The rule for cotangents is
// the transpose of this map.
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/products.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/linalg.h"
#include "ops/linalg_util.h"

namespace heddle {
namespace {

// u (M, M), s (N), v (N, N) with M >= N, and in `turned` what belongs to the adjoint's.
struct Factors {
  Array u, s, v;
};

Array squared_gaps(const Array& s) {
  return multiply(differences(s), add(expand_dims(s, -2), expand_dims(s, -1)));
}

// i * x for real x.
Array imaginary(const Array& x) { return multiply(x, Array(complex64_t(0, 1))); }

Array pullback(const Factors& f, const Factors& g) {
  const int64_t m = f.u.shape(-1), n = f.v.shape(-1);
  const Array row = expand_dims(f.s, -2), column = expand_dims(f.s, -1), gaps = squared_gaps(f.s);
  const Array gu = matmul(adjoint(f.u), g.u), gv = matmul(adjoint(f.v), g.v);
  const Array k = block(gu, 0, n, 0, n);
  const Array from_u = quotient(off_diagonal(subtract(k, adjoint(k))), gaps);
  const Array from_v = quotient(off_diagonal(subtract(gv, adjoint(gv))), gaps);
  Array middle = add(multiply(from_u, row), multiply(column, from_v));
  Array diagonals = g.s;
  if (is_complex(f.u.dtype())) {
    const Array turn = subtract(imag(diagonal_of(k)), imag(diagonal_of(gv)));
    diagonals = add(diagonals, imaginary(quotient(turn, add(f.s, f.s))));
  }
  middle = add(middle, diagonal_matrix(diagonals));
  if (m > n) {
    const Array below = subtract(block(gu, n, m, 0, n), adjoint(block(gu, 0, n, n, m)));
    middle = concatenate({middle, quotient(below, row)}, -2);
  }
  return matmul(matmul(f.u, middle), adjoint(f.v));
}

Factors pushforward(const Factors& f, const Array& tangent) {
  const int64_t m = f.u.shape(-1), n = f.v.shape(-1);
  const Array row = expand_dims(f.s, -2), column = expand_dims(f.s, -1), gaps = squared_gaps(f.s);
  const Array p = matmul(matmul(adjoint(f.u), tangent), f.v);
  const Array p1 = block(p, 0, n, 0, n), p1h = adjoint(p1);
  Array w = quotient(off_diagonal(add(multiply(p1, row), multiply(column, p1h))), gaps);
  Array x = quotient(off_diagonal(add(multiply(column, p1), multiply(p1h, row))), gaps);
  Array ds = diagonal_of(p1);
  if (is_complex(f.u.dtype())) {
    const Array turn = diagonal_matrix(imaginary(quotient(imag(ds), add(f.s, f.s))));
    w = add(w, turn);
    x = subtract(x, turn);
    ds = real(ds);
  }
  if (m > n) {
    const Array z = quotient(block(p, n, m, 0, n), row);
    Shape corner = z.shape();
    corner.back() = m - n;
    w = concatenate({concatenate({w, negative(adjoint(z))}, -1),
                     concatenate({z, zeros(corner, z.dtype())}, -1)},
                    -2);
  }
  return {matmul(f.u, w), ds, matmul(f.v, x)};
}

// Outputs (u, s, vt) of the op as factors of the matrix or, if it is wider than high, its adjoint.
Factors factors_of(const Arrays& out) {
  const bool wide = out[0].shape(-1) < out[2].shape(-1);
  return wide ? Factors{adjoint(out[2]), out[1], out[0]} : Factors{out[0], out[1], adjoint(out[2])};
}
Arrays outputs_of(const Factors& f, bool wide) {
  return wide ? Arrays{f.v, f.s, adjoint(f.u)} : Arrays{f.u, f.s, adjoint(f.v)};
}

Arrays with_vectors(const Array& a) { return apply_multi(make_op<SVD>(true), {a}, to_stream({})); }

}  // namespace

void SVD::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (in[0].ndim() < 2) {
    refuse_matrices("svd",
                    "Input array must have >= 2 dimensions. Received array with "
                    "{} dimensions.",
                    in[0].ndim());
  }
  require_real_or_complex("svd", in[0]);
}

Avals SVD::infer(const Arrays& in) const {
  const Shape& shape = in[0].shape();
  const Dtype t = in[0].dtype();
  const int64_t m = in[0].shape(-2), n = in[0].shape(-1);
  Shape s(shape.begin(), shape.end() - 1), u = shape, vt = shape;
  s.back() = std::min(m, n);
  u.back() = m;
  vt[vt.size() - 2] = n;
  const Aval values{s, is_complex(t) ? float32 : t};
  if (!compute_uv) return {values};
  return {{u, t}, values, {vt, t}};
}

std::optional<Arrays> SVD::vjp(const Pull& p) const {
  const bool wide = p.in[0].shape(-2) < p.in[0].shape(-1);
  const int64_t k = std::min(p.in[0].shape(-2), p.in[0].shape(-1));
  if (compute_uv) {
    const Array a = pullback(factors_of(p.out), factors_of(p.g));
    return Arrays{wide ? adjoint(a) : a};
  }
  const Arrays parts = with_vectors(p.in[0]);
  const Array u = block(parts[0], 0, p.in[0].shape(-2), 0, k);
  const Array vt = block(parts[2], 0, k, 0, p.in[0].shape(-1));
  return Arrays{matmul(multiply(u, expand_dims(p.g[0], -2)), vt)};
}

std::optional<Arrays> SVD::jvp(const Push& p) const {
  const bool wide = p.in[0].shape(-2) < p.in[0].shape(-1);
  const Array tangent = wide ? adjoint(p.t[0]) : p.t[0];
  const Factors moved =
      pushforward(factors_of(compute_uv ? p.out : with_vectors(p.in[0])), tangent);
  return compute_uv ? outputs_of(moved, wide) : Arrays{moved.s};
}

namespace linalg {

Arrays svd(const Array& a, bool compute_uv, StreamOrDevice s) {
  const Stream stream = to_stream(s);
  if (!compute_uv) return {apply(make_op<SVD>(false), {a}, stream)};
  return apply_multi(make_op<SVD>(true), {a}, stream);
}

}  // namespace linalg
}  // namespace heddle
