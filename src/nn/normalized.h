// What C++'s and Python's normalizations stand on. Statistics and what is computed from them are
// float32 or wider; the result is rounded once, to the dtype that x and the parameters have
// together.
#pragma once

#include <optional>
#include <vector>

#include "heddle/array.h"

namespace heddle::nn {

struct Moments {
  Array mean, variance;
};
// Of a wide array: x is widened once, for its gradient to be rounded once, too.
Moments moments(const Array& x, const std::vector<int>& axes, bool keepdims);

// (x - mean) / sqrt(variance + eps), not rounded.
Array standardized(const Array& x, const Moments& moments, double eps);

// y times the weight plus the bias, if there are any, in the dtype of `alike` and these together.
Array scaled_and_shifted(const Array& y, const Arrays& alike, const std::optional<Array>& weight,
                         const std::optional<Array>& bias);

// A running average of a statistic of x after one more value of it. No gradient passes.
Array moved(const Array& running, const Array& now, double momentum, const Array& x);

}  // namespace heddle::nn
