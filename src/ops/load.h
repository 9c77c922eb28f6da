// Arrays whose values are fetched when they are first needed.
#pragma once

#include <functional>
#include <memory>

#include "core/op.h"

namespace heddle {

class Load final : public OpClass<Load> {
 public:
  static constexpr const char* name = "Load";
  // Writes all elements, row-major. Called once at most for each evaluation, on any thread; what it
  // throws is thrown by the evaluation.
  using Fill = std::function<void(char* to)>;
  Shape shape;
  Dtype dtype;
  Fill fill;
  Load(Shape s, Dtype t, Fill f) : shape(std::move(s)), dtype(t), fill(std::move(f)) {}
  template <class V>
  void attributes(V& v) const {
    v("shape", shape);
    v("dtype", dtype);
  }
  void check(const Arrays&) const override {}  // has no inputs
  Avals infer(const Arrays&) const override { return {{shape, dtype}}; }
  bool is_pure() const override { return false; }  // two of one shape hold different values
};

}  // namespace heddle
