// Limits of the types that arrays hold, as std::numeric_limits gives them for C++'s own.
#pragma once

#include <cstdint>
#include <limits>

#include "mlx/types/half_types.h"

namespace mlx::core {

template <class T>
struct numeric_limits : std::numeric_limits<T> {};

namespace detail {

template <class T, uint16_t lowest_bits, uint16_t min_bits, uint16_t max_bits, uint16_t eps_bits,
          uint16_t infinity_bits>
struct HalfLimits {
  static T lowest() { return of(lowest_bits); }
  static T min() { return of(min_bits); }
  static T max() { return of(max_bits); }
  static T epsilon() { return of(eps_bits); }
  static T infinity() { return of(infinity_bits); }

 private:
  static T of(uint16_t bits) {
    T value;
    value.bits = bits;
    return value;
  }
};

}  // namespace detail

template <>
struct numeric_limits<float16_t>
    : detail::HalfLimits<float16_t, 0xfbff, 0x0400, 0x7bff, 0x1400, 0x7c00> {};
template <>
struct numeric_limits<bfloat16_t>
    : detail::HalfLimits<bfloat16_t, 0xff7f, 0x0080, 0x7f7f, 0x3c00, 0x7f80> {};

}  // namespace mlx::core
