// Random bits.
#pragma once

#include "core/op.h"

namespace heddle {

// keys: uint32 (batch..., 2); result: (batch..., shape...), each key's draw on its own.
struct RandomBits {
  Shape shape;
  int width;  // bytes of an element: 1, 2 or 4
  void fields(auto& v) { v("shape", shape)("width", width); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool is_constant = true;
};

}  // namespace heddle
