// Fourier transforms. Public contracts: heddle/ops/fft.h.
#pragma once

#include "core/op.h"

namespace heddle {

// Along `axes`, in order. Complex to complex; or, if real, float32 to the half spectrum of the last
// axis, and for the inverse back, to an even length there unless `odd`. The inverse divides.
// Cutting to size and other divisions stand beside it, so it is no follower of shapes.
class FFT final : public OpClass<FFT> {
 public:
  static constexpr const char* name = "FFT";
  std::vector<int> axes;
  bool inverse;
  bool real;
  bool odd;  // of the real output of an inverse
  FFT(std::vector<int> a, bool i, bool r, bool o)
      : axes(std::move(a)), inverse(i), real(r), odd(o) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
    v("inverse", inverse);
    v("real", real);
    v("odd", odd);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

}  // namespace heddle
