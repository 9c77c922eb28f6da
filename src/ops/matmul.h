// Matrix products of stacks of matrices.
#pragma once

#include "core/op.h"

namespace heddle {

// a (..., M, K) by b (..., K, N) of one inexact dtype, batch dimensions equal.
struct Matmul {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// alpha * a b + beta * c for inputs (a, b, c); c has the shape of the product.
struct AddMM {
  Real32 alpha;
  Real32 beta;
  void fields(auto& v) { v("alpha", alpha)("beta", beta); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

}  // namespace heddle
