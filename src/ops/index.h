// Ops that read or write by arrays of indices. Public contracts: heddle/ops/index.h.
#pragma once

#include "ops/slice.h"

namespace heddle {

// Inputs: the array, then one index array per axis. Indices are clamped.
struct Gather {
  Axes axes;
  Shape slice_sizes;
  void fields(auto& v) { v("axes", axes)("slice_sizes", slice_sizes); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// Inputs: the array, one index array per axis, the updates (in the array's dtype).
struct Scatter {
  Axes axes;
  Combine combine;
  bool clamp;  // indices out of range are clamped, as gather's derivative wants it; else an error
  void fields(auto& v) { v("axes", axes)("combine", combine)("clamp", clamp); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// out[..., i, ...] = a[..., indices[..., i, ...], ...]; the shapes agree but for the axis.
struct GatherAxis {
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[1].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// Inputs: the array, the indices, the values (of the shape of the indices). Assigns or adds.
struct ScatterAxis {
  Axis axis;
  Combine combine;
  bool clamp;
  void fields(auto& v) { v("axis", axis)("combine", combine)("clamp", clamp); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// Inputs: the array (n, k), the mask (n), the values (m, k): rows where the mask is true are
// replaced by the next rows of the values.
struct MaskedScatter {
  void check(const Arrays& in) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

}  // namespace heddle
