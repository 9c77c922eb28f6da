// Operations that change how elements are arranged: most only make a view.
#pragma once

#include "heddle/array.h"

namespace heddle {

Array reshape(const Array& a, const Shape& shape, StreamOrDevice s = {});  // one -1 is inferred
Array broadcast_to(const Array& a, const Shape& shape, StreamOrDevice s = {});
Array transpose(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array transpose(const Array& a, StreamOrDevice s = {});  // reverses all axes
Array moveaxis(const Array& a, int source, int destination, StreamOrDevice s = {});
Array swapaxes(const Array& a, int axis1, int axis2, StreamOrDevice s = {});

}  // namespace heddle
