// Fourier transforms. Public contracts: heddle/ops/fft.h.
#pragma once

#include "core/op.h"

namespace heddle {

// Along `axes`, in order. Complex to complex; or, if real, float32 to the half spectrum of the last
// axis, and for the inverse back, to an even length there unless `odd`. The inverse divides.
// Cutting to size and other divisions stand beside it, so it is no follower of shapes.
struct FFT {
  Axes axes;
  bool inverse;
  bool real;
  bool odd;  // of the real output of an inverse
  void fields(auto& v) { v("axes", axes)("inverse", inverse)("real", real)("odd", odd); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
  bool follows_shapes() const { return false; }
};

}  // namespace heddle
