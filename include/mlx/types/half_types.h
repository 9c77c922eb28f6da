// The 16-bit floats with MLX's arithmetic: computed in float32, and rounded if both operands are of
// the same type or one is an integer.
#pragma once

#include <concepts>
#include <ostream>
#include <type_traits>

#include "heddle/half.h"

namespace mlx::core {

struct float16_t : heddle::float16_t {
  float16_t() = default;
  float16_t(heddle::float16_t x) : heddle::float16_t(x) {}
  template <class T>
    requires(std::is_arithmetic_v<T> || std::same_as<T, heddle::bfloat16_t>)
  float16_t(T x) : heddle::float16_t(static_cast<float>(x)) {}
};

struct bfloat16_t : heddle::bfloat16_t {
  bfloat16_t() = default;
  bfloat16_t(heddle::bfloat16_t x) : heddle::bfloat16_t(x) {}
  template <class T>
    requires(std::is_arithmetic_v<T> || std::same_as<T, heddle::float16_t>)
  bfloat16_t(T x) : heddle::bfloat16_t(static_cast<float>(x)) {}
};

namespace detail {

template <class T>
concept AnyHalf = std::same_as<T, float16_t> || std::same_as<T, bfloat16_t>;
template <class T>
concept Number = AnyHalf<T> || std::is_arithmetic_v<T>;
template <class A, class B>
concept HalfOperands = (AnyHalf<A> && Number<B>) || (AnyHalf<B> && Number<A>);

// Of one half with itself or an integer that half, with the other half or a float float32.
template <class A, class B>
struct HalfResult {
  using type =
      std::conditional_t<std::same_as<A, double> || std::same_as<B, double>, double, float>;
};
template <class A>
struct HalfResult<A, A> {
  using type = A;
};
template <AnyHalf A, std::integral B>
struct HalfResult<A, B> {
  using type = A;
};
template <std::integral A, AnyHalf B>
struct HalfResult<A, B> {
  using type = B;
};
template <class A, class B>
using half_result = typename HalfResult<A, B>::type;

}  // namespace detail

template <class A, class B>
  requires detail::HalfOperands<A, B> detail::half_result<A, B>
operator+(A a, B b) { return static_cast<float>(a) + static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B> detail::half_result<A, B>
operator-(A a, B b) { return static_cast<float>(a) - static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B> detail::half_result<A, B>
operator*(A a, B b) { return static_cast<float>(a) * static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B> detail::half_result<A, B>
operator/(A a, B b) { return static_cast<float>(a) / static_cast<float>(b); }
template <detail::AnyHalf T>
T operator-(T a) {
  return -static_cast<float>(a);
}

template <class A, class B>
  requires detail::HalfOperands<A, B>
bool operator==(A a, B b) { return static_cast<float>(a) == static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B>
bool operator!=(A a, B b) { return static_cast<float>(a) != static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B>
bool operator<(A a, B b) { return static_cast<float>(a) < static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B>
bool operator<=(A a, B b) { return static_cast<float>(a) <= static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B>
bool operator>(A a, B b) { return static_cast<float>(a) > static_cast<float>(b); }
template <class A, class B>
  requires detail::HalfOperands<A, B>
bool operator>=(A a, B b) { return static_cast<float>(a) >= static_cast<float>(b); }

// Of a half the sum is rounded to it; of a float it stays one.
template <class A, class B>
requires detail::HalfOperands<A, B> A& operator+=(A& a, B b) {
  return a = A(static_cast<float>(a) + static_cast<float>(b));
}
template <class A, class B>
requires detail::HalfOperands<A, B> A& operator-=(A& a, B b) {
  return a = A(static_cast<float>(a) - static_cast<float>(b));
}
template <class A, class B>
requires detail::HalfOperands<A, B> A& operator*=(A& a, B b) {
  return a = A(static_cast<float>(a) * static_cast<float>(b));
}
template <class A, class B>
requires detail::HalfOperands<A, B> A& operator/=(A& a, B b) {
  return a = A(static_cast<float>(a) / static_cast<float>(b));
}

// Of the bits.
template <detail::AnyHalf T>
T operator|(T a, T b) {
  a.bits |= b.bits;
  return a;
}
template <detail::AnyHalf T>
T operator&(T a, T b) {
  a.bits &= b.bits;
  return a;
}
template <detail::AnyHalf T>
T operator^(T a, T b) {
  a.bits ^= b.bits;
  return a;
}

template <detail::AnyHalf T>
std::ostream& operator<<(std::ostream& stream, T value) {
  return stream << static_cast<float>(value);
}

template <class T>
inline constexpr bool is_signed_v = std::is_signed_v<T> || detail::AnyHalf<T>;
template <class T>
inline constexpr bool is_floating_point_v = std::is_floating_point_v<T> || detail::AnyHalf<T>;

}  // namespace mlx::core
