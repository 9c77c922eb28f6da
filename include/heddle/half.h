// The two 16-bit floating types as storage: conversions round to nearest, ties to even.
// Arithmetic happens in float: both convert implicitly to it.
#pragma once

#include <bit>
#include <compare>
#include <concepts>
#include <cstdint>

namespace heddle {

struct bfloat16_t {
  uint16_t bits = 0;

  bfloat16_t() = default;
  bfloat16_t(float x) {
    uint32_t u = std::bit_cast<uint32_t>(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<uint16_t>((u >> 16) | 0x40u);  // quiet NaN, payload's top kept
    } else {
      bits = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
  }
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

struct float16_t {
  uint16_t bits = 0;

  float16_t() = default;
  float16_t(float x) {
    uint32_t u = std::bit_cast<uint32_t>(x);
    uint32_t sign = (u >> 16) & 0x8000u;
    uint32_t a = u & 0x7fffffffu;
    uint32_t h;
    if (a > 0x7f800000u) {
      h = 0x7e00u | ((a >> 13) & 0x1ffu);
    } else if (a >= 0x477ff000u) {  // rounds to 65536 or more
      h = 0x7c00u;
    } else if (a >= 0x38800000u) {  // normal in half precision
      uint32_t r = a - 0x38000000u;
      h = (r + 0xfffu + ((r >> 13) & 1u)) >> 13;
    } else {  // subnormal or zero: adding 0.5 aligns the mantissa at 2^-24 with one rounding
      float f = std::bit_cast<float>(a) + 0.5f;
      h = std::bit_cast<uint32_t>(f) - 0x3f000000u;
    }
    bits = static_cast<uint16_t>(sign | h);
  }
  operator float() const {
    uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    uint32_t a = bits & 0x7fffu;
    if (a >= 0x7c00u) {
      return std::bit_cast<float>(sign | 0x7f800000u | ((a & 0x3ffu) << 13));
    }
    if (a >= 0x0400u) {
      return std::bit_cast<float>(sign | ((a << 13) + 0x38000000u));
    }
    float f = static_cast<float>(a) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(f));
  }
};

template <class T>
concept Half = std::same_as<T, float16_t> || std::same_as<T, bfloat16_t>;

// Said here because an array, too, can be made of either.
template <Half T>
float operator-(T a) {
  return -static_cast<float>(a);
}
template <Half A, Half B>
float operator+(A a, B b) {
  return static_cast<float>(a) + static_cast<float>(b);
}
template <Half A, Half B>
float operator-(A a, B b) {
  return static_cast<float>(a) - static_cast<float>(b);
}
template <Half A, Half B>
float operator*(A a, B b) {
  return static_cast<float>(a) * static_cast<float>(b);
}
template <Half A, Half B>
float operator/(A a, B b) {
  return static_cast<float>(a) / static_cast<float>(b);
}
template <Half A, Half B>
bool operator==(A a, B b) {
  return static_cast<float>(a) == static_cast<float>(b);
}
template <Half A, Half B>
auto operator<=>(A a, B b) {
  return static_cast<float>(a) <=> static_cast<float>(b);
}

}  // namespace heddle
