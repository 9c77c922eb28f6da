// Scans along one axis: result k combines elements 0..k (inclusive) or 0..k-1, or, in reverse, from
// the end. The dtype stays, but sums of bool are int32 and logcumsumexp takes integers as float32.
// Where an exclusive scan has nothing to combine it gives the identity (for extremes the dtype's
// lowest or highest value). An axis that the array does not have throws AxisError.
#pragma once

#include "heddle/array.h"

namespace heddle {

Array cumsum(const Array& a, int axis, bool reverse = false, bool inclusive = true,
             StreamOrDevice s = {});
Array cumprod(const Array& a, int axis, bool reverse = false, bool inclusive = true,
              StreamOrDevice s = {});
Array cummax(const Array& a, int axis, bool reverse = false, bool inclusive = true,
             StreamOrDevice s = {});
Array cummin(const Array& a, int axis, bool reverse = false, bool inclusive = true,
             StreamOrDevice s = {});
Array logcumsumexp(const Array& a, int axis, bool reverse = false, bool inclusive = true,
                   StreamOrDevice s = {});

}  // namespace heddle
