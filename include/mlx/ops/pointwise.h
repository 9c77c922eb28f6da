// Operations on each element. Operands broadcast.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "heddle/ops/pointwise.h"
#include "mlx/utils.h"

namespace mlx::core {

inline array astype(array a, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::astype(a, dtype, detail::in(s));
}
inline array abs(const array& a, StreamOrDevice s = {}) { return heddle::abs(a, detail::in(s)); }
inline array positive(const array& a, StreamOrDevice = {}) { return a; }
inline array negative(const array& a, StreamOrDevice s = {}) {
  return heddle::negative(a, detail::in(s));
}
inline array sign(const array& a, StreamOrDevice s = {}) { return heddle::sign(a, detail::in(s)); }
inline array logical_not(const array& a, StreamOrDevice s = {}) {
  return heddle::logical_not(a, detail::in(s));
}
inline array logical_and(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::logical_and(a, b, detail::in(s));
}
inline array logical_or(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::logical_or(a, b, detail::in(s));
}
inline array logical_xor(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::logical_xor(a, b, detail::in(s));
}
inline array reciprocal(const array& a, StreamOrDevice s = {}) {
  return heddle::reciprocal(a, detail::in(s));
}
inline array add(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::add(a, b, detail::in(s));
}
inline array subtract(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::subtract(a, b, detail::in(s));
}
inline array multiply(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::multiply(a, b, detail::in(s));
}
inline array divide(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::divide(a, b, detail::in(s));
}
inline std::vector<array> divmod(const array& a, const array& b, StreamOrDevice s = {}) {
  return detail::out(heddle::divmod(a, b, detail::in(s)));
}
inline array floor_divide(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::floor_divide(a, b, detail::in(s));
}
inline array remainder(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::remainder(a, b, detail::in(s));
}
inline array maximum(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::maximum(a, b, detail::in(s));
}
inline array minimum(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::minimum(a, b, detail::in(s));
}
inline array floor(const array& a, StreamOrDevice s = {}) {
  return heddle::floor(a, detail::in(s));
}
inline array ceil(const array& a, StreamOrDevice s = {}) { return heddle::ceil(a, detail::in(s)); }
inline array trunc(const array& a, StreamOrDevice s = {}) {
  return heddle::trunc(a, detail::in(s));
}
inline array square(const array& a, StreamOrDevice s = {}) {
  return heddle::square(a, detail::in(s));
}
inline array exp(const array& a, StreamOrDevice s = {}) { return heddle::exp(a, detail::in(s)); }
inline array sin(const array& a, StreamOrDevice s = {}) { return heddle::sin(a, detail::in(s)); }
inline array cos(const array& a, StreamOrDevice s = {}) { return heddle::cos(a, detail::in(s)); }
inline array tan(const array& a, StreamOrDevice s = {}) { return heddle::tan(a, detail::in(s)); }
inline array arcsin(const array& a, StreamOrDevice s = {}) {
  return heddle::arcsin(a, detail::in(s));
}
inline array arccos(const array& a, StreamOrDevice s = {}) {
  return heddle::arccos(a, detail::in(s));
}
inline array arctan(const array& a, StreamOrDevice s = {}) {
  return heddle::arctan(a, detail::in(s));
}
inline array arctan2(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::arctan2(a, b, detail::in(s));
}
inline array sinh(const array& a, StreamOrDevice s = {}) { return heddle::sinh(a, detail::in(s)); }
inline array cosh(const array& a, StreamOrDevice s = {}) { return heddle::cosh(a, detail::in(s)); }
inline array tanh(const array& a, StreamOrDevice s = {}) { return heddle::tanh(a, detail::in(s)); }
inline array arcsinh(const array& a, StreamOrDevice s = {}) {
  return heddle::arcsinh(a, detail::in(s));
}
inline array arccosh(const array& a, StreamOrDevice s = {}) {
  return heddle::arccosh(a, detail::in(s));
}
inline array arctanh(const array& a, StreamOrDevice s = {}) {
  return heddle::arctanh(a, detail::in(s));
}
inline array degrees(const array& a, StreamOrDevice s = {}) {
  return heddle::degrees(a, detail::in(s));
}
inline array radians(const array& a, StreamOrDevice s = {}) {
  return heddle::radians(a, detail::in(s));
}
inline array log(const array& a, StreamOrDevice s = {}) { return heddle::log(a, detail::in(s)); }
inline array log2(const array& a, StreamOrDevice s = {}) { return heddle::log2(a, detail::in(s)); }
inline array log10(const array& a, StreamOrDevice s = {}) {
  return heddle::log10(a, detail::in(s));
}
inline array log1p(const array& a, StreamOrDevice s = {}) {
  return heddle::log1p(a, detail::in(s));
}
inline array logaddexp(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::logaddexp(a, b, detail::in(s));
}
inline array sigmoid(const array& a, StreamOrDevice s = {}) {
  return heddle::sigmoid(a, detail::in(s));
}
inline array erf(const array& a, StreamOrDevice s = {}) { return heddle::erf(a, detail::in(s)); }
inline array erfinv(const array& a, StreamOrDevice s = {}) {
  return heddle::erfinv(a, detail::in(s));
}
inline array expm1(const array& a, StreamOrDevice s = {}) {
  return heddle::expm1(a, detail::in(s));
}
inline array stop_gradient(const array& a, StreamOrDevice s = {}) {
  return heddle::stop_gradient(a, detail::in(s));
}
inline array round(const array& a, int decimals, StreamOrDevice s = {}) {
  return heddle::round(a, decimals, detail::in(s));
}
inline array round(const array& a, StreamOrDevice s = {}) { return round(a, 0, s); }
inline array sqrt(const array& a, StreamOrDevice s = {}) { return heddle::sqrt(a, detail::in(s)); }
inline array rsqrt(const array& a, StreamOrDevice s = {}) {
  return heddle::rsqrt(a, detail::in(s));
}
inline array power(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::power(a, b, detail::in(s));
}
inline array equal(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::equal(a, b, detail::in(s));
}
inline array not_equal(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::not_equal(a, b, detail::in(s));
}
inline array greater(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::greater(a, b, detail::in(s));
}
inline array greater_equal(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::greater_equal(a, b, detail::in(s));
}
inline array less(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::less(a, b, detail::in(s));
}
inline array less_equal(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::less_equal(a, b, detail::in(s));
}
inline array isnan(const array& a, StreamOrDevice s = {}) {
  return heddle::isnan(a, detail::in(s));
}
inline array isinf(const array& a, StreamOrDevice s = {}) {
  return heddle::isinf(a, detail::in(s));
}
inline array isfinite(const array& a, StreamOrDevice s = {}) {
  return heddle::isfinite(a, detail::in(s));
}
inline array isposinf(const array& a, StreamOrDevice s = {}) {
  return heddle::isposinf(a, detail::in(s));
}
inline array isneginf(const array& a, StreamOrDevice s = {}) {
  return heddle::isneginf(a, detail::in(s));
}
inline array isclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8,
                     bool equal_nan = false, StreamOrDevice s = {}) {
  return heddle::isclose(a, b, rtol, atol, equal_nan, detail::in(s));
}
inline array where(const array& condition, const array& x, const array& y, StreamOrDevice s = {}) {
  return heddle::where(condition, x, y, detail::in(s));
}
inline array nan_to_num(const array& a, float nan = 0.0f, const std::optional<float> posinf = {},
                        const std::optional<float> neginf = {}, StreamOrDevice s = {}) {
  return heddle::nan_to_num(a, nan, posinf, neginf, detail::in(s));
}
inline array clip(const array& a, const std::optional<array>& a_min = {},
                  const std::optional<array>& a_max = {}, StreamOrDevice s = {}) {
  return heddle::clip(a, detail::in(a_min), detail::in(a_max), detail::in(s));
}
inline array conjugate(const array& a, StreamOrDevice s = {}) {
  return heddle::conjugate(a, detail::in(s));
}
inline array bitwise_and(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::bitwise_and(a, b, detail::in(s));
}
inline array bitwise_or(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::bitwise_or(a, b, detail::in(s));
}
inline array bitwise_xor(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::bitwise_xor(a, b, detail::in(s));
}
inline array left_shift(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::left_shift(a, b, detail::in(s));
}
inline array right_shift(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::right_shift(a, b, detail::in(s));
}
inline array bitwise_invert(const array& a, StreamOrDevice s = {}) {
  return heddle::bitwise_invert(a, detail::in(s));
}
inline array real(const array& a, StreamOrDevice s = {}) { return heddle::real(a, detail::in(s)); }
inline array imag(const array& a, StreamOrDevice s = {}) { return heddle::imag(a, detail::in(s)); }
inline array from_fp8(array x, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::from_fp8(x, dtype, detail::in(s));
}
inline array to_fp8(array x, StreamOrDevice s = {}) { return heddle::to_fp8(x, detail::in(s)); }

