// Arrays made from attributes alone.
#pragma once

#include "core/op.h"
#include "heddle/ops/creation.h"

namespace heddle {

// start + i * step for i < size. Integers are exact as far as a double is.
struct Arange {
  Real64 start;
  Real64 step;
  int64_t size;
  Dtype dtype;
  void fields(auto& v) { v("start", start)("step", step)("size", size)("dtype", dtype); }
  void check(const Arrays&) const {}  // has no inputs
  Avals infer(const Arrays&) const { return {{Shape{size}, dtype}}; }
  bool follows_shapes() const { return false; }
};

// The product of the sizes of some axes, or its inverse.
struct NumberOfElements {
  Axes axes;
  bool inverted;
  Dtype dtype;
  void fields(auto& v) { v("axes", axes)("inverted", inverted)("dtype", dtype); }
  double value(const Shape& shape) const;
  void check(const Arrays& in) const;
  Avals infer(const Arrays&) const { return {{Shape{}, dtype}}; }
  std::optional<Batched> vmap(const Batch& b) const;
  static constexpr bool is_constant = true;
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
