// Inverses and pseudo-inverses.
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

std::optional<Arrays> Inverse::vjp(const Pull& p) const {
  const Array yt = transposed(p.out[0]);
  return Arrays{negative(product(yt, p.g[0], yt))};
}
std::optional<Arrays> Inverse::jvp(const Push& p) const {
  return Arrays{negative(product(p.out[0], p.t[0], p.out[0]))};
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

std::optional<Arrays> PseudoInverse::vjp(const Pull& p) const {
  const Array &a = p.in[0], &y = p.out[0];
  const Array yt = transposed(y), gt = transposed(p.g[0]);
  const Array outside = matmul(subtract(gt, matmul(a, matmul(y, gt))), matmul(y, yt));
  const Array inside = matmul(matmul(yt, y), subtract(gt, matmul(matmul(gt, y), a)));
  return Arrays{subtract(add(outside, inside), product(yt, p.g[0], yt))};
}
std::optional<Arrays> PseudoInverse::jvp(const Push& p) const {
  const Array &a = p.in[0], &y = p.out[0];
  const Array yt = transposed(y), tt = transposed(p.t[0]);
  const Array outside = matmul(matmul(y, yt), subtract(tt, matmul(matmul(tt, a), y)));
  const Array inside = matmul(subtract(tt, matmul(y, matmul(a, tt))), matmul(yt, y));
  return Arrays{subtract(add(outside, inside), product(y, p.t[0], y))};
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
