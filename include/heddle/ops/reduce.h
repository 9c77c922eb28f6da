// Reductions. Without axes they reduce over all. `keepdims` leaves reduced dimensions as size one.
#pragma once

#include "heddle/array.h"

namespace heddle {

// Sums of bool and integers narrower than 32 bits are int32 (uint32 of unsigned); halves are summed
// in float32 and then rounded.
Array sum(const Array& a, const std::vector<int>& axes, bool keepdims = false, StreamOrDevice s = {});
Array sum(const Array& a, bool keepdims = false, StreamOrDevice s = {});

}  // namespace heddle
