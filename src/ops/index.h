// Ops that read or write parts of arrays. Public contracts: heddle/ops/index.h.
#pragma once

#include "core/op.h"
#include "heddle/ops/index.h"

namespace heddle {

constexpr auto enum_names(Combine) { return std::array{"assign", "sum", "prod", "max", "min"}; }

// One axis of a slice against its size: elements first, first + step, ..., count of them.
struct SliceRange {
  int64_t first;
  int64_t step;
  int64_t count;
};
SliceRange resolve_slice(int64_t start, int64_t stop, int64_t step, int64_t size);

// Bounds stay as given (negative ones and missing ends relative to the size), so that the op means
// the same for arrays of other sizes.
struct Slice {
  static constexpr const char* name = "Slice";
  PerAxis<slice_end> start;
  PerAxis<slice_end> stop;
  PerAxis<1> step;
  void fields(auto& v) { v("start", start)("stop", stop)("step", step); }
  bool operator==(const Slice&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
  bool follows_shapes() const { return false; }
};

// Input 1, of the shape of the slice and the dtype of input 0, put into input 0.
struct SliceUpdate {
  static constexpr const char* name = "SliceUpdate";
  PerAxis<slice_end> start;
  PerAxis<slice_end> stop;
  PerAxis<1> step;
  Combine combine;
  void fields(auto& v) { v("start", start)("stop", stop)("step", step)("combine", combine); }
  bool operator==(const SliceUpdate&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return combine == Combine::assign || combine == Combine::sum; }
  bool follows_shapes() const { return false; }
};

// Inputs: the array, then one index array per axis. Indices are clamped.
struct Gather {
  static constexpr const char* name = "Gather";
  Axes axes;
  Shape slice_sizes;
  void fields(auto& v) { v("axes", axes)("slice_sizes", slice_sizes); }
  bool operator==(const Gather&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// Inputs: the array, one index array per axis, the updates (in the array's dtype).
struct Scatter {
  static constexpr const char* name = "Scatter";
  Axes axes;
  Combine combine;
  bool clamp;  // indices out of range are clamped, as gather's derivative wants it; else an error
  void fields(auto& v) { v("axes", axes)("combine", combine)("clamp", clamp); }
  bool operator==(const Scatter&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// out[..., i, ...] = a[..., indices[..., i, ...], ...]; the shapes agree but for the axis.
struct GatherAxis {
  static constexpr const char* name = "GatherAxis";
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  bool operator==(const GatherAxis&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[1].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// Inputs: the array, the indices, the values (of the shape of the indices). Assigns or adds.
struct ScatterAxis {
  static constexpr const char* name = "ScatterAxis";
  Axis axis;
  Combine combine;
  bool clamp;
  void fields(auto& v) { v("axis", axis)("combine", combine)("clamp", clamp); }
  bool operator==(const ScatterAxis&) const = default;
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// Inputs: the array (n, k), the mask (n), the values (m, k): rows where the mask is true are
// replaced by the next rows of the values.
struct MaskedScatter {
  static constexpr const char* name = "MaskedScatter";
  bool operator==(const MaskedScatter&) const = default;
  void check(const Arrays& in) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

}  // namespace heddle
