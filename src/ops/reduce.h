// Reductions over axes. Reduced dimensions stay as size one; the public functions drop them.
#pragma once

#include "core/op.h"
#include "core/reduction.h"

namespace heddle {

// The type of sums and products: those of narrow integers are taken, and kept, in 32 bits.
Dtype accumulated_dtype(Dtype t);

// Sum, product, minimum, maximum, all, any.
class Reduce final : public OpClass<Reduce> {
 public:
  static constexpr const char* name = "Reduce";
  Reduction reduction;
  std::vector<int> axes;  // sorted, not empty
  Reduce(Reduction r, std::vector<int> a) : reduction(r), axes(std::move(a)) {}
  template <class V>
  void attributes(V& v) const {
    v("reduction", reduction);
    v("axes", axes);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return reduction == Reduction::sum; }
  bool follows_shapes() const override { return true; }
};

// The sum divided by max(n - ddof, 0), of inexact numbers. An op of its own, since the count is
// known only when shapes are, and because halves are rounded once.
class Mean final : public OpClass<Mean> {
 public:
  static constexpr const char* name = "Mean";
  std::vector<int> axes;  // sorted, not empty
  int ddof;
  Mean(std::vector<int> a, int d) : axes(std::move(a)), ddof(d) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
    v("ddof", ddof);
  }
  double divisor(const Shape& shape) const;
  // The same, as an array that follows the sizes of x in a shapeless trace.
  Array count(const Array& x, Dtype dtype, const Stream& s) const;
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

// Position of the extreme along one axis.
class ArgReduce final : public OpClass<ArgReduce> {
 public:
  static constexpr const char* name = "ArgReduce";
  ArgReduction reduction;
  int axis;
  ArgReduce(ArgReduction r, int a) : reduction(r), axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("reduction", reduction);
    v("axis", axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// What the reducing functions share: `axes` counted from the front and sorted, and all axes.
std::vector<int> reduction_axes(const char* op, const std::vector<int>& axes, int ndim);
std::vector<int> all_axes(const Array& a);

}  // namespace heddle
