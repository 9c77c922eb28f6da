// Linear algebra on stacks of matrices: leading dimensions are batches. Dtypes are float32 and
// float64, and complex64 where it says so; others throw std::invalid_argument, as do matrices that
// are not square where they have to be. Factorizations are LAPACK's. What only the values can tell
// (a singular matrix) throws std::runtime_error when it is evaluated.
//
// All have derivatives where they are smooth. For symmetric arguments (cholesky, eigh) these are
// symmetric too: a tangent counts by its symmetric part.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "heddle/array.h"

namespace heddle::linalg {

// Inverses. tri_inv looks at one triangle only; cholesky_inv gives the inverse of L L^T (or U^T U)
// from its factor; pinv drops singular values below 10 max(M, N) eps times the largest.
Array inv(const Array& a, StreamOrDevice s = {});
Array tri_inv(const Array& a, bool upper = false, StreamOrDevice s = {});
Array cholesky_inv(const Array& a, bool upper = false, StreamOrDevice s = {});
Array pinv(const Array& a, StreamOrDevice s = {});

// x with a x = b. a (..., N, N); b a vector (N) or matrices (..., N, K); leading dimensions
// broadcast. solve_triangular looks at one triangle of a only.
Array solve(const Array& a, const Array& b, StreamOrDevice s = {});
Array solve_triangular(const Array& a, const Array& b, bool upper = false, StreamOrDevice s = {});

// The factor L of a = L L^T, or U of a = U^T U, from one triangle of a, which may be semi-definite
// to rounding. That of a matrix which is not even that is NaN.
Array cholesky(const Array& a, bool upper = false, StreamOrDevice s = {});

// q (M, K) with orthonormal columns and upper triangular r (K, N), a = q r, K = min(M, N).
std::pair<Array, Array> qr(const Array& a, StreamOrDevice s = {});

// LU factors with row exchanges. lu: {p, l (M, K), u (K, N)} with a = l[p, :] u, p uint32.
// lu_factor: both in one matrix (the unit diagonal of l left out), and the pivots: row i was
// exchanged with row pivots[i], in order, uint32.
Arrays lu(const Array& a, StreamOrDevice s = {});
std::pair<Array, Array> lu_factor(const Array& a, StreamOrDevice s = {});

// Determinants; slogdet: its sign (0 if singular) and the logarithm of its absolute value. Of any
// real dtype: integers count as float32, halves are computed in float32.
Array det(const Array& a, StreamOrDevice s = {});
std::pair<Array, Array> slogdet(const Array& a, StreamOrDevice s = {});

// Singular value decomposition of (..., M, N): {u (M, M), s (K) descending, vt (N, N)}, with
// a = u[:, :K] diag(s) vt[:K, :]; without compute_uv {s}. Also complex64.
// NaN or infinite elements: std::runtime_error at evaluation.
Arrays svd(const Array& a, bool compute_uv = true, StreamOrDevice s = {});

// Eigenvalues and right eigenvectors (columns of norm 1) of general matrices, complex64 always; in
// LAPACK's order. Also of complex64. NaN or infinite elements make all of the matrix's results NaN.
std::pair<Array, Array> eig(const Array& a, StreamOrDevice s = {});
Array eigvals(const Array& a, StreamOrDevice s = {});

// Eigenvalues (real, ascending) and orthonormal eigenvectors of symmetric or Hermitian matrices,
// of which one triangle is looked at: the lower one if UPLO begins with 'L', else the upper one.
// Also of complex64. NaN as in eig.
std::pair<Array, Array> eigh(const Array& a, const std::string& UPLO = "L", StreamOrDevice s = {});
Array eigvalsh(const Array& a, const std::string& UPLO = "L", StreamOrDevice s = {});

// Norms over one axis (of vectors) or two (of matrices), in the floating dtype of `a`.
// Without `axes` those of `a`, which must then have one or two dimensions.
// ord, vectors: the p-norm for any p; 0 counts what is not 0; +-inf the largest, smallest |x|.
// ord, matrices: 1, -1, +-inf: largest, smallest sum of |x| of columns, rows; 2, -2: largest,
// smallest singular value; "fro": Frobenius; "nuc": the sum of the singular values.
// Without an ord the root of the sum of squares, over any one or two axes or the whole array.
using Axes = std::optional<std::vector<int>>;
Array norm(const Array& a, double ord, const Axes& axes = {}, bool keepdims = false,
           StreamOrDevice s = {});
Array norm(const Array& a, const std::string& ord, const Axes& axes = {}, bool keepdims = false,
           StreamOrDevice s = {});
Array norm(const Array& a, const Axes& axes = {}, bool keepdims = false, StreamOrDevice s = {});

// The cross product along an axis of size 3 or 2 (whose third component is 0); other dimensions
// broadcast. Any dtype.
Array cross(const Array& a, const Array& b, int axis = -1, StreamOrDevice s = {});

}  // namespace heddle::linalg
