// The Hadamard transform.
#pragma once

#include "core/op.h"

namespace heddle {

// Rows, of size m 2^k, times `scale` (1 / sqrt(size) where `orthonormal`) and the matrix H_m (x)
// H_2 (x) ... (x) H_2, or its transpose.
struct Hadamard {
  Real32 scale;
  bool orthonormal;
  bool transposed;
  void fields(auto& v) { v("scale", scale)("orthonormal", orthonormal)("transposed", transposed); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

}  // namespace heddle
