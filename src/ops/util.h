// Small helpers that op families share.
#pragma once

#include "core/op.h"

namespace heddle {

// The common shape by numpy's rules. Throws std::invalid_argument
// "[broadcast_shapes] Shapes (2) and (3) cannot be broadcast."
Shape broadcast_shapes(const Shape& a, const Shape& b);

// Sums `g` over the dimensions in which `x` was broadcast, so that the result has the shape of `x`.
// A shapeless trace states that, since at other sizes other dimensions may be broadcast.
Array sum_to_like(const Array& g, const Array& x, const Stream& s);

// Halves as float32, for what is not a result yet.
Array widened(const Array& x, const Stream& s);

// The square root of a sum of squares. Where it is zero its derivative by them is taken as zero, so
// that a norm has the gradient 0 there and not 0/0.
Array root_with_gradient_at_zero(const Array& squares, const Stream& s);

// A power of two by which numbers up to the magnitude `largest` are divided, so that their squares
// neither overflow nor vanish: 1 unless they would. A constant for derivatives.
Array scale_for_squares(const Array& largest, const Stream& s);

std::vector<int> all_axes(const Array& a);

// The size of the batch, of inputs of which at least one is batched (-1: not).
int64_t batch_size(const Arrays& inputs, const std::vector<int>& axes);

// Moves the batch axis to the front; an input without one (-1) stays.
Array batch_to_front(const Array& x, int axis);

// The batched inputs of an op that broadcasts: batch axes in front, ranks equal (dimensions of size
// one put in after the batch axis), inputs without a batch axis as they are.
Arrays align_batches(const Arrays& inputs, const std::vector<int>& axes);

// The batched inputs with the batch axis in front, the others repeated along a new first axis (a
// view).
Arrays all_batched(const Arrays& inputs, const std::vector<int>& axes, const Stream& s);

// `axes` counted from the front, sorted. Throws AxisError, or std::invalid_argument for a repeated
// axis.
std::vector<int> normalize_axes(const char* op, const std::vector<int>& axes, int ndim);

}  // namespace heddle
