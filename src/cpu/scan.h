// Cumulative sums, products, minima, maxima and logarithms of sums of exponentials.
#pragma once

#include "core/scan.h"
#include "core/view.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// out[.., i, ..] = the elements of `in` at 0 .. i of `axis` combined (inclusive), or those before i
// (exclusive: the identity for i = 0, which is the lowest or highest value of the dtype for max and
// min). reverse: from the end instead of the start.
//
// out: row-contiguous, of in.shape(), its dtype on the lane of in.dtype(); it may be the memory
// that `in` reads element for element, unless the axis is the last, exclusive and longer than a
// tile. logaddexp: in.dtype() is inexact. float16 and bfloat16 accumulate in float32; integers
// wrap; NaN stays once met. Sums along the last axis are added in blocks, more accurately than one
// by one; a block never changes an order: sums of positive numbers never fall. Parallel; results do
// not depend on the number of threads.
void scan(ScanKind kind, const tile::Source& in, int axis, bool reverse, bool inclusive,
          const View& out);

}  // namespace heddle::cpu
