// Complex numbers that are made of any number and ordered by their real part first, as MLX's are.
#pragma once

#include <complex>
#include <cstdint>
#include <ostream>
#include <type_traits>

#include "mlx/types/half_types.h"

namespace mlx::core {

struct complex64_t : std::complex<float> {
  complex64_t() = default;
  complex64_t(float re, float im) : std::complex<float>(re, im) {}
  complex64_t(std::complex<float> z) : std::complex<float>(z) {}
  template <class T>
    requires(!std::is_same_v<T, complex64_t> && std::is_convertible_v<T, float>)
  complex64_t(T re) : std::complex<float>(static_cast<float>(re)) {}

  operator float() const { return real(); }
  explicit operator bool() const { return real() != 0 || imag() != 0; }
};

struct complex128_t : std::complex<double> {
  complex128_t() = default;
  complex128_t(double re, double im) : std::complex<double>(re, im) {}
  complex128_t(std::complex<double> z) : std::complex<double>(z) {}
  template <class T>
    requires(!std::is_same_v<T, complex128_t> && std::is_convertible_v<T, double>)
  complex128_t(T re) : std::complex<double>(static_cast<double>(re)) {}

  operator float() const { return static_cast<float>(real()); }
};

inline bool operator>(const complex64_t& a, const complex64_t& b) {
  return a.real() > b.real() || (a.real() == b.real() && a.imag() > b.imag());
}
inline bool operator>=(const complex64_t& a, const complex64_t& b) {
  return a.real() > b.real() || (a.real() == b.real() && a.imag() >= b.imag());
}
inline bool operator<(const complex64_t& a, const complex64_t& b) { return b > a; }
inline bool operator<=(const complex64_t& a, const complex64_t& b) { return b >= a; }

inline complex64_t operator-(const complex64_t& z) { return {-z.real(), -z.imag()}; }

namespace detail {

using Complex = std::complex<float>;
template <class T>
concept ComplexOperand = std::is_arithmetic_v<T> || AnyHalf<T>;
template <class A, class B>
concept ComplexOperands =
    (std::same_as<A, complex64_t> &&
     (std::same_as<B, complex64_t> || std::same_as<B, Complex> || ComplexOperand<B>)) ||
    (std::same_as<B, complex64_t> && (std::same_as<A, Complex> || ComplexOperand<A>));
template <class T>
Complex as_complex(const T& x) {
  if constexpr (std::is_base_of_v<Complex, T>) return x;
  else return Complex(static_cast<float>(x));
}

}  // namespace detail

template <class A, class B>
requires detail::ComplexOperands<A, B> complex64_t operator+(const A& a, const B& b) {
  return detail::as_complex(a) + detail::as_complex(b);
}
template <class A, class B>
requires detail::ComplexOperands<A, B> complex64_t operator-(const A& a, const B& b) {
  return detail::as_complex(a) - detail::as_complex(b);
}
template <class A, class B>
requires detail::ComplexOperands<A, B> complex64_t operator*(const A& a, const B& b) {
  return detail::as_complex(a) * detail::as_complex(b);
}
template <class A, class B>
requires detail::ComplexOperands<A, B> complex64_t operator/(const A& a, const B& b) {
  return detail::as_complex(a) / detail::as_complex(b);
}
template <class A, class B>
  requires detail::ComplexOperands<A, B>
bool operator==(const A& a, const B& b) { return detail::as_complex(a) == detail::as_complex(b); }

// Of the parts, with the sign of the divisor.
inline complex64_t operator%(const complex64_t& a, const complex64_t& b) {
  auto part = [](float x, float y) {
    float r = x - y * static_cast<float>(static_cast<int64_t>(x / y));
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
  };
  return {part(a.real(), b.real()), part(a.imag(), b.imag())};
}

inline std::ostream& operator<<(std::ostream& stream, const complex64_t& z) {
  return stream << z.real() << (z.imag() >= 0 ? "+" : "") << z.imag() << "j";
}

}  // namespace mlx::core
