// 8-bit floats of the kind E4M3 (OCP 8-bit floating point specification, the variant without
// infinities): one sign bit, four bits of exponent with bias 7, three of mantissa; 0x7f is NaN.
#include <fmt/format.h>

#include <limits>

#include "heddle/ops/pointwise.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle {
namespace {

constexpr float largest = 448.0f;
constexpr uint32_t nan_code = 0x7f;
constexpr int dropped_bits = 20;  // float32 has 23 bits of mantissa, E4M3 three
constexpr uint32_t bias_step = (127 - 7)
                               << 3;  // difference of the biases, in E4M3's exponent field

void require_floating(const char* op, const char* what, Dtype t) {
  if (!is_floating(t)) {
    refuse(op, "Only real floating types are supported but {} == {}.", what, name_of(t));
  }
}

Array word(uint32_t v) { return Array(v, uint32); }

}  // namespace

Array to_fp8(const Array& x, StreamOrDevice s) {
  require_floating("to_fp8", "x.dtype()", x.dtype());
  Array f = astype(x, float32, s);
  Array sign = left_shift(right_shift(view(f, uint32, s), word(31), s), word(7), s);
  Array a = minimum(abs(f, s), Array(largest), s);
  // Normal numbers: half of what is dropped, and the last kept bit for ties to even, round by
  // carrying.
  Array bits = view(a, uint32, s);
  Array odd = bitwise_and(right_shift(bits, word(dropped_bits), s), word(1), s);
  Array rounded = add(add(bits, word((1u << (dropped_bits - 1)) - 1), s), odd, s);
  Array normal = subtract(right_shift(rounded, word(dropped_bits), s), word(bias_step), s);
  // Below 2^-6 the codes count steps of 2^-9.
  Array subnormal = astype(round(multiply(a, Array(512.0f), s), 0, s), uint32, s);
  Array code = where(less(a, Array(0x1p-6f), s), subnormal, normal, s);
  code = where(isnan(f, s), word(nan_code), code, s);
  return astype(bitwise_or(code, sign, s), uint8, s);
}

Array from_fp8(const Array& x, Dtype dtype, StreamOrDevice s) {
  if (x.dtype() != uint8) {
    refuse("from_fp8", "Input must have type uint8 but x.dtype() == {}.", name_of(x.dtype()));
  }
  require_floating("from_fp8", "dtype", dtype);
  Array code = astype(x, uint32, s);
  Array magnitude = bitwise_and(code, word(nan_code), s);
  Array sign = where(greater(code, word(nan_code), s), Array(-1.0f), Array(1.0f), s);
  // From 8 on the code has the bits of a float32 once its bias is float32's; below, it counts steps
  // of 2^-9.
  Array moved = left_shift(add(magnitude, word(bias_step), s), word(dropped_bits), s);
  Array normal = view(moved, float32, s);
  Array subnormal = multiply(astype(magnitude, float32, s), Array(0x1p-9f), s);
  Array value = where(less(magnitude, word(8), s), subnormal, normal, s);
  value = where(equal(magnitude, word(nan_code), s), Array(std::numeric_limits<float>::quiet_NaN()),
                value, s);
  return astype(multiply(value, sign, s), dtype, s);
}

}  // namespace heddle
