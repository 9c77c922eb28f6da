// Functions of real analysis, rounding, and other functions of elements. Operands broadcast;
// functions of real analysis take integers as float32.
#pragma once

#include <optional>

#include "heddle/ops/arithmetic.h"

namespace heddle {

// One operand, one result of the same shape.
Array exp(const Array& a, StreamOrDevice s = {});
Array exp2(const Array& a, StreamOrDevice s = {});
Array expm1(const Array& a, StreamOrDevice s = {});
Array log(const Array& a, StreamOrDevice s = {});
Array log2(const Array& a, StreamOrDevice s = {});
Array log10(const Array& a, StreamOrDevice s = {});
Array log1p(const Array& a, StreamOrDevice s = {});
Array sin(const Array& a, StreamOrDevice s = {});
Array cos(const Array& a, StreamOrDevice s = {});
Array tan(const Array& a, StreamOrDevice s = {});
Array arcsin(const Array& a, StreamOrDevice s = {});
Array arccos(const Array& a, StreamOrDevice s = {});
Array arctan(const Array& a, StreamOrDevice s = {});
Array sinh(const Array& a, StreamOrDevice s = {});
Array cosh(const Array& a, StreamOrDevice s = {});
Array tanh(const Array& a, StreamOrDevice s = {});
Array arcsinh(const Array& a, StreamOrDevice s = {});
Array arccosh(const Array& a, StreamOrDevice s = {});
Array arctanh(const Array& a, StreamOrDevice s = {});
Array degrees(const Array& a, StreamOrDevice s = {});
Array radians(const Array& a, StreamOrDevice s = {});
Array erf(const Array& a, StreamOrDevice s = {});
Array erfinv(const Array& a, StreamOrDevice s = {});
Array sigmoid(const Array& a, StreamOrDevice s = {});
Array floor(const Array& a, StreamOrDevice s = {});
Array ceil(const Array& a, StreamOrDevice s = {});
Array trunc(const Array& a, StreamOrDevice s = {});
Array round(const Array& a, int decimals = 0, StreamOrDevice s = {});  // half to even
Array isposinf(const Array& a, StreamOrDevice s = {});
Array isneginf(const Array& a, StreamOrDevice s = {});
Array nan_to_num(const Array& a, float nan = 0.0f, std::optional<float> posinf = {},
                 std::optional<float> neginf = {}, StreamOrDevice s = {});

// 8-bit floats (E4M3) as uint8: rounded to nearest even, beyond 448 the largest.
Array to_fp8(const Array& x, StreamOrDevice s = {});  // of floating types
Array from_fp8(const Array& x, Dtype dtype = bfloat16, StreamOrDevice s = {});

// Two operands.
Array logaddexp(const Array& a, const Array& b, StreamOrDevice s = {});
Array arctan2(const Array& a, const Array& b, StreamOrDevice s = {});
Array isclose(const Array& a, const Array& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false, StreamOrDevice s = {});

}  // namespace heddle
