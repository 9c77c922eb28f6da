// Reductions. Without axes they reduce over all; an empty list of axes reduces nothing.
// `keepdims` leaves reduced dimensions as size one.
#pragma once

#include "heddle/array.h"

namespace heddle {

// Sums and products of bool and of integers narrower than 32 bits are int32 (uint32 of unsigned);
// halves are summed in float32 and then rounded.
Array sum(const Array& a, const std::vector<int>& axes, bool keepdims = false, StreamOrDevice s = {});
Array sum(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array prod(const Array& a, const std::vector<int>& axes, bool keepdims = false,
           StreamOrDevice s = {});
Array prod(const Array& a, bool keepdims = false, StreamOrDevice s = {});
// NaN if there is one. Refuse empty dimensions.
Array min(const Array& a, const std::vector<int>& axes, bool keepdims = false, StreamOrDevice s = {});
Array min(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array max(const Array& a, const std::vector<int>& axes, bool keepdims = false, StreamOrDevice s = {});
Array max(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array all(const Array& a, const std::vector<int>& axes, bool keepdims = false, StreamOrDevice s = {});
Array all(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array any(const Array& a, const std::vector<int>& axes, bool keepdims = false, StreamOrDevice s = {});
Array any(const Array& a, bool keepdims = false, StreamOrDevice s = {});

}  // namespace heddle
