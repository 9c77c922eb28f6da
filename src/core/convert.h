// Conversion of single values between element types by MLX's cast rules: C casts, narrow integers
// wrap, anything to bool by != 0, complex to real drops the imaginary part. Kernels convert by
// tiles; this is for scalars and constants.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "heddle/dtype.h"

namespace heddle {

// A float that rounds to a half as the number itself does: what lies between two floats becomes the
// one with an odd last bit, which no half and no tie between halves has. (Not below the least
// normal float, where a float has fewer bits.)
inline float to_odd_float(double x) {
  constexpr uint64_t low = (uint64_t{1} << 29) - 1;  // the bits of a double that a float lacks
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits | ((bits & low) + low)) & ~low;
  double odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return static_cast<float>(odd);
}
template <class T>
  requires(std::is_integral_v<T>)
float to_odd_float(T x) {
  if constexpr (sizeof(T) == 8) {
    // Of 64 bits to the 53 of a double in the same way.
    constexpr T low = 0x7ff, bit = 0x800;
    const bool large = x > (T{1} << 53) || (std::is_signed_v<T> && x < -(T{1} << 53));
    if (large) x = static_cast<T>((x & ~low) | ((x & low) != 0 ? bit : 0));
  }
  return to_odd_float(static_cast<double>(x));
}

template <class To, class From>
To convert_value(From v) {
  if constexpr (std::is_same_v<To, From>) {
    return v;
  } else if constexpr (std::is_same_v<From, complex64_t>) {
    if constexpr (std::is_same_v<To, bool>) return v != complex64_t(0);
    else return convert_value<To>(v.real());
  } else if constexpr (std::is_same_v<To, complex64_t>) {
    return complex64_t(static_cast<float>(v), 0);
  } else if constexpr (std::is_same_v<From, float16_t> || std::is_same_v<From, bfloat16_t>) {
    return convert_value<To>(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Out of range, C++ says nothing; the low bits of the 64-bit truncation are what x86 gives.
    if (!(v > -9.3e18 && v < 1.85e19)) return static_cast<To>(INT64_MIN);
    if (v >= 9223372036854775808.0) return static_cast<To>(static_cast<uint64_t>(v));
    return static_cast<To>(static_cast<int64_t>(v));
  } else if constexpr (std::is_same_v<To, float16_t> || std::is_same_v<To, bfloat16_t>) {
    if constexpr (sizeof(From) >= 4 && !std::is_same_v<From, float>) return To(to_odd_float(v));
    else return To(static_cast<float>(v));
  } else {
    return static_cast<To>(v);
  }
}

}  // namespace heddle
