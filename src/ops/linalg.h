// Factorizations of matrices. Each op takes a stack of matrices, whose leading dimensions are
// batches, and a stream; the dtypes are float32, float64 and, where it says so, complex64.
//
// Derivatives are those on matrices where the result is smooth. Where it is not (singular vectors
// of equal singular values, say) they are infinite or NaN, but parts that do not meet the
// singularity stay right.
#pragma once

#include "core/op.h"

namespace heddle {

// (..., M, N) to u (..., M, M), s (..., K) descending and real, vt (..., N, N) with K = min(M, N);
// without compute_uv to s alone. Also complex64. Columns of u and rows of vt beyond K span the
// complements; derivatives turn them as little as possible.
class SVD final : public OpClass<SVD> {
 public:
  static constexpr const char* name = "SVD";
  bool compute_uv;
  explicit SVD(bool uv) : compute_uv(uv) {}
  template <class V>
  void attributes(V& v) const {
    v("compute_uv", compute_uv);
  }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

}  // namespace heddle
