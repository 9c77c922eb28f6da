// Arithmetic, comparisons and choices, element by element: what most programs are made of. Operands
// broadcast; division and roots take integers as float32.
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
Array isnan(const Array& a, StreamOrDevice s = {});
Array isinf(const Array& a, StreamOrDevice s = {});
Array isfinite(const Array& a, StreamOrDevice s = {});
Array logical_not(const Array& a, StreamOrDevice s = {});
Array bitwise_invert(const Array& a, StreamOrDevice s = {});  // integers and bool
Array real(const Array& a, StreamOrDevice s = {});
Array imag(const Array& a, StreamOrDevice s = {});
Array conjugate(const Array& a, StreamOrDevice s = {});
Array stop_gradient(const Array& a, StreamOrDevice s = {});
Array astype(const Array& a, Dtype dtype, StreamOrDevice s = {});

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
Array equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array not_equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array less(const Array& a, const Array& b, StreamOrDevice s = {});
Array less_equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array greater(const Array& a, const Array& b, StreamOrDevice s = {});
Array greater_equal(const Array& a, const Array& b, StreamOrDevice s = {});
Array equal_nan(const Array& a, const Array& b, StreamOrDevice s = {});  // NaN equals NaN
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
