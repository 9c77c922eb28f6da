// Arrays whose values are fetched when they are first needed.
#pragma once

#include <functional>
#include <memory>

#include "core/op.h"

namespace heddle {

struct Load {
  static constexpr bool opaque = true;
  // Writes all elements, row-major. Called once at most for each evaluation, on any thread; what it
  // throws is thrown by the evaluation.
  using Fill = std::function<void(char* to)>;
  Shape shape;
  Dtype dtype;
  Fill fill;
  void fields(auto& v) { v("shape", shape)("dtype", dtype); }
  void check(const Arrays&) const {}  // has no inputs
  Avals infer(const Arrays&) const { return {{shape, dtype}}; }
};

}  // namespace heddle
