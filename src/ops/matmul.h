// Matrix products of stacks of matrices.
#pragma once

#include "core/op.h"

namespace heddle {

// a (..., M, K) by b (..., K, N) of one inexact dtype, batch dimensions equal.
class Matmul final : public OpClass<Matmul> {
 public:
  static constexpr const char* name = "Matmul";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// alpha * a b + beta * c for inputs (a, b, c); c has the shape of the product.
class AddMM final : public OpClass<AddMM> {
 public:
  static constexpr const char* name = "AddMM";
  float alpha;
  float beta;
  AddMM(float a, float b) : alpha(a), beta(b) {}
  template <class V>
  void attributes(V& v) const {
    v("alpha", alpha);
    v("beta", beta);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
