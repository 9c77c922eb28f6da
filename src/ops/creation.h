// Arrays made from attributes alone.
#pragma once

#include "core/op.h"
#include "heddle/ops/creation.h"

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
  void check(const Arrays&) const override {}  // has no inputs
  Avals infer(const Arrays&) const override { return {{Shape{size}, dtype}}; }
};

// Bounds of any integer dtype. 128 bits hold their differences.
using WideInteger = __int128;

// arange and linspace of integers, exactly in an integer dtype. Throws std::invalid_argument for
// numbers that do not fit the dtype.
Array integer_range(WideInteger start, WideInteger stop, WideInteger step, Dtype dtype,
                    StreamOrDevice s = {});
Array integer_linspace(WideInteger start, WideInteger stop, int num, Dtype dtype, bool endpoint,
                       StreamOrDevice s = {});

}  // namespace heddle
