// Ops about how elements lie in memory, and padding.
#pragma once

#include "core/op.h"

namespace heddle {

// A strided view of the elements in row-major order; within bounds for every shape inferred.
struct AsStrided {
  static constexpr const char* name = "AsStrided";
  Shape shape;
  Strides strides;
  int64_t offset;
  void fields(auto& v) { v("shape", shape)("strides", strides)("offset", offset); }
  bool operator==(const AsStrided&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// Its adjoint: an array of shape `target` with the elements of the input added where a view of
// these strides shows them.
struct AsStridedAdjoint {
  static constexpr const char* name = "AsStridedAdjoint";
  Shape target;
  Strides strides;
  int64_t offset;
  void fields(auto& v) { v("target", target)("strides", strides)("offset", offset); }
  bool operator==(const AsStridedAdjoint&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

struct Contiguous {
  static constexpr const char* name = "Contiguous";
  bool allow_col_major;
  void fields(auto& v) { v("allow_col_major", allow_col_major); }
  bool operator==(const Contiguous&) const = default;
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const { return p.g; }
  bool is_linear() const { return true; }
};

// The bytes as another dtype. Has no derivative.
struct ViewAs {
  static constexpr const char* name = "View";
  Dtype dtype;
  void fields(auto& v) { v("dtype", dtype); }
  bool operator==(const ViewAs&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
};

// Its first inputs, as many as there are outputs, unchanged; the rest are only waited for.
struct Depends {
  static constexpr const char* name = "Depends";
  int count;
  void fields(auto& v) { v("count", count); }
  bool operator==(const Depends&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// A border of input 1, a scalar, around input 0.
struct Pad {
  static constexpr const char* name = "Pad";
  PerAxis<0> before;  // one per axis
  PerAxis<0> after;
  void fields(auto& v) { v("before", before)("after", after); }
  bool operator==(const Pad&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// A border of elements of the array itself.
enum class BorderMode : uint8_t { edge, reflect, symmetric };
constexpr auto enum_names(BorderMode) { return std::array{"edge", "reflect", "symmetric"}; }
struct BorderPad {
  static constexpr const char* name = "BorderPad";
  PerAxis<0> before;  // one per axis
  PerAxis<0> after;
  BorderMode mode;
  void fields(auto& v) { v("before", before)("after", after)("mode", mode); }
  bool operator==(const BorderPad&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
  bool is_linear() const { return true; }

  // The element of an axis of `size` that each element of the padded axis repeats.
  std::vector<int32_t> sources(size_t axis, int64_t size) const;
};

// The diagonals of the matrices that two axes span, along a new last axis; a view.
struct Diagonal {
  static constexpr const char* name = "Diagonal";
  int offset;
  Axis axis1;
  Axis axis2;
  void fields(auto& v) { v("offset", offset)("axis1", axis1)("axis2", axis2); }
  bool operator==(const Diagonal&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
  bool is_linear() const { return true; }

  // Coordinates of the first element, and how many there are.
  struct Line {
    int64_t row, column, count;
  };
  Line line(const Shape& shape) const;
};

}  // namespace heddle
