// Constants beside arrays, weak as Python's: they take the array's dtype, or float32 beside
// integers.
#pragma once

#include "heddle/array.h"

namespace heddle::nn {

inline Array scalar(double value, const Array& beside) {
  return Array(value, is_inexact(beside.dtype()) ? beside.dtype() : float32);
}
inline Array integer(int value, const Array& beside) {
  return Array(value, is_bool(beside.dtype()) ? int32 : beside.dtype());
}

}  // namespace heddle::nn
