// Calls of shapeless functions, in MLX's dialect or heddle's own, at sizes other than those of the
// trace. Most operations mean the
// same at any size; some have in their attributes a size or a position that may have been taken
// from the traced inputs, and nothing tells whether it was. Such a call is refused where that makes
// a difference, so that no size of the trace is taken for one of the call.
#pragma once

#include <set>

#include "convert/calls.h"

namespace heddle::convert {

class SizeRefusal : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class OtherSizes {
 public:
  OtherSizes(const Calls& f, const Arrays& inputs);

  bool differ() const { return !traced_.empty(); }
  // Throws SizeRefusal, with the name of the operation and what can be done, for a call that need
  // not hold at these sizes. `in` are its inputs now, `recorded` its results as traced.
  void check(const Call& c, bool follows_shapes, const Arrays& in, const Avals& recorded) const;
  // The text of an error that a call gives.
  std::string explain(const Call& c, const std::string& problem) const;

 private:
  const Calls& f_;
  const Arrays& inputs_;
  std::set<int64_t> traced_;  // sizes that are others now, and products of neighbours with them
};

}  // namespace heddle::convert
