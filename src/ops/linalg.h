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
class Inverse final : public OpClass<Inverse> {
 public:
  static constexpr const char* name = "Inverse";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., M, N) to the Moore-Penrose inverse (..., N, M). Derivatives hold while the rank stays.
class PseudoInverse final : public OpClass<PseudoInverse> {
 public:
  static constexpr const char* name = "PseudoInverse";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// a (..., N, N), b (..., N, K) to x with a x = b. Also complex64.
class Solve final : public OpClass<Solve> {
 public:
  static constexpr const char* name = "Solve";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// The same for triangular a; the other triangle is not looked at.
class SolveTriangular final : public OpClass<SolveTriangular> {
 public:
  static constexpr const char* name = "SolveTriangular";
  bool upper;
  explicit SolveTriangular(bool value) : upper(value) {}
  template <class V>
  void attributes(V& v) const {
    v("upper", upper);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., N, N) to its triangular factor, from the triangle that the factor has.
class Cholesky final : public OpClass<Cholesky> {
 public:
  static constexpr const char* name = "Cholesky";
  bool upper;
  explicit Cholesky(bool value) : upper(value) {}
  template <class V>
  void attributes(V& v) const {
    v("upper", upper);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., M, N) to q (..., M, K) and r (..., K, N) with K = min(M, N).
class QR final : public OpClass<QR> {
 public:
  static constexpr const char* name = "QR";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
};

// (..., M, N) to L and U in one matrix (..., M, N), pivots (..., K) and, for each row of the
// argument, its row in the product L U (..., M), both uint32.
class LU final : public OpClass<LU> {
 public:
  static constexpr const char* name = "LU";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., N, N) to its determinant (...).
class Det final : public OpClass<Det> {
 public:
  static constexpr const char* name = "Det";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., N, N) to the sign and the logarithm of the absolute value of its determinant (...).
class SLogDet final : public OpClass<SLogDet> {
 public:
  static constexpr const char* name = "SLogDet";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., N, N) to the derivative of its determinant by each element, which singular matrices have,
// too. Its own derivative exists for regular ones.
class Cofactors final : public OpClass<Cofactors> {
 public:
  static constexpr const char* name = "Cofactors";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
};

// (..., M, N) to u (..., M, M), s (..., K) descending and real, vt (..., N, N) with K = min(M, N);
// without compute_uv to s alone. Also complex64. Columns of u and rows of vt beyond K span the
// complements; derivatives turn them as little as possible.
class SVD final : public OpClass<SVD> {
 public:
  static constexpr const char* name = "SVD";
  bool compute_uv;
  explicit SVD(bool value) : compute_uv(value) {}
  template <class V>
  void attributes(V& v) const {
    v("compute_uv", compute_uv);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., N, N), symmetric or Hermitian, to its real eigenvalues (..., N), ascending, and
// eigenvectors
// (..., N, N), or to the values alone. Also complex64. Derivatives leave the phase of complex
// vectors alone.
class Eigh final : public OpClass<Eigh> {
 public:
  static constexpr const char* name = "Eigh";
  bool upper;
  bool vectors;
  Eigh(bool u, bool v) : upper(u), vectors(v) {}
  template <class V>
  void attributes(V& v) const {
    v("upper", upper);
    v("vectors", vectors);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// (..., N, N) to its eigenvalues (..., N) and eigenvectors (..., N, N), or to the values alone; the
// results are complex64. Also of complex64. Derivatives keep the norm of vectors.
class Eig final : public OpClass<Eig> {
 public:
  static constexpr const char* name = "Eig";
  bool vectors;
  explicit Eig(bool value) : vectors(value) {}
  template <class V>
  void attributes(V& v) const {
    v("vectors", vectors);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

}  // namespace heddle
