// What the statements of pointwise operations (pointwise_unary.cpp, pointwise_binary.cpp) are
// written with.
#pragma once

#include <string>

#include "ops/pointwise.h"

namespace heddle::pointwise_statements {

using Domain = Pointwise::Domain;
using Result = Pointwise::Result;
using In = const Arrays&;
using Out = const Array&;

// A new op, which lives as long as the process.
Pointwise& pointwise(std::string name, Code code);

// A scalar of the dtype of `like`, so that it never promotes.
Array constant(double value, const Array& like);

// Promotes the operands as the op wants and makes the node.
Array apply_pointwise(const Pointwise& op, Arrays inputs, StreamOrDevice s);

// 1 / (1 + exp(-x)), of complex numbers too.
Array logistic(const Array& x);

// The smaller and the larger magnitude of two real numbers.
struct Magnitudes {
  Array smaller, larger;
};
Magnitudes magnitudes(const Array& a, const Array& b);

// 1 + t^2 of the ratio t of two magnitudes: the sum of their squares over that of the larger one.
Array one_and_square(const Array& t);

}  // namespace heddle::pointwise_statements
