// Slices, and the ways to write into a part. Public contracts: heddle/ops/index.h.
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
  PerAxis<slice_end> start;
  PerAxis<slice_end> stop;
  PerAxis<1> step;
  void fields(auto& v) { v("start", start)("stop", stop)("step", step); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
  bool follows_shapes() const { return false; }
};

// Input 1, of the shape of the slice and the dtype of input 0, put into input 0.
struct SliceUpdate {
  PerAxis<slice_end> start;
  PerAxis<slice_end> stop;
  PerAxis<1> step;
  Combine combine;
  void fields(auto& v) { v("start", start)("stop", stop)("step", step)("combine", combine); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return combine == Combine::assign || combine == Combine::sum; }
  bool follows_shapes() const { return false; }
};

}  // namespace heddle
