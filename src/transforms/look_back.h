// Reading a graph backwards: what made an array, and of what. For graphs that nothing evaluates
// meanwhile, as those on placeholders.
#pragma once

#include <optional>
#include <vector>

#include "core/node.h"
#include "ops/pointwise.h"

namespace heddle {

// The op as one of class T; null if it is another or none.
template <class T>
const T* as(const Op* op) {
  return op ? op_if<T>(*op) : nullptr;
}

// The op that makes `a`; null for placeholders and for what is known.
inline const Op* maker(const Array& a) { return a.node()->op.get(); }

template <class T>
const T* made_by(const Array& a) {
  return as<T>(maker(a));
}

inline const Array& operand(const Array& a, size_t i = 0) { return a.node()->inputs[i]; }
inline const Arrays& operands(const Array& a) { return a.node()->inputs; }

// The function that a pointwise op with a code of its own applies.
inline std::optional<Code> code_of(const Array& a) {
  const Op* op = maker(a);
  if (!op || !op->is_pointwise()) return std::nullopt;
  const auto* pointwise = dynamic_cast<const Pointwise*>(op);
  return pointwise ? std::optional(pointwise->pointwise_code()) : std::nullopt;
}

// Whether the op gives the elements of its operand another shape in the same order.
bool keeps_order(const Op* op);
// x with its axes in another order, as one transpose with those that made x.
Array transposed(const Array& x, std::vector<int> axes, const Stream& s);

}  // namespace heddle
