// Reductions over axes. Reduced dimensions stay as size one; the public functions drop them.
#pragma once

#include "core/op.h"
#include "core/reduction.h"

namespace heddle {

// The type of sums and products: those of narrow integers are taken, and kept, in 32 bits.
Dtype accumulated_dtype(Dtype t);

// Sum, product, minimum, maximum, all, any.
struct Reduce {
  Reduction reduction;
  Axes axes;  // sorted, not empty
  void fields(auto& v) { v("reduction", reduction)("axes", axes); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return reduction == Reduction::sum; }
};

// The sum divided by max(n - ddof, 0), of inexact numbers. An op of its own, since the count is
// known only when shapes are, and because halves are rounded once.
struct Mean {
  Axes axes;  // sorted, not empty
  int ddof;
  void fields(auto& v) { v("axes", axes)("ddof", ddof); }
  double divisor(const Shape& shape) const;
  // The same, as an array that follows the sizes of x in a shapeless trace.
  Array count(const Array& x, Dtype dtype, const Stream& s) const;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
  bool is_linear() const { return true; }
};

// Position of the extreme along one axis.
struct ArgReduce {
  ArgReduction reduction;
  Axis axis;
  void fields(auto& v) { v("reduction", reduction)("axis", axis); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool is_constant = true;
};

}  // namespace heddle
