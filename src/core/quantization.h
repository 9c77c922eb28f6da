// How a matrix is quantized: the description shared by ops and kernels.
//
// Groups of `group_size` consecutive elements of a row share a scale. Packed elements are one
// little-endian stream of `bits` bits each, in words of 32 bits: 32 elements fill `bits` words.
//   affine  element = scale * q + bias, q in [0, 2^bits); scales and biases are floating
//   mxfp4   element = scale * E2M1(q); scales are E8M0: 2^(code - 127)
//   mxfp8   element = scale * E4M3(q); scales are E8M0
//   nvfp4   element = scale * E2M1(q); scales are E4M3, and may be relative to a global scale
// (OCP microscaling formats 1.0; E2M1: sign, two bits of exponent, one of mantissa.)
#pragma once

#include <array>
#include <cstdint>

namespace heddle {

enum class QuantizationMode : uint8_t { affine, mxfp4, mxfp8, nvfp4 };

constexpr auto enum_names(QuantizationMode) {
  return std::array{"affine", "mxfp4", "mxfp8", "nvfp4"};
}

struct Quantization {
  int group_size = 64;
  int bits = 4;
  QuantizationMode mode = QuantizationMode::affine;

  void fields(auto& v) { v("group_size", group_size)("bits", bits)("mode", mode); }
  bool operator==(const Quantization&) const = default;
  bool affine() const { return mode == QuantizationMode::affine; }
  int64_t words(int64_t elements) const { return elements * bits / 32; }
  int64_t elements(int64_t words) const { return words * 32 / bits; }
};

// Scales of nvfp4 are coded relative to global_scale / nvfp4_range: the largest scale (E4M3: 448)
// times the largest element (E2M1: 6).
inline constexpr float nvfp4_range = 448.0f * 6.0f;

}  // namespace heddle
