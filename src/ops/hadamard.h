// The Hadamard transform.
#pragma once

#include "core/op.h"

namespace heddle {

// Rows, of size m 2^k, times `scale` (1 / sqrt(size) where `orthonormal`) and the matrix H_m (x)
// H_2 (x) ... (x) H_2, or its transpose.
class Hadamard final : public OpClass<Hadamard> {
 public:
  static constexpr const char* name = "Hadamard";
  float scale;
  bool orthonormal;
  bool transposed;
  Hadamard(float f, bool o, bool t) : scale(f), orthonormal(o), transposed(t) {}
  template <class V>
  void attributes(V& v) const {
    v("scale", scale);
    v("orthonormal", orthonormal);
    v("transposed", transposed);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
