// Systems of linear equations a x = b: dx = a^-1 (db - da x).
#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/products.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/linalg.h"
#include "ops/linalg_util.h"
#include "ops/util.h"

namespace heddle {
namespace {

Array solved(const OpRef& op, const Array& a, const Array& b) {
  return apply(op, {a, b}, to_stream({}));
}

// The right-hand side of the tangent, where `da` is what a moves by.
Array moved_side(const Arrays& t, const std::vector<int>& argnums, const Array& da,
                 const Array& x) {
  Array side;
  for (size_t k = 0; k < argnums.size(); k++) {
    const Array term = argnums[k] == 0 ? negative(matmul(da, x)) : t[k];
    side = side ? add(side, term) : term;
  }
  return side;
}

// The tangent of input 0, if it has one.
Array matrix_tangent(const Arrays& t, const std::vector<int>& argnums) {
  const auto found = std::find(argnums.begin(), argnums.end(), 0);
  return found == argnums.end() ? Array() : t[static_cast<size_t>(found - argnums.begin())];
}

// A square matrix and as many rows on the right.
void require_system(const char* name, const Array& a, const Array& b, int64_t rows) {
  if (a.shape(-1) != a.shape(-2)) {
    refuse_matrices(name,
                    "First input must be a square matrix. Received array with "
                    "shape {}.",
                    to_string(a.shape()));
  }
  if (a.shape(-1) != rows) {
    refuse_matrices(name,
                    "Last dimension of first input with shape {} must match "
                    "second to last dimension of second input with shape {}.",
                    to_string(a.shape()), to_string(b.shape()));
  }
}

void check_system(OpName op, const char* name, const Arrays& in) {
  require_inputs(op, in, 2);
  require_one_dtype(op, in);
  require_same_stacks(name, in[0], in[1]);
  require_system(name, in[0], in[1], in[1].shape(-2));
}

Array triangle(const Array& a, bool upper) { return upper ? triu(a) : tril(a); }

// Cotangents from that of b; `of_matrix` takes the cotangent of a full matrix to that of a.
template <class F>
Arrays cotangents(const Array& side, const Array& x, const std::vector<int>& argnums,
                  F&& of_matrix) {
  Arrays result;
  for (int i : argnums) {
    result.push_back(i == 0 ? of_matrix(negative(matmul(side, adjoint(x)))) : side);
  }
  return result;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// General matrices

void Solve::check(const Arrays& in) const {
  check_system(*this, "solve", in);
  require_real_or_complex("solve", in[0]);
}

Avals Solve::infer(const Arrays& in) const { return {{in[1].shape(), in[1].dtype()}}; }

std::optional<Arrays> Solve::vjp(const Pull& p) const {
  const Array side = solved(make_op(*this), adjoint(p.in[0]), p.g[0]);
  return cotangents(side, p.out[0], p.wanted, [](const Array& full) { return full; });
}
std::optional<Arrays> Solve::jvp(const Push& p) const {
  const Array side = moved_side(p.t, p.wanted, matrix_tangent(p.t, p.wanted), p.out[0]);
  return Arrays{solved(make_op(*this), p.in[0], side)};
}

// ---------------------------------------------------------------------------------------------
// Triangular matrices

void SolveTriangular::check(const Arrays& in) const {
  check_system(*this, "solve_triangular", in);
  require_real("solve_triangular", in[0]);
}

Avals SolveTriangular::infer(const Arrays& in) const { return {{in[1].shape(), in[1].dtype()}}; }

std::optional<Arrays> SolveTriangular::vjp(const Pull& p) const {
  const Array side = solved(make_op<SolveTriangular>(!upper), adjoint(p.in[0]), p.g[0]);
  return cotangents(side, p.out[0], p.wanted,
                    [this](const Array& full) { return triangle(full, upper); });
}
std::optional<Arrays> SolveTriangular::jvp(const Push& p) const {
  const Array da = matrix_tangent(p.t, p.wanted);
  const Array side = moved_side(p.t, p.wanted, da ? triangle(da, upper) : da, p.out[0]);
  return Arrays{solved(make_op(*this), p.in[0], side)};
}

namespace linalg {
namespace {

// Checks and broadcasts the operands, applies the op and undoes what was added to a vector.
Array solve_with(const char* name, const OpRef& op, const Array& a, const Array& b,
                 StreamOrDevice s) {
  if (a.ndim() < 2) {
    refuse_matrices(name,
                    "First input must have >= 2 dimensions. Received array with "
                    "{} dimensions.",
                    a.ndim());
  }
  if (b.ndim() < 1) {
    refuse_matrices(name,
                    "Second input must have >= 1 dimensions. Received array with 0 dimensions.");
  }
  const bool vector = b.ndim() == 1;
  require_system(name, a, b, b.shape(vector ? -1 : -2));
  const Dtype t = promote_types(a.dtype(), b.dtype());
  if (t != float32 && t != float64) {
    refuse_matrices(name,
                    "Input arrays must promote to float32 or float64. Received "
                    "arrays with type {} and {}.",
                    name_of(a.dtype()), name_of(b.dtype()));
  }
  const Array columns = vector ? expand_dims(b, -1, s) : b;
  auto batch = [](const Array& x) { return Shape(x.shape().begin(), x.shape().end() - 2); };
  const Shape common = broadcast_shapes(batch(a), batch(columns));
  auto stretched = [&](const Array& x) {
    Shape shape = common;
    shape.push_back(x.shape(-2));
    shape.push_back(x.shape(-1));
    return broadcast_to(astype(x, t, s), shape, s);
  };
  const Array x = apply(op, {stretched(a), stretched(columns)}, to_stream(s));
  return vector ? squeeze(x, -1, s) : x;
}

}  // namespace

Array solve(const Array& a, const Array& b, StreamOrDevice s) {
  return solve_with("solve", make_op<Solve>(), a, b, s);
}
Array solve_triangular(const Array& a, const Array& b, bool upper, StreamOrDevice s) {
  return solve_with("solve_triangular", make_op<SolveTriangular>(upper), a, b, s);
}

}  // namespace linalg
}  // namespace heddle
