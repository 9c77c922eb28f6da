// Where the smallest or largest element is.
#pragma once

#include "core/reduction.h"
#include "core/view.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// out = the index along `axis` of the first NaN if there is one, else of the first extreme element,
// for each position of the other axes; complex numbers compare lexicographically.
// out: uint32, of in.shape() without the axis, any strides; the axis is not empty (refusing that is
// the caller's part). Parallel.
void arg_reduce(ArgReduction reduction, const tile::Source& in, int axis, const View& out);

}  // namespace heddle::cpu
