// The submodule heddle.core.linalg.
#include "heddle/ops/linalg.h"

#include <fmt/format.h>

#include "signature.h"

namespace heddle::python {
namespace {

nb::tuple to_tuple(const Arrays& arrays) {
  nb::list items;
  for (const Array& a : arrays) items.append(wrap(a));
  return nb::tuple(items);
}

nb::tuple to_tuple(const std::pair<Array, Array>& pair) {
  return to_tuple(Arrays{pair.first, pair.second});
}

void bind_inverses(nb::module_& m) {
  m.def(
      "inv", [](const Array& a, const StreamOrDevice& s) { return linalg::inv(a, s); }, "a"_a,
      nb::kw_only(), "stream"_a = nb::none(), signature("inv", "a: array"),
      R"(
The inverse of square matrices.

Args:
  a: shape ``(..., N, N)``; float32 or float64.

Raises:
  ValueError: matrices that are not square, another dtype.
  RuntimeError: at evaluation, a singular matrix.)");
  m.def(
      "tri_inv",
      [](const Array& a, bool upper, const StreamOrDevice& s) {
        return linalg::tri_inv(a, upper, s);
      },
      "a"_a, "upper"_a = false, nb::kw_only(), "stream"_a = nb::none(),
      signature("tri_inv", "a: array, upper: bool = False"),
      R"(
The inverse of triangular matrices.

Args:
  a: shape ``(..., N, N)``; float32 or float64. The other triangle is not looked at.
  upper: whether the upper triangle counts, or the lower one.

Raises:
  ValueError: matrices that are not square, another dtype.
  RuntimeError: at evaluation, a 0 on the diagonal.)");
  m.def(
      "cholesky_inv",
      [](const Array& a, bool upper, const StreamOrDevice& s) {
        return linalg::cholesky_inv(a, upper, s);
      },
      "a"_a, "upper"_a = false, nb::kw_only(), "stream"_a = nb::none(),
      signature("cholesky_inv", "a: array, upper: bool = False"),
      R"(
The inverse of the matrices whose Cholesky factors are given.

Args:
  a: factors as :func:`cholesky` gives them, shape ``(..., N, N)``.
  upper: whether they are upper triangular, or lower.

Raises:
  ValueError: matrices that are not square, another dtype.
  RuntimeError: at evaluation, a 0 on the diagonal.)");
  m.def(
      "pinv", [](const Array& a, const StreamOrDevice& s) { return linalg::pinv(a, s); }, "a"_a,
      nb::kw_only(), "stream"_a = nb::none(), signature("pinv", "a: array"),
      R"(
The Moore-Penrose pseudo-inverse, from the singular values above ``10 * max(M, N) * eps`` times the largest.

Args:
  a: shape ``(..., M, N)``; float32 or float64.

Returns:
  array: shape ``(..., N, M)``.

Raises:
  ValueError: fewer than two dimensions, another dtype.
  RuntimeError: at evaluation, elements that are NaN or infinite.)");
}

void bind_systems(nb::module_& m) {
  m.def(
      "solve",
      [](const Array& a, const Array& b, const StreamOrDevice& s) {
        return linalg::solve(a, b, s);
      },
      "a"_a, "b"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("solve", "a: array, b: array"),
      R"(
The solution ``x`` of ``a @ x = b``.

Args:
  a: shape ``(..., N, N)``.
  b: a vector ``(N)`` or matrices ``(..., N, K)``; leading dimensions broadcast.

Raises:
  ValueError: shapes that do not fit, dtypes that do not promote to float32 or float64.
  RuntimeError: at evaluation, a singular matrix.)");
  m.def(
      "solve_triangular",
      [](const Array& a, const Array& b, bool upper, const StreamOrDevice& s) {
        return linalg::solve_triangular(a, b, upper, s);
      },
      "a"_a, "b"_a, nb::kw_only(), "upper"_a = false, "stream"_a = nb::none(),
      signature("solve_triangular", "a: array, b: array, *, upper: bool = False"),
      R"(
The solution ``x`` of ``a @ x = b`` for triangular ``a``.

Args:
  a: shape ``(..., N, N)``. The other triangle is not looked at.
  b: a vector ``(N)`` or matrices ``(..., N, K)``; leading dimensions broadcast.
  upper: whether the upper triangle of `a` counts, or the lower one.

Raises:
  ValueError: shapes that do not fit, dtypes that do not promote to float32 or float64.
  RuntimeError: at evaluation, a 0 on the diagonal.)");
}

void bind_factorizations(nb::module_& m) {
  m.def(
      "cholesky",
      [](const Array& a, bool upper, const StreamOrDevice& s) {
        return linalg::cholesky(a, upper, s);
      },
      "a"_a, "upper"_a = false, nb::kw_only(), "stream"_a = nb::none(),
      signature("cholesky", "a: array, upper: bool = False"),
      R"(
The Cholesky factor of symmetric, positive definite or (to rounding) semi-definite matrices.

That of any other matrix is NaN; the rest of a stack is not affected.

Args:
  a: shape ``(..., N, N)``; float32 or float64. The triangle that the factor has is looked at.
  upper: the upper triangular ``U`` with ``U.T @ U = a``, instead of the lower ``L`` with ``L @ L.T = a``.

Raises:
  ValueError: matrices that are not square, another dtype.)");
  m.def(
      "qr", [](const Array& a, const StreamOrDevice& s) { return to_tuple(linalg::qr(a, s)); },
      "a"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("qr", "a: array", "tuple[array, array]"),
      R"(
The QR factorization of matrices.

Args:
  a: shape ``(..., M, N)``; float32 or float64.

Returns:
  tuple: ``Q`` of shape ``(..., M, K)`` with orthonormal columns and upper triangular ``R`` of shape
  ``(..., K, N)``, where ``K = min(M, N)`` and ``Q @ R = a``.

Raises:
  ValueError: fewer than two dimensions, another dtype.)");
  m.def(
      "lu", [](const Array& a, const StreamOrDevice& s) { return to_tuple(linalg::lu(a, s)); },
      "a"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("lu", "a: array", "tuple[array, array, array]"),
      R"(
The LU factorization of matrices, with row exchanges.

Args:
  a: shape ``(..., M, N)``; float32 or float64.

Returns:
  tuple: rows ``P`` (uint32), ``L`` and ``U``, so that ``a = L[P, :] @ U`` for one matrix.

Raises:
  ValueError: fewer than two dimensions, another dtype.)");
  m.def(
      "lu_factor",
      [](const Array& a, const StreamOrDevice& s) { return to_tuple(linalg::lu_factor(a, s)); },
      "a"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("lu_factor", "a: array", "tuple[array, array]"),
      R"(
The LU factorization of matrices in a compact form.

Args:
  a: shape ``(..., M, N)``; float32 or float64.

Returns:
  tuple: ``L`` without its unit diagonal and ``U`` in one matrix, and the pivots (uint32): row ``i`` was
  exchanged with row ``pivots[i]``, in order.

Raises:
  ValueError: fewer than two dimensions, another dtype.)");
  m.def(
      "det", [](const Array& a, const StreamOrDevice& s) { return linalg::det(a, s); }, "a"_a,
      nb::kw_only(), "stream"_a = nb::none(), signature("det", "a: array"),
      R"(
The determinant of square matrices.

Args:
  a: shape ``(..., N, N)``; any real dtype. Integers count as float32.

Raises:
  ValueError: matrices that are not square or complex.)");
  m.def(
      "slogdet",
      [](const Array& a, const StreamOrDevice& s) { return to_tuple(linalg::slogdet(a, s)); },
      "a"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("slogdet", "a: array", "tuple[array, array]"),
      R"(
The sign of the determinant of square matrices and the logarithm of its absolute value.

Args:
  a: shape ``(..., N, N)``; any real dtype. Integers count as float32.

Returns:
  tuple: the sign, 0 for a singular matrix, and the logarithm, then ``-inf``.

Raises:
  ValueError: matrices that are not square or complex.)");
}

void bind_spectral(nb::module_& m) {
  m.def(
      "svd",
      [](const Array& a, bool compute_uv, const StreamOrDevice& s) -> nb::object {
        const Arrays parts = linalg::svd(a, compute_uv, s);
        if (!compute_uv) return wrap(parts[0]);
        return to_tuple(parts);
      },
      "a"_a, "compute_uv"_a = true, nb::kw_only(), "stream"_a = nb::none(),
      signature("svd", "a: array, compute_uv: bool = True", "array | tuple[array, array, array]"),
      R"(
The singular value decomposition of matrices.

Args:
  a: shape ``(..., M, N)``; float32, float64 or complex64.
  compute_uv: also give the singular vectors.

Returns:
  array or tuple: ``U`` of shape ``(..., M, M)``, ``S`` with the ``K = min(M, N)`` singular values in
  descending order, and ``Vt`` of shape ``(..., N, N)``, so that ``a = (U[..., :K] * S[..., None, :]) @
  Vt[..., :K, :]``; or ``S`` alone.

Raises:
  ValueError: fewer than two dimensions, another dtype.
  RuntimeError: at evaluation, elements that are NaN or infinite.)");
  m.def(
      "eig", [](const Array& a, const StreamOrDevice& s) { return to_tuple(linalg::eig(a, s)); },
      "a"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("eig", "a: array", "tuple[array, array]"),
      R"(
The eigenvalues and right eigenvectors of square matrices, complex64 always.

Args:
  a: shape ``(..., N, N)``; float32, float64 or complex64.

Returns:
  tuple: the eigenvalues, in no particular order, and the eigenvectors of norm 1 as columns. All are NaN
  for a matrix with elements that are not finite.

Raises:
  ValueError: matrices that are not square, another dtype.)");
  m.def(
      "eigvals", [](const Array& a, const StreamOrDevice& s) { return linalg::eigvals(a, s); },
      "a"_a, nb::kw_only(), "stream"_a = nb::none(), signature("eigvals", "a: array"),
      "\nThe eigenvalues of :func:`eig` alone.");
  m.def(
      "eigh",
      [](const Array& a, const std::string& UPLO, const StreamOrDevice& s) {
        return to_tuple(linalg::eigh(a, UPLO, s));
      },
      "a"_a, "UPLO"_a = "L", nb::kw_only(), "stream"_a = nb::none(),
      signature("eigh", "a: array, UPLO: str = 'L'", "tuple[array, array]"),
      R"(
The eigenvalues and eigenvectors of symmetric or Hermitian matrices.

Args:
  a: shape ``(..., N, N)``; float32, float64 or complex64. Symmetry is not checked.
  UPLO: ``'L'``: the lower triangle is looked at; else the upper one.

Returns:
  tuple: the eigenvalues, real and ascending, and orthonormal eigenvectors as columns. All are NaN for a
  matrix with elements that are not finite.

Raises:
  ValueError: matrices that are not square, another dtype.)");
  m.def(
      "eigvalsh",
      [](const Array& a, const std::string& UPLO, const StreamOrDevice& s) {
        return linalg::eigvalsh(a, UPLO, s);
      },
      "a"_a, "UPLO"_a = "L", nb::kw_only(), "stream"_a = nb::none(),
      signature("eigvalsh", "a: array, UPLO: str = 'L'"),
      "\nThe eigenvalues of :func:`eigh` alone.");
}

using Order = std::variant<std::monostate, double, std::string>;
using NormAxis = std::variant<std::monostate, int, std::vector<int>>;

Array norm_of(const Array& a, const Order& ord, const NormAxis& axis, bool keepdims,
              const StreamOrDevice& s) {
  linalg::Axes axes;
  if (const int* one = std::get_if<int>(&axis)) axes = std::vector<int>{*one};
  if (const auto* some = std::get_if<std::vector<int>>(&axis)) axes = *some;
  if (const double* number = std::get_if<double>(&ord)) {
    return linalg::norm(a, *number, axes, keepdims, s);
  }
  if (const auto* text = std::get_if<std::string>(&ord)) {
    return linalg::norm(a, *text, axes, keepdims, s);
  }
  return linalg::norm(a, axes, keepdims, s);
}

void bind_norm(nb::module_& m, const char* name) {
  m.def(name, &norm_of, nb::arg(), "ord"_a = nb::none(), "axis"_a = nb::none(),
        "keepdims"_a = false, nb::kw_only(), "stream"_a = nb::none(),
        signature(name,
                  "a: array, /, ord: None | int | float | str = None, axis: None | int | "
                  "list[int] = None, keepdims: bool = False",
                  "array"),
        R"(
Norms of vectors (over one axis) or matrices (over two), in a floating dtype.

=======  =========================================  ============================
ord      matrices                                   vectors
=======  =========================================  ============================
None     root of the sum of squares                 the same
'fro'    the same                                   refused
'nuc'    sum of the singular values                 refused
inf      largest sum of magnitudes of a row         largest magnitude
-inf     smallest sum of magnitudes of a row        smallest magnitude
1        largest sum of magnitudes of a column      sum of magnitudes
-1       smallest sum of magnitudes of a column     as other numbers
2        largest singular value                     root of the sum of squares
-2       smallest singular value                    as other numbers
0        refused                                    how many are not 0
other    refused                                    ``sum(abs(x)**ord)**(1/ord)``
=======  =========================================  ============================

Args:
  ord: which norm.
  axis: one axis or two. If None, those of `a`, which must then have one or two; without an `ord` any
    number, flattened.
  keepdims: keep reduced axes with size one.

Raises:
  ValueError: an `ord` that is not for this number of axes; singular values of what is not float32,
    float64 or complex64.
  AxisError: an axis that the array does not have.)");
}

void bind_products_of_vectors(nb::module_& m) {
  m.def(
      "cross",
      [](const Array& a, const Array& b, int axis, const StreamOrDevice& s) {
        return linalg::cross(a, b, axis, s);
      },
      "a"_a, "b"_a, "axis"_a = -1, nb::kw_only(), "stream"_a = nb::none(),
      signature("cross", "a: array, b: array, axis: int = -1"),
      R"(
The cross product of vectors along an axis; the other dimensions broadcast.

Args:
  axis: of size 3, or 2 for vectors whose third component is 0. It has size 3 in the result.

Raises:
  ValueError: another size, shapes that do not broadcast.
  AxisError: an axis that the arrays do not have.)");
}

}  // namespace

void bind_linalg(nb::module_& m) {
  nb::module_ linalg =
      add_submodule(m, "linalg", "Linear algebra: factorizations, inverses, norms.");
  bind_inverses(linalg);
  bind_systems(linalg);
  bind_factorizations(linalg);
  bind_spectral(linalg);
  bind_norm(linalg, "norm");
  bind_norm(m, "matrix_norm");
  bind_products_of_vectors(linalg);
}

}  // namespace heddle::python
