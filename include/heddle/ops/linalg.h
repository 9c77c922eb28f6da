// Linear algebra on stacks of matrices: leading dimensions are batches. Dtypes are float32 and
// float64, and complex64 where it says so; others throw std::invalid_argument. Factorizations are
// LAPACK's. What only the values can tell (a singular matrix) throws std::runtime_error when it is
// evaluated.
#pragma once

#include "heddle/array.h"

namespace heddle::linalg {

// Singular value decomposition of (..., M, N): {u (M, M), s (K) descending, vt (N, N)}, with
// a = u[:, :K] diag(s) vt[:K, :]; without compute_uv {s}. Also complex64.
// NaN or infinite elements: std::runtime_error at evaluation.
Arrays svd(const Array& a, bool compute_uv = true, StreamOrDevice s = {});

}  // namespace heddle::linalg
