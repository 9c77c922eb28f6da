// Borders around arrays.
#pragma once

#include "core/op.h"

namespace heddle {

// A border of input 1, a scalar, around input 0.
struct Pad {
  PerAxis<0> before;  // one per axis
  PerAxis<0> after;
  void fields(auto& v) { v("before", before)("after", after); }
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
  PerAxis<0> before;  // one per axis
  PerAxis<0> after;
  BorderMode mode;
  void fields(auto& v) { v("before", before)("after", after)("mode", mode); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
  bool is_linear() const { return true; }

  // The element of an axis of `size` that each element of the padded axis repeats.
  std::vector<int32_t> sources(size_t axis, int64_t size) const;
};

}  // namespace heddle
