// Ops that give the same elements another shape or order. All are views where strides allow.
#pragma once

#include "core/op.h"

namespace heddle {

struct Broadcast {
  Sizes shape;
  void fields(auto& v) { v("shape", shape); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// Row-major order kept, other dimensions. One dimension may be -1 (kept so in shapeless programs).
struct Reshape {
  Sizes shape;
  void fields(auto& v) { v("shape", shape); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Axes start..end become one.
struct Flatten {
  int start_axis;
  int end_axis;
  void fields(auto& v) { v("start_axis", start_axis)("end_axis", end_axis); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// One axis becomes several, of which one may be -1.
struct Unflatten {
  Axis axis;
  Shape shape;
  void fields(auto& v) { v("axis", axis)("shape", shape); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Drops axes of size one.
struct Squeeze {
  Axes axes;  // sorted
  void fields(auto& v) { v("axes", axes); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Puts in axes of size one, counted in the result.
struct ExpandDims {
  NewAxes axes;  // sorted
  void fields(auto& v) { v("axes", axes); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

struct Transpose {
  std::vector<int> axes;  // result dimension i is input dimension axes[i]
  void fields(auto& v) { v("axes", axes); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

}  // namespace heddle
