// Matrix products of stacks of matrices.
#pragma once

#include "core/view.h"
#include "cpu/dnnl.h"

namespace heddle::cpu {

// What happens to a sum before it is rounded and stored: tail(alpha * sum + beta * addend).
struct Epilogue {
  double alpha = 1;
  double beta = 1;
  const View* addend = nullptr;            // of out's dtype and shape, strides 0 where broadcast
  onednn::Tail tail = onednn::Tail::none;  // not for complex64
};

// out (..., M, N) = epilogue(a (..., M, K) b (..., K, N)).
// One inexact dtype throughout; batch dimensions are equal (strides 0 where broadcast) and out is
// row-contiguous, overlapping no operand. a and b may have any strides: where one of the last two
// is 1 nothing is copied. K = 0 gives sums of 0. float16 and bfloat16 are summed in float32. With
// beta = 0 the addend is not read. Threads share the work; thread-safe.
void matmul(const View& a, const View& b, const View& out, const Epilogue& epilogue = {});

}  // namespace heddle::cpu
