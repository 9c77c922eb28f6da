// Factorizations of matrices. Each op takes stacks of matrices, whose leading dimensions are equal
// batches; the dtypes are float32, float64 and, where it says so, complex64.
//
// Derivatives are those on matrices where the result is smooth. Where it is not (singular vectors
// of equal singular values, say) they are infinite or NaN, but parts that do not meet the
// singularity stay right. Symmetric arguments count by their symmetric part in derivatives.
#pragma once

#include "core/op.h"

namespace heddle {

// (..., N, N) to its inverse.
struct Inverse {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., M, N) to the Moore-Penrose inverse (..., N, M). Derivatives hold while the rank stays.
struct PseudoInverse {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// a (..., N, N), b (..., N, K) to x with a x = b. Also complex64.
struct Solve {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// The same for triangular a; the other triangle is not looked at.
struct SolveTriangular {
  bool upper;
  void fields(auto& v) { v("upper", upper); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., N, N) to its triangular factor, from the triangle that the factor has.
struct Cholesky {
  bool upper;
  void fields(auto& v) { v("upper", upper); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., M, N) to q (..., M, K) and r (..., K, N) with K = min(M, N).
struct QR {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// (..., M, N) to L and U in one matrix (..., M, N), pivots (..., K) and, for each row of the
// argument, its row in the product L U (..., M), both uint32.
struct LU {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., N, N) to its determinant (...).
struct Det {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., N, N) to the sign and the logarithm of the absolute value of its determinant (...).
struct SLogDet {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., N, N) to the derivative of its determinant by each element, which singular matrices have,
// too. Its own derivative exists for regular ones.
struct Cofactors {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// (..., M, N) to u (..., M, M), s (..., K) descending and real, vt (..., N, N) with K = min(M, N);
// without compute_uv to s alone. Also complex64. Columns of u and rows of vt beyond K span the
// complements; derivatives turn them as little as possible.
struct SVD {
  bool compute_uv;
  void fields(auto& v) { v("compute_uv", compute_uv); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., N, N), symmetric or Hermitian, to its real eigenvalues (..., N), ascending, and
// eigenvectors
// (..., N, N), or to the values alone. Also complex64. Derivatives leave the phase of complex
// vectors alone.
struct Eigh {
  bool upper;
  bool vectors;
  void fields(auto& v) { v("upper", upper)("vectors", vectors); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// (..., N, N) to its eigenvalues (..., N) and eigenvectors (..., N, N), or to the values alone; the
// results are complex64. Also of complex64. Derivatives keep the norm of vectors.
struct Eig {
  bool vectors;
  void fields(auto& v) { v("vectors", vectors); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

}  // namespace heddle
