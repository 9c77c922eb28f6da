// Halves inside of layers and losses: what is not a result stays float32, so that squares neither
// overflow nor vanish, sums keep their digits, and a result is rounded once.
#pragma once

#include <initializer_list>

#include "heddle/ops/arithmetic.h"

namespace heddle::nn {

// float32 for halves; other arrays as they are.
inline Array widened(const Array& x) { return is_half(x.dtype()) ? astype(x, float32) : x; }

// The same, and float32 for integers and bools.
inline Array widened_to_float(const Array& x) {
  return is_half(x.dtype()) || !is_inexact(x.dtype()) ? astype(x, float32) : x;
}

// What is computed from arrays of these dtypes has this one.
inline Dtype together(std::initializer_list<Array> arrays) {
  Dtype t = arrays.begin()->dtype();
  for (const Array& a : arrays) t = promote_types(t, a.dtype());
  return t;
}

// A wide result, rounded if it is to be a half.
inline Array rounded(const Array& wide, Dtype wanted) {
  return is_half(wanted) ? astype(wide, wanted) : wide;
}

}  // namespace heddle::nn
