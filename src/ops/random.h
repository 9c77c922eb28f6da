// Random bits.
#pragma once

#include "core/op.h"

namespace heddle {

// keys: uint32 (batch..., 2); result: (batch..., shape...), each key's draw on its own.
class RandomBits final : public OpClass<RandomBits> {
 public:
  static constexpr const char* name = "RandomBits";
  Shape shape;
  int width;  // bytes of an element: 1, 2 or 4
  RandomBits(Shape s, int w) : shape(std::move(s)), width(w) {}
  template <class V>
  void attributes(V& v) const {
    v("shape", shape);
    v("width", width);
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
