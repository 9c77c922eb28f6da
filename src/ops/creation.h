// Arrays made from attributes alone.
#pragma once

#include "core/op.h"

namespace heddle {

// start + i * step for i < size. Integers are exact as far as a double is.
class Arange final : public OpClass<Arange> {
 public:
  static constexpr const char* name = "Arange";
  double start;
  double step;
  int64_t size;
  Dtype dtype;
  Arange(double a, double b, int64_t n, Dtype t) : start(a), step(b), size(n), dtype(t) {}
  template <class V>
  void attributes(V& v) const {
    v("start", start);
    v("step", step);
    v("size", size);
    v("dtype", dtype);
  }
  Avals infer(const Arrays&) const override { return {{Shape{size}, dtype}}; }
};

}  // namespace heddle
