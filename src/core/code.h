// The scalar functions that pointwise operations are made of: the vocabulary shared by the ops
// (which state their derivatives) and the tile interpreter (which computes them).
#pragma once

#include <cstdint>

namespace heddle {

enum class Code : uint8_t {
  // one operand; same dtype out unless said otherwise
  copy,  // also every conversion between dtypes
  abs,   // complex -> its real type
  negative,
  sign,  // sign(nan) = 0 for floats as MLX has it; complex: x / |x|, 0 at 0
  square,
  sqrt,
  rsqrt,
  reciprocal,
  exp,
  exp2,
  expm1,
  log,
  log2,
  log10,
  log1p,
  sin,
  cos,
  tan,
  arcsin,
  arccos,
  arctan,
  sinh,
  cosh,
  tanh,
  arcsinh,
  arccosh,
  arctanh,
  erf,
  erfinv,
  sigmoid,
  floor,
  ceil,
  round,        // half to even
  is_nan,       // -> bool
  is_inf,       // -> bool
  logical_not,  // -> bool
  bitwise_invert,
  real,  // complex -> float32
  imag,  // complex -> float32
  conjugate,
  // two operands of one dtype
  add,
  subtract,
  multiply,
  divide,        // inexact only
  floor_divide,  // rounds toward -inf; integer division by zero gives 0
  remainder,     // sign of the divisor; integer remainder by zero gives the dividend
  power,         // integer power with a negative exponent gives 0
  maximum,       // NaN if either is NaN; complex: lexicographic
  minimum,
  logaddexp,
  arctan2,
  equal,  // the comparisons give bool
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  equal_nan,    // equal, or both NaN
  logical_and,  // -> bool
  logical_or,   // -> bool
  bitwise_and,
  bitwise_or,
  bitwise_xor,
  left_shift,  // shift counts at or beyond the width give 0 (left, unsigned right) or the sign
  right_shift,
  // three operands
  select,  // (bool condition, x, y) -> condition ? x : y
};
inline constexpr int code_count = static_cast<int>(Code::select) + 1;

constexpr int arity_of(Code c) { return c < Code::add ? 1 : c < Code::select ? 2 : 3; }

}  // namespace heddle
