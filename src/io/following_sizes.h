// Numbers that a function computes from sizes while it is traced (`x / x.shape[0]`), found by
// difference: traced again at other sizes, its program is the same but for the constants that come
// from a size.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "core/op.h"

namespace heddle::io {

struct Traced {
  Arrays inputs;  // placeholders
  Arrays outputs;
};
// The function, traced on placeholders of these shapes.
using TraceAt = std::function<Traced(const std::vector<Shape>&)>;

struct FollowedSizes {
  Arrays outputs;  // of the same inputs
  // Axes (input, axis) that constants depend on otherwise: their sizes have to stay.
  std::vector<std::pair<int, int>> fixed;
};

// The graph of `traced`, where constants that are a * size + b of one axis of an input are computed
// from that input. Axes are looked at one by one, and together with those of the same size where
// the function does not run else; where it still does not, or is another program, nothing is known
// and everything left as it is.
FollowedSizes follow_sizes(const Traced& traced, const TraceAt& trace_at);

}  // namespace heddle::io
