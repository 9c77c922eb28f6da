// Inverses and pseudo-inverses.
#include "heddle/ops.h"
#include "ops/checks.h"
#include "ops/linalg.h"
#include "ops/linalg_util.h"

namespace heddle {
namespace {

Array transposed(const Array& a) { return swapaxes(a, -1, -2); }

void require_invertible(const Array& a) {
  require_real("inv", a);
  require_matrices("inv", a);
  require_square("inv", a, "Inverses are only defined for square matrices.");
}

Array product(const Array& a, const Array& b, const Array& c) { return matmul(matmul(a, b), c); }

}  // namespace

// ---------------------------------------------------------------------------------------------
// Inverse y of a: dy = -y da y

void Inverse::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_invertible(in[0]);
}

Avals Inverse::infer(const Arrays& in) const { return {{in[0].shape(), in[0].dtype()}}; }

std::optional<Arrays> Inverse::vjp(const Arrays&, const Arrays& g, const std::vector<int>&,
                                   const Arrays& out) const {
  const Array yt = transposed(out[0]);
  return Arrays{negative(product(yt, g[0], yt))};
}
std::optional<Arrays> Inverse::jvp(const Arrays&, const Arrays& t, const std::vector<int>&,
                                   const Arrays& out) const {
  return Arrays{negative(product(out[0], t[0], out[0]))};
}
std::optional<Op::Batched> Inverse::vmap(const Arrays& in, const std::vector<int>& axes,
                                         const Stream& s) const {
  return more_matrices(*this, in, axes, 1, s);
}

// ---------------------------------------------------------------------------------------------
// Pseudo-inverse y of a, while the rank stays (Golub and Pereyra, 1973):
//   dy = -y da y + y y^T da^T (1 - a y) + (1 - y a) da^T y^T y

void PseudoInverse::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  require_real("pinv", in[0]);
  require_matrices("pinv", in[0]);
}

Avals PseudoInverse::infer(const Arrays& in) const {
  Shape shape = in[0].shape();
  std::swap(shape[shape.size() - 2], shape.back());
  return {{shape, in[0].dtype()}};
}

std::optional<Arrays> PseudoInverse::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                         const Arrays& out) const {
  const Array &a = in[0], &y = out[0];
  const Array yt = transposed(y), gt = transposed(g[0]);
  const Array outside = matmul(subtract(gt, matmul(a, matmul(y, gt))), matmul(y, yt));
  const Array inside = matmul(matmul(yt, y), subtract(gt, matmul(matmul(gt, y), a)));
  return Arrays{subtract(add(outside, inside), product(yt, g[0], yt))};
}
std::optional<Arrays> PseudoInverse::jvp(const Arrays& in, const Arrays& t, const std::vector<int>&,
                                         const Arrays& out) const {
  const Array &a = in[0], &y = out[0];
  const Array yt = transposed(y), tt = transposed(t[0]);
  const Array outside = matmul(matmul(y, yt), subtract(tt, matmul(matmul(tt, a), y)));
  const Array inside = matmul(subtract(tt, matmul(y, matmul(a, tt))), matmul(yt, y));
  return Arrays{subtract(add(outside, inside), product(y, t[0], y))};
}
std::optional<Op::Batched> PseudoInverse::vmap(const Arrays& in, const std::vector<int>& axes,
                                               const Stream& s) const {
  return more_matrices(*this, in, axes, 1, s);
}

namespace linalg {

Array inv(const Array& a, StreamOrDevice s) { return apply(make_op<Inverse>(), {a}, to_stream(s)); }

Array tri_inv(const Array& a, bool upper, StreamOrDevice s) {
  require_invertible(a);
  const Array one = eye(static_cast<int>(a.shape(-1)), a.dtype(), s);
  return apply(make_op<SolveTriangular>(upper), {a, broadcast_to(one, a.shape(), s)}, to_stream(s));
}

Array cholesky_inv(const Array& a, bool upper, StreamOrDevice s) {
  require_real("cholesky_inv", a);
  require_matrices("cholesky_inv", a);
  require_square("cholesky_inv", a, "Cholesky inverse is only defined for square matrices.");
  const Array root = tri_inv(a, upper, s), other = swapaxes(root, -1, -2, s);
  return upper ? matmul(root, other, s) : matmul(other, root, s);
}

Array pinv(const Array& a, StreamOrDevice s) {
  return apply(make_op<PseudoInverse>(), {a}, to_stream(s));
}

}  // namespace linalg
}  // namespace heddle
