// Calls of shapeless functions at sizes other than those of the trace. Most primitives mean the
// same at any size; some have in their state a size or a position that may have been taken from the
// traced inputs, and nothing tells whether it was. Such a record is refused where that makes a
// difference, so that no size of the trace is taken for one of the call.
#pragma once

#include <set>

#include "io/traced_function.h"

namespace heddle::io {

class OtherSizes {
 public:
  OtherSizes(const TracedFunction& f, const Arrays& inputs);

  bool differ() const { return !traced_.empty(); }
  // Throws std::invalid_argument, with the name of the primitive and what can be done, for a record
  // that need not hold at these sizes. `in` are its inputs now, `recorded` its results as traced.
  void check(const Record& r, const Arrays& in, const Avals& recorded) const;
  // The text of an error that a record gives.
  std::string explain(const Record& r, const std::string& problem) const;

 private:
  const TracedFunction& f_;
  const Arrays& inputs_;
  std::set<int64_t> traced_;  // sizes that are others now, and products of neighbours with them
};

}  // namespace heddle::io
