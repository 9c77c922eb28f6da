// The order in which memory is read fastest. Loops whose result does not depend on the order of
// dimensions take them in this one, so that a transposed array is as fast as a dense one.
#pragma once

#include "core/view.h"

namespace heddle::cpu {

// Dimension order[i] comes at place i, the outermost first.
using Order = InlineVector<int, 8>;

// By falling strides. Repeated elements come outermost; where strides say nothing, the dimensions
// stay as they are.
Order memory_order(const Shape& shape, const Strides& strides);

// As they stand in the shape.
Order shape_order(size_t dimensions);

View reordered(const View& view, const Order& order);

}  // namespace heddle::cpu
