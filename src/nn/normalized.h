// What C++'s and Python's normalizations stand on. Statistics and what is computed from them are
// float32 or wider; the result is rounded once, to the dtype that x and the parameters have
// together.
#pragma once

#include <optional>
#include <vector>

#include "heddle/array.h"

namespace heddle::nn {

// (x - mean) / sqrt(variance + eps), not rounded.
Array standardized(const Array& x, const Array& mean, const Array& variance, double eps);

// The same with the mean and variance of x itself, a wide array: it is widened once, for its
// gradient to be rounded once, too. The axes are kept, with one element. Squares of numbers up to
// 1e30 overflow in the variance alone.
struct Standardized {
  Array result, mean, variance;
};
Standardized standardized_over(const Array& x, const std::vector<int>& axes, double eps);

// y times the weight plus the bias, if there are any, in the dtype of `alike` and these together.
Array scaled_and_shifted(const Array& y, const Arrays& alike, const std::optional<Array>& weight,
                         const std::optional<Array>& bias);

// A running average of a statistic of x after one more value of it. No gradient passes.
Array moved(const Array& running, const Array& now, double momentum, const Array& x);

}  // namespace heddle::nn
