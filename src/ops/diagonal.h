// Diagonals of matrices.
#pragma once

#include "core/op.h"

namespace heddle {

// The diagonals of the matrices that two axes span, along a new last axis; a view.
struct Diagonal {
  int offset;
  Axis axis1;
  Axis axis2;
  void fields(auto& v) { v("offset", offset)("axis1", axis1)("axis2", axis2); }
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
