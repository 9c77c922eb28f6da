// Joining arrays along an axis, and cutting them.
#pragma once

#include "core/op.h"

namespace heddle {

struct Concatenate {
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }
};

// Equal sections, or parts between indices (by the rules of slices); views.
struct Split {
  Axis axis;
  int sections;   // 0: by indices
  Shape indices;  // negative ones count from the end
  void fields(auto& v) { v("axis", axis)("sections", sections)("indices", indices); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  bool is_linear() const { return true; }

  // First element and length of each part of an axis of `size` elements.
  std::vector<std::pair<int64_t, int64_t>> parts(int64_t size) const;
};

}  // namespace heddle
