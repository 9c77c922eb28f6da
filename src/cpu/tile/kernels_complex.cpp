// Functions of complex lanes. Transcendental ones are computed in double precision and rounded, so
// that cancellation inside of them does not show.
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "cpu/tile/scalar_loops.h"
#include "heddle/dtype.h"

namespace heddle::cpu::tile {
namespace {

using C = complex64_t;
using Wide = std::complex<double>;

bool has_nan(C x) { return std::isnan(x.real()) || std::isnan(x.imag()); }
bool is_zero(C x) { return x.real() == 0 && x.imag() == 0; }

// Products by the school formula: infinite parts are not recovered from NaN, as in MLX.
C multiply(C x, C y) {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}
Wide multiply(Wide x, Wide y) {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}

// The order of complex numbers: by real part, then by imaginary part; false where a NaN decides.
bool less(C x, C y) { return x.real() < y.real() || (x.real() == y.real() && x.imag() < y.imag()); }
bool less_equal(C x, C y) {
  return x.real() < y.real() || (x.real() == y.real() && x.imag() <= y.imag());
}

// A kernel of a function of std::complex<double>.
template <class F>
constexpr Kernel wide_unary(F) {
  return scalar_unary<C, C, decltype([](C x) { return C(F{}(Wide(x))); })>;
}
template <class F>
constexpr Kernel wide_binary(F) {
  return scalar_binary<C, C, decltype([](C x, C y) { return C(F{}(Wide(x), Wide(y))); })>;
}

Wide log1p(Wide z) {
  // log |1 + z| = log1p(|z|^2 + 2 Re z) / 2 keeps the bits of small z.
  const double x = z.real(), y = z.imag();
  if (std::fabs(x) < 0.5 && std::fabs(y) < 0.5) {
    return {0.5 * std::log1p(x * (2 + x) + y * y), std::atan2(y, 1 + x)};
  }
  return std::log(1.0 + z);
}

Wide power(Wide x, Wide y) {
  if (y == Wide(0)) return 1;
  if (x == Wide(0)) return y.real() > 0 ? Wide(0) : Wide(std::nan(""), std::nan(""));
  return std::exp(multiply(y, std::log(x)));
}

Wide logaddexp(Wide a, Wide b) {
  if (std::isnan(a.real()) || std::isnan(a.imag()) || std::isnan(b.real()) ||
      std::isnan(b.imag())) {
    return {std::nan(""), std::nan("")};
  }
  const bool a_larger = a.real() > b.real() || (a.real() == b.real() && a.imag() > b.imag());
  const Wide larger = a_larger ? a : b, smaller = a_larger ? b : a;
  if (std::isinf(larger.real()) && (larger.real() < 0 || smaller.real() == larger.real()))
    return larger;
  return larger + log1p(std::exp(smaller - larger));
}

}  // namespace

void add_complex_kernels(Kernels& k) {
  auto set = [&](Code code, Kernel kernel) { k.set(code, Lane::c64, kernel); };
  set(Code::abs, unary_of<C, float>([](C x) { return std::hypot(x.real(), x.imag()); }));
  set(Code::real, unary_of<C, float>([](C x) { return x.real(); }));
  set(Code::imag, unary_of<C, float>([](C x) { return x.imag(); }));
  set(Code::conjugate, unary_of<C>([](C x) { return std::conj(x); }));
  set(Code::negative, unary_of<C>([](C x) { return -x; }));
  set(Code::sign, wide_unary([](Wide x) { return x == Wide(0) ? x : x / std::abs(x); }));
  set(Code::square, unary_of<C>([](C x) { return multiply(x, x); }));
  set(Code::round,
      unary_of<C>([](C x) { return C(std::nearbyint(x.real()), std::nearbyint(x.imag())); }));
  set(Code::sqrt, wide_unary([](Wide x) { return std::sqrt(x); }));
  set(Code::rsqrt, wide_unary([](Wide x) { return 1.0 / std::sqrt(x); }));
  set(Code::reciprocal, wide_unary([](Wide x) { return 1.0 / x; }));
  set(Code::exp, wide_unary([](Wide x) { return std::exp(x); }));
  set(Code::expm1, wide_unary([](Wide x) { return std::exp(x) - 1.0; }));
  set(Code::log, wide_unary([](Wide x) { return std::log(x); }));
  set(Code::log2, wide_unary([](Wide x) { return std::log(x) / std::numbers::ln2; }));
  set(Code::log10, wide_unary([](Wide x) { return std::log(x) / std::numbers::ln10; }));
  set(Code::log1p, wide_unary([](Wide x) { return log1p(x); }));
  set(Code::sin, wide_unary([](Wide x) { return std::sin(x); }));
  set(Code::cos, wide_unary([](Wide x) { return std::cos(x); }));
  set(Code::tan, wide_unary([](Wide x) { return std::tan(x); }));
  set(Code::arcsin, wide_unary([](Wide x) { return std::asin(x); }));
  set(Code::arccos, wide_unary([](Wide x) { return std::acos(x); }));
  set(Code::arctan, wide_unary([](Wide x) { return std::atan(x); }));
  set(Code::sinh, wide_unary([](Wide x) { return std::sinh(x); }));
  set(Code::cosh, wide_unary([](Wide x) { return std::cosh(x); }));
  set(Code::tanh, wide_unary([](Wide x) { return std::tanh(x); }));
  set(Code::arcsinh, wide_unary([](Wide x) { return std::asinh(x); }));
  set(Code::arccosh, wide_unary([](Wide x) { return std::acosh(x); }));
  set(Code::arctanh, wide_unary([](Wide x) { return std::atanh(x); }));
  set(Code::sigmoid, wide_unary([](Wide x) { return 1.0 / (1.0 + std::exp(-x)); }));
  set(Code::is_nan, unary_of<C, int32_t>([](C x) { return has_nan(x); }));
  set(Code::is_inf,
      unary_of<C, int32_t>([](C x) { return std::isinf(x.real()) || std::isinf(x.imag()); }));
  set(Code::logical_not, unary_of<C, int32_t>([](C x) { return is_zero(x); }));

  set(Code::add, binary_of<C>([](C x, C y) { return x + y; }));
  set(Code::subtract, binary_of<C>([](C x, C y) { return x - y; }));
  set(Code::multiply, binary_of<C>([](C x, C y) { return multiply(x, y); }));
  for (Code code : {Code::divide, Code::floor_divide}) {  // MLX floors no complex quotient
    set(code, wide_binary([](Wide x, Wide y) { return x / y; }));
  }
  set(Code::power, wide_binary([](Wide x, Wide y) { return power(x, y); }));
  set(Code::logaddexp, wide_binary([](Wide x, Wide y) { return logaddexp(x, y); }));
  set(Code::maximum, binary_of<C>([](C x, C y) {
        return has_nan(x) ? x : has_nan(y) || less(x, y) ? y : x;
      }));
  set(Code::minimum, binary_of<C>([](C x, C y) {
        return has_nan(x) ? x : has_nan(y) || less(y, x) ? y : x;
      }));
  set(Code::equal, binary_of<C, int32_t>([](C x, C y) { return x == y; }));
  set(Code::not_equal, binary_of<C, int32_t>([](C x, C y) { return x != y; }));
  set(Code::less, binary_of<C, int32_t>([](C x, C y) { return less(x, y); }));
  set(Code::less_equal, binary_of<C, int32_t>([](C x, C y) { return less_equal(x, y); }));
  set(Code::greater, binary_of<C, int32_t>([](C x, C y) { return less(y, x); }));
  set(Code::greater_equal, binary_of<C, int32_t>([](C x, C y) { return less_equal(y, x); }));
  set(Code::equal_nan,
      binary_of<C, int32_t>([](C x, C y) { return x == y || (has_nan(x) && has_nan(y)); }));
  set(Code::logical_and,
      binary_of<C, int32_t>([](C x, C y) { return !is_zero(x) && !is_zero(y); }));
  set(Code::logical_or, binary_of<C, int32_t>([](C x, C y) { return !is_zero(x) || !is_zero(y); }));
}

}  // namespace heddle::cpu::tile
