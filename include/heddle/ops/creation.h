// New arrays.
#pragma once

#include "heddle/array.h"

namespace heddle {

// `shape` copies of the scalar or broadcast `value`, in its dtype unless one is given.
Array full(const Shape& shape, const Array& value, StreamOrDevice s = {});
Array full(const Shape& shape, const Array& value, Dtype dtype, StreamOrDevice s = {});
Array full_like(const Array& a, const Array& value, StreamOrDevice s = {});
Array zeros(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
Array ones(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
Array zeros_like(const Array& a, StreamOrDevice s = {});
Array ones_like(const Array& a, StreamOrDevice s = {});

}  // namespace heddle