// --- operators: element by element; a number gets the dtype of its C++ type ---------------------

inline array operator-(const array& a) { return negative(a); }
inline array operator~(const array& a) { return bitwise_invert(a); }
inline array operator/(const array& a, const array& b) { return divide(a, b); }
inline array operator&&(const array& a, const array& b) { return logical_and(a, b); }
inline array operator||(const array& a, const array& b) { return logical_or(a, b); }
inline array operator&(const array& a, const array& b) { return bitwise_and(a, b); }
inline array operator|(const array& a, const array& b) { return bitwise_or(a, b); }
inline array operator^(const array& a, const array& b) { return bitwise_xor(a, b); }
inline array operator<<(const array& a, const array& b) { return left_shift(a, b); }
inline array operator>>(const array& a, const array& b) { return right_shift(a, b); }
inline array operator/(double a, const array& b) { return divide(array(a), b); }
inline array operator/(const array& a, double b) { return divide(a, array(b)); }
inline array operator==(const array& a, const array& b) { return equal(a, b); }
template <class T>
array operator==(T a, const array& b) {
  return equal(array(a), b);
}
template <class T>
array operator==(const array& a, T b) {
  return equal(a, array(b));
}
inline array operator!=(const array& a, const array& b) { return not_equal(a, b); }
template <class T>
array operator!=(T a, const array& b) {
  return not_equal(array(a), b);
}
template <class T>
array operator!=(const array& a, T b) {
  return not_equal(a, array(b));
}
inline array operator>(const array& a, const array& b) { return greater(a, b); }
template <class T>
array operator>(T a, const array& b) {
  return greater(array(a), b);
}
template <class T>
array operator>(const array& a, T b) {
  return greater(a, array(b));
}
inline array operator>=(const array& a, const array& b) { return greater_equal(a, b); }
template <class T>
array operator>=(T a, const array& b) {
  return greater_equal(array(a), b);
}
template <class T>
array operator>=(const array& a, T b) {
  return greater_equal(a, array(b));
}
inline array operator<(const array& a, const array& b) { return less(a, b); }
template <class T>
array operator<(T a, const array& b) {
  return less(array(a), b);
}
template <class T>
array operator<(const array& a, T b) {
  return less(a, array(b));
}
inline array operator<=(const array& a, const array& b) { return less_equal(a, b); }
template <class T>
array operator<=(T a, const array& b) {
  return less_equal(array(a), b);
}
template <class T>
array operator<=(const array& a, T b) {
  return less_equal(a, array(b));
}
inline array operator+(const array& a, const array& b) { return add(a, b); }
template <class T>
array operator+(T a, const array& b) {
  return add(array(a), b);
}
template <class T>
array operator+(const array& a, T b) {
  return add(a, array(b));
}
inline array operator-(const array& a, const array& b) { return subtract(a, b); }
template <class T>
array operator-(T a, const array& b) {
  return subtract(array(a), b);
}
template <class T>
array operator-(const array& a, T b) {
  return subtract(a, array(b));
}
inline array operator*(const array& a, const array& b) { return multiply(a, b); }
template <class T>
array operator*(T a, const array& b) {
  return multiply(array(a), b);
}
template <class T>
array operator*(const array& a, T b) {
  return multiply(a, array(b));
}
inline array operator%(const array& a, const array& b) { return remainder(a, b); }
template <class T>
array operator%(T a, const array& b) {
  return remainder(array(a), b);
}
template <class T>
array operator%(const array& a, T b) {
  return remainder(a, array(b));
}

}  // namespace mlx::core
