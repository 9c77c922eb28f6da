// Numbers that a function computes from sizes while it is traced (`x / x.shape[0]`, `reshape(x, (2
// * n, -1))`), found by difference: traced again at other sizes, its graph is the same but for the
// constants and attributes that come from a size.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert/calls.h"

namespace heddle::convert {

struct Traced {
  Arrays inputs;  // placeholders
  Arrays outputs;
};
// The function, traced on placeholders of these shapes. A std::exception says that it does not run
// there; what is none (an interrupt) ends everything.
using TraceAt = std::function<Traced(const std::vector<Shape>&)>;

// An op of a traced graph, of one step alone, and which of its attributes follow sizes.
struct FollowingOp {
  OpRef op;
  std::vector<FollowingNumber> numbers;
};

struct FollowedSizes {
  Arrays outputs = {};  // of the same inputs
  // Arrays of the traced graph, and those that took their places.
  std::vector<std::pair<Array, Array>> replaced = {};
  std::vector<Dimension> dimensions = {};
  std::unordered_map<const Op*, FollowingOp> ops = {};
  // Axes (input, axis) whose sizes have to stay, and those of them that numbers depend on.
  std::vector<std::pair<int, int>> fixed = {}, needed = {};
  bool known = false;   // all sizes that may change were looked at
  bool strict = false;  // what a dialect cannot hold of it is refused
};

// The graph of `traced`, where constants that are a * size + b of one axis of an input are computed
// from that input, and ops whose attributes are sums of such are named. Axes are looked at one by
// one, and together with those of the same size where the function does not run else; where it
// still does not, or is another graph, nothing is known and everything left as it is.
FollowedSizes follow_sizes(const Traced& traced, const TraceAt& trace_at);

// The same for sizes that were named. Throws ConversionError where the function does not run at
// other ones, is another graph there, or has a number that depends on them otherwise.
FollowedSizes follow_sizes(const Traced& traced, const TraceAt& trace_at,
                           std::vector<Dimension> dimensions);

// What depends on the size of this axis, (input, axis), in words; empty: nothing, or the function
// does not run at another.
std::string what_depends_on(const Traced& traced, const TraceAt& trace_at,
                            std::pair<int, int> axis);

}  // namespace heddle::convert
