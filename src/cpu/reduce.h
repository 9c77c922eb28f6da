// Reductions over any set of axes.
//
// Results do not depend on the number of threads: the work is split at points given by the shape
// alone, and partial results are combined in a fixed order. Sums of floats are added in blocks and
// the blocks in a tree, so that the relative error grows with the logarithm of the length.
// A fused source and the same values read from a row-contiguous array give equal bits.
#pragma once

#include "core/reduction.h"
#include "core/view.h"
#include "cpu/memory_order.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

using Axes = InlineVector<int, 6>;

// out = the reduction of `in` over `axes` (sorted, distinct, not negative).
// out.shape: the shape of `in` without `axes`; any strides; out.dtype is the dtype of the result.
//
// sum, prod: the values of in.dtype() and out.dtype are on one lane, where i32 and u32, and i64 and
//   u64, count as one (the caller appends a conversion to the source otherwise). float16 and
//   bfloat16 accumulate in float32; integers wrap.
// min, max: in.dtype() == out.dtype; NaN wins; complex numbers compare lexicographically, and one
//   with a NaN in it counts as NaN. The identity (inf, lowest, ...) results where nothing is
//   reduced: refusing that is the caller's part.
// all, any: out.dtype is bool; an element counts as true unless it is zero.
void reduce(Reduction reduction, const tile::Source& in, const Axes& axes, const View& out);

// The same over an array of any strides, read in the order of its memory.
void reduce(Reduction reduction, const View& in, const Axes& axes, const View& out);

// `axes` and `out` for an input whose dimensions are taken in `order`.
struct Reduced {
  Axes axes;
  View out;
};
Reduced reordered(const Order& order, const Axes& axes, const View& out);

}  // namespace heddle::cpu
