// Pointwise operations. Operands broadcast; functions of real analysis take integers as float32.
#pragma once

#include <optional>

#include "heddle/array.h"

namespace heddle {

// One operand, one result of the same shape.
Array abs(const Array& a, StreamOrDevice s = {});       // complex gives float32
Array negative(const Array& a, StreamOrDevice s = {});  // not for bool
Array sign(const Array& a, StreamOrDevice s = {});
Array square(const Array& a, StreamOrDevice s = {});
Array sqrt(const Array& a, StreamOrDevice s = {});
Array rsqrt(const Array& a, StreamOrDevice s = {});
Array reciprocal(const Array& a, StreamOrDevice s = {});
Array exp(const Array& a, StreamOrDevice s = {});
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
Array isnan(const Array& a, StreamOrDevice s = {});
Array isinf(const Array& a, StreamOrDevice s = {});
Array isfinite(const Array& a, StreamOrDevice s = {});
Array isposinf(const Array& a, StreamOrDevice s = {});
Array isneginf(const Array& a, StreamOrDevice s = {});
Array logical_not(const Array& a, StreamOrDevice s = {});
Array bitwise_invert(const Array& a, StreamOrDevice s = {});  // integers and bool
Array real(const Array& a, StreamOrDevice s = {});
Array imag(const Array& a, StreamOrDevice s = {});
Array conjugate(const Array& a, StreamOrDevice s = {});
Array nan_to_num(const Array& a, float nan = 0.0f, std::optional<float> posinf = {},
                 std::optional<float> neginf = {}, StreamOrDevice s = {});
Array stop_gradient(const Array& a, StreamOrDevice s = {});
Array astype(const Array& a, Dtype dtype, StreamOrDevice s = {});

// 8-bit floats (E4M3) as uint8: rounded to nearest even, beyond 448 the largest.
Array to_fp8(const Array& x, StreamOrDevice s = {});  // of floating types
Array from_fp8(const Array& x, Dtype dtype = bfloat16, StreamOrDevice s = {});

// Two operands.
Array add(const Array& a, const Array& b, StreamOrDevice s = {});
Array subtract(const Array& a, const Array& b, StreamOrDevice s = {});
Array multiply(const Array& a, const Array& b, StreamOrDevice s = {});
Array divide(const Array& a, const Array& b, StreamOrDevice s = {});
std::vector<Array> divmod(const Array& a, const Array& b, StreamOrDevice s = {});
Array floor_divide(const Array& a, const Array& b, StreamOrDevice s = {});
Array remainder(const Array& a, const Array& b, StreamOrDevice s = {});  // sign of the divisor
Array power(const Array& a, const Array& b, StreamOrDevice s = {});
Array maximum(const Array& a, const Array& b, StreamOrDevice s = {});  // NaN wins
Array minimum(const Array& a, const Array& b, StreamOrDevice s = {});
Array logaddexp(const Array& a, const Array& b, StreamOrDevice s = {});
Array arctan2(const Array& a, const Array& b, StreamOrDevice s = {});
Array equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array not_equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array less(const Array& a, const Array& b, StreamOrDevice s = {});
Array less_equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array greater(const Array& a, const Array& b, StreamOrDevice s = {});
Array greater_equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array equal_nan(const Array& a, const Array& b, StreamOrDevice s = {});  // NaN equals NaN
Array isclose(const Array& a, const Array& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false, StreamOrDevice s = {});
Array logical_and(const Array& a, const Array& b, StreamOrDevice s = {});
Array logical_or(const Array& a, const Array& b, StreamOrDevice s = {});
Array logical_xor(const Array& a, const Array& b, StreamOrDevice s = {});
Array bitwise_and(const Array& a, const Array& b, StreamOrDevice s = {});
Array bitwise_or(const Array& a, const Array& b, StreamOrDevice s = {});
Array bitwise_xor(const Array& a, const Array& b, StreamOrDevice s = {});
Array left_shift(const Array& a, const Array& b, StreamOrDevice s = {});
Array right_shift(const Array& a, const Array& b, StreamOrDevice s = {});

// Three operands.
Array where(const Array& condition, const Array& x, const Array& y, StreamOrDevice s = {});
Array clip(const Array& a, const std::optional<Array>& lower, const std::optional<Array>& upper,
           StreamOrDevice s = {});  // NaN stays

inline Array operator-(const Array& a) { return negative(a); }
inline Array operator+(const Array& a, const Array& b) { return add(a, b); }
inline Array operator-(const Array& a, const Array& b) { return subtract(a, b); }
inline Array operator*(const Array& a, const Array& b) { return multiply(a, b); }
inline Array operator/(const Array& a, const Array& b) { return divide(a, b); }
inline Array operator%(const Array& a, const Array& b) { return remainder(a, b); }

// What comparisons give: an array of bools, one for each element. `if (a == b)` does not compile;
// `if (all(a == b).item<bool>())` asks the elements.
class Truths : public Array {
 public:
  Truths(Array a) : Array(std::move(a)) {}
  explicit operator bool() const = delete;
};
inline Truths operator<(const Array& a, const Array& b) { return less(a, b); }
inline Truths operator<=(const Array& a, const Array& b) { return less_equal(a, b); }
inline Truths operator>(const Array& a, const Array& b) { return greater(a, b); }
inline Truths operator>=(const Array& a, const Array& b) { return greater_equal(a, b); }
inline Truths operator==(const Array& a, const Array& b) { return equal(a, b); }
inline Truths operator!=(const Array& a, const Array& b) { return not_equal(a, b); }
// Element by element, both sides computed.
inline Truths operator&&(const Array& a, const Array& b) { return logical_and(a, b); }
inline Truths operator||(const Array& a, const Array& b) { return logical_or(a, b); }

inline Array operator&(const Array& a, const Array& b) { return bitwise_and(a, b); }
inline Array operator|(const Array& a, const Array& b) { return bitwise_or(a, b); }
inline Array operator^(const Array& a, const Array& b) { return bitwise_xor(a, b); }
inline Array operator~(const Array& a) { return bitwise_invert(a); }
inline Array operator<<(const Array& a, const Array& b) { return left_shift(a, b); }
inline Array operator>>(const Array& a, const Array& b) { return right_shift(a, b); }

}  // namespace heddle
