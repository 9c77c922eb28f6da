// Floats of 4 and 8 bits (OCP microscaling formats 1.0, OCP 8-bit floats 1.0), one at a time.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace heddle::cpu {

// E8M0: 2^(code - 127). The last code, NaN by the specification, is infinity here, so that what it
// scales is not finite.
inline float from_e8m0(uint8_t code) {
  constexpr uint32_t subnormal = 0x00400000u;  // 2^-127
  return std::bit_cast<float>(code == 0 ? subnormal : static_cast<uint32_t>(code) << 23);
}

// The least power of two that is not below x; 1 for 0.
inline uint8_t to_e8m0_up(float x) {
  constexpr int bias = 127, last = 255;
  if (x == 0) return bias;
  if (!std::isfinite(x)) return last;
  int exponent;  // x = fraction * 2^exponent, fraction in [0.5, 1)
  const float fraction = std::frexp(x, &exponent);
  const int code = exponent - (fraction == 0.5f ? 1 : 0) + bias;
  return static_cast<uint8_t>(code < 0 ? 0 : code);
}

// E4M3 without infinities: four bits of exponent with bias 7; magnitude 0x7f is NaN.
inline float from_e4m3(uint8_t code) {
  const uint32_t magnitude = code & 0x7fu, sign = static_cast<uint32_t>(code & 0x80u) << 24;
  if (magnitude == 0x7fu) return std::numeric_limits<float>::quiet_NaN();
  const float value = magnitude < 8 ? static_cast<float>(magnitude) * 0x1p-9f
                                    : std::bit_cast<float>((magnitude << 20) + (120u << 23));
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

// To the nearest, ties to even; beyond the largest (448) to the largest.
inline uint8_t to_e4m3(float x) {
  const uint32_t sign = std::bit_cast<uint32_t>(x) >> 31 << 7;
  constexpr uint32_t nan = 0x7fu;
  if (std::isnan(x)) return static_cast<uint8_t>(nan | sign);
  const float magnitude = std::fmin(std::fabs(x), 448.0f);
  if (magnitude < 0x1p-6f) {  // codes count steps of 2^-9
    return static_cast<uint8_t>(static_cast<uint32_t>(std::rint(magnitude * 512.0f)) | sign);
  }
  const uint32_t bits = std::bit_cast<uint32_t>(magnitude);
  const uint32_t kept = (bits + 0x7ffffu + ((bits >> 20) & 1u)) >> 20;
  return static_cast<uint8_t>((kept - (120u << 3)) | sign);
}

// E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6. To the nearest, ties toward zero; beyond the largest to the
// largest. Whatever becomes zero, NaN too, has no sign.
inline uint8_t to_e2m1(float x) {
  const float a = std::fabs(x);
  const int magnitude =
      (a > 0.25f) + (a > 0.75f) + (a > 1.25f) + (a > 1.75f) + (a > 2.5f) + (a > 3.5f) + (a > 5.0f);
  return static_cast<uint8_t>(magnitude | (magnitude > 0 && x < 0 ? 8 : 0));
}

}  // namespace heddle::cpu
