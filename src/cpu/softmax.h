// Softmax and log-sum-exp over the last axis. float16 and bfloat16 are computed in float32.
// in.dtype() is floating, with out.dtype on its lane; out is row-contiguous and may be the memory
// that `in` reads element for element. Parallel over rows; rows are computed alike on any thread.
#pragma once

#include "core/view.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// out.shape = in.shape(). A row with a NaN, with +inf, or of -inf alone becomes all NaN.
void softmax(const tile::Source& in, const View& out);

// out.shape: that of `in` without the last axis, or with 1 for it. -inf for an empty row.
void logsumexp(const tile::Source& in, const View& out);

}  // namespace heddle::cpu
