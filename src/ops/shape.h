// Ops that give the same elements another shape or order. All are views where strides allow.
#pragma once

#include "core/op.h"

namespace heddle {

struct Broadcast {
  static constexpr const char* name = "Broadcast";
  Sizes shape;
  void fields(auto& v) { v("shape", shape); }
  bool operator==(const Broadcast&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// Row-major order kept, other dimensions. One dimension may be -1 (kept so in shapeless programs).
struct Reshape {
  static constexpr const char* name = "Reshape";
  Sizes shape;
  void fields(auto& v) { v("shape", shape); }
  bool operator==(const Reshape&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Axes start..end become one.
struct Flatten {
  static constexpr const char* name = "Flatten";
  int start_axis;
  int end_axis;
  void fields(auto& v) { v("start_axis", start_axis)("end_axis", end_axis); }
  bool operator==(const Flatten&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// One axis becomes several, of which one may be -1.
struct Unflatten {
  static constexpr const char* name = "Unflatten";
  Axis axis;
  Shape shape;
  void fields(auto& v) { v("axis", axis)("shape", shape); }
  bool operator==(const Unflatten&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Drops axes of size one.
struct Squeeze {
  static constexpr const char* name = "Squeeze";
  Axes axes;  // sorted
  void fields(auto& v) { v("axes", axes); }
  bool operator==(const Squeeze&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Puts in axes of size one, counted in the result.
struct ExpandDims {
  static constexpr const char* name = "ExpandDims";
  NewAxes axes;  // sorted
  void fields(auto& v) { v("axes", axes); }
  bool operator==(const ExpandDims&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

struct Transpose {
  static constexpr const char* name = "Transpose";
  std::vector<int> axes;  // result dimension i is input dimension axes[i]
  void fields(auto& v) { v("axes", axes); }
  bool operator==(const Transpose&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

}  // namespace heddle
