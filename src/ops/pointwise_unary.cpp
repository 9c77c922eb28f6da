// Pointwise operations of one operand: each op's statement (name, domain, derivative) beside its
// public function.
#include <cmath>
#include <limits>

#include "heddle/ops/creation.h"
#include "heddle/ops/pointwise.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/pointwise_statements.h"
#include "ops/util.h"

namespace heddle {

using namespace pointwise_statements;

namespace {

// g * scale / x, rounded as little as may be.
Array scaled_quotient(const Array& g, double scale, const Array& x) {
  return divide(multiply(g, constant(scale, x)), x);
}
// 1 / sqrt(1 - x^2), of which 1 - x^2 would cancel near 1 and overflow far from it.
Array inverse_circle(const Array& x) {
  const Array one = constant(1, x);
  return multiply(rsqrt(subtract(one, x)), rsqrt(add(one, x)));
}

const Pointwise& abs_op =
    pointwise("Abs", Code::abs).gives(Result::real).short_partials({[](In x, Out, const Array& g) {
      if (!is_complex(x[0].dtype())) return multiply(g, sign(x[0]));
      // Going back g is real, going forward complex: |x|' t = Re(conj(sign x) t).
      if (!is_complex(g.dtype())) return multiply(g, sign(x[0]));
      return real(multiply(conjugate(sign(x[0])), g));
    }});
const Pointwise& negative_op =
    pointwise("Negative", Code::negative).short_partials({[](In, Out, const Array& g) {
      return negative(g);
    }});
const Pointwise& sign_op = pointwise("Sign", Code::sign);
const Pointwise& square_op =
    pointwise("Square", Code::square).partials({[](In x, Out, const Array& g) {
      return multiply(multiply(g, x[0]), constant(2, x[0]));
    }});
const Pointwise& sqrt_op =
    pointwise("Sqrt", Code::sqrt).takes(Domain::inexact).partials({[](In, Out y, const Array& g) {
      return scaled_quotient(g, 0.5, y);
    }});
const Pointwise& rsqrt_op =
    pointwise("Rsqrt", Code::rsqrt)
        .takes(Domain::inexact)
        .partials({[](In x, Out y, const Array& g) {
          return divide(multiply(multiply(g, constant(-0.5, x[0])), y), x[0]);
        }});
const Pointwise& reciprocal_op = pointwise("Reciprocal", Code::reciprocal)
                                     .takes(Domain::inexact)
                                     .partials({[](In, Out y, const Array& g) {
                                       return negative(multiply(multiply(g, y), y));
                                     }});
const Pointwise& exp_op =
    pointwise("Exp", Code::exp).takes(Domain::inexact).partials({[](In, Out y, const Array& g) {
      return multiply(g, y);
    }});
const Pointwise& exp2_op = pointwise("Exp2", Code::exp2)
                               .takes(Domain::real_inexact)
                               .partials({[](In x, Out, const Array& g) {
                                 // ln(2) 2^x is in range where 2^x is not any more.
                                 const Array half = exp2(subtract(x[0], constant(1, x[0])));
                                 return multiply(multiply(g, half), constant(2 * M_LN2, x[0]));
                               }});
const Pointwise& expm1_op =
    pointwise("Expm1", Code::expm1).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return multiply(g, exp(x[0]));
    }});
const Pointwise& log_op =
    pointwise("Log", Code::log)
        .takes(Domain::inexact)
        .short_partials({[](In x, Out, const Array& g) { return divide(g, x[0]); }});
const Pointwise& log2_op =
    pointwise("Log2", Code::log2).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return scaled_quotient(g, 1.44269504088896340736, x[0]);
    }});
const Pointwise& log10_op =
    pointwise("Log10", Code::log10).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return scaled_quotient(g, 0.43429448190325182765, x[0]);
    }});
const Pointwise& log1p_op =
    pointwise("Log1p", Code::log1p).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return divide(g, add(x[0], constant(1, x[0])));
    }});
const Pointwise& sin_op =
    pointwise("Sin", Code::sin).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return multiply(g, cos(x[0]));
    }});
const Pointwise& cos_op =
    pointwise("Cos", Code::cos).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return negative(multiply(g, sin(x[0])));
    }});
const Pointwise& tan_op =
    pointwise("Tan", Code::tan).takes(Domain::inexact).partials({[](In, Out y, const Array& g) {
      return multiply(g, one_and_square(y));
    }});
const Pointwise& arcsin_op =
    pointwise("ArcSin", Code::arcsin)
        .takes(Domain::inexact)
        .partials({[](In x, Out, const Array& g) { return multiply(g, inverse_circle(x[0])); }});
const Pointwise& arccos_op = pointwise("ArcCos", Code::arccos)
                                 .takes(Domain::inexact)
                                 .partials({[](In x, Out, const Array& g) {
                                   return negative(multiply(g, inverse_circle(x[0])));
                                 }});
const Pointwise& arctan_op = pointwise("ArcTan", Code::arctan)
                                 .takes(Domain::inexact)
                                 .partials({[](In x, Out, const Array& g) {
                                   if (!is_complex(x[0].dtype()))
                                     return divide(g, one_and_square(x[0]));
                                   const Array i(complex64_t(0, 1));
                                   return divide(divide(g, add(x[0], i)), subtract(x[0], i));
                                 }});
const Pointwise& sinh_op =
    pointwise("Sinh", Code::sinh).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return multiply(g, cosh(x[0]));
    }});
const Pointwise& cosh_op =
    pointwise("Cosh", Code::cosh).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      return multiply(g, sinh(x[0]));
    }});
const Pointwise& tanh_op =
    pointwise("Tanh", Code::tanh).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      // Not 1 - y^2, which cancels. Beyond the range of cosh the reciprocal is zero.
      return multiply(g, square(reciprocal(cosh(x[0]))));
    }});
const Pointwise& arcsinh_op =
    pointwise("ArcSinh", Code::arcsinh)
        .takes(Domain::inexact)
        .partials({[](In x, Out, const Array& g) {
          if (is_complex(x[0].dtype())) {
            return multiply(g, inverse_circle(multiply(x[0], Array(complex64_t(0, 1)))));
          }
          const auto [smaller, larger] = magnitudes(x[0], constant(1, x[0]));
          return divide(multiply(g, rsqrt(one_and_square(divide(smaller, larger)))), larger);
        }});
const Pointwise& arccosh_op =
    pointwise("ArcCosh", Code::arccosh)
        .takes(Domain::inexact)
        .partials({[](In x, Out, const Array& g) {
          const Array one = constant(1, x[0]);
          return multiply(multiply(g, rsqrt(subtract(x[0], one))), rsqrt(add(x[0], one)));
        }});
const Pointwise& arctanh_op = pointwise("ArcTanh", Code::arctanh)
                                  .takes(Domain::inexact)
                                  .partials({[](In x, Out, const Array& g) {
                                    const Array one = constant(1, x[0]);
                                    return divide(divide(g, subtract(one, x[0])), add(one, x[0]));
                                  }});
const Pointwise& erf_op = pointwise("Erf", Code::erf)
                              .takes(Domain::real_inexact)
                              .partials({[](In x, Out, const Array& g) {
                                // 2 / sqrt(pi) exp(-x^2)
                                return multiply(multiply(g, constant(1.12837916709551257390, x[0])),
                                                exp(negative(square(x[0]))));
                              }});
const Pointwise& erfinv_op =
    pointwise("ErfInv", Code::erfinv)
        .takes(Domain::real_inexact)
        .called("erfinv")
        .partials({[](In x, Out y, const Array& g) {
          // sqrt(pi) / 2 exp(y^2)
          return multiply(multiply(g, constant(0.88622692545275801365, x[0])), exp(square(y)));
        }});
const Pointwise& sigmoid_op = pointwise("Sigmoid", Code::sigmoid)
                                  .takes(Domain::inexact)
                                  .partials({[](In x, Out y, const Array& g) {
                                    // Not 1 - y, which cancels.
                                    return multiply(multiply(g, y), sigmoid(negative(x[0])));
                                  }});
const Pointwise& floor_op = pointwise("Floor", Code::floor).takes(Domain::real);
const Pointwise& ceil_op = pointwise("Ceil", Code::ceil).takes(Domain::real);
const Pointwise& round_op = pointwise("Round", Code::round);
const Pointwise& isnan_op = pointwise("IsNaN", Code::is_nan).gives(Result::boolean);
const Pointwise& isinf_op = pointwise("IsInf", Code::is_inf).gives(Result::boolean);
const Pointwise& logical_not_op = pointwise("LogicalNot", Code::logical_not).gives(Result::boolean);
const Pointwise& bitwise_invert_op =
    pointwise("BitwiseInvert", Code::bitwise_invert).takes(Domain::bits);
const Pointwise& real_op =
    pointwise("Real", Code::real).gives(Result::real).short_partials({[](In, Out, const Array& g) {
      return is_complex(g.dtype()) ? real(g) : astype(g, complex64);
    }});
const Pointwise& imag_op =
    pointwise("Imag", Code::imag).gives(Result::real).short_partials({[](In, Out, const Array& g) {
      return is_complex(g.dtype()) ? imag(g) : multiply(g, Array(complex64_t(0, 1)));
    }});
const Pointwise& conjugate_op =
    pointwise("Conjugate", Code::conjugate).short_partials({[](In, Out, const Array& g) {
      return conjugate(g);
    }});

}  // namespace

namespace {

// The product with a factor that halves do not hold exactly.
Array scaled(const Array& a, double factor, StreamOrDevice s) {
  const Dtype t = at_least_float(a.dtype());
  const Array x = widened(astype(a, t, s), to_stream(s));
  return astype(multiply(x, constant(factor, x), s), t, s);
}

}  // namespace

Array abs(const Array& a, StreamOrDevice s) {
  return is_bool(a.dtype()) || is_unsigned(a.dtype()) ? a : apply_pointwise(abs_op, {a}, s);
}
Array negative(const Array& a, StreamOrDevice s) {
  if (is_bool(a.dtype())) {
    refuse("negative", "Not supported for bool, use logical_not instead.");
  }
  return apply_pointwise(negative_op, {a}, s);
}
Array sign(const Array& a, StreamOrDevice s) { return apply_pointwise(sign_op, {a}, s); }
Array square(const Array& a, StreamOrDevice s) { return apply_pointwise(square_op, {a}, s); }
Array sqrt(const Array& a, StreamOrDevice s) { return apply_pointwise(sqrt_op, {a}, s); }
Array rsqrt(const Array& a, StreamOrDevice s) { return apply_pointwise(rsqrt_op, {a}, s); }
Array reciprocal(const Array& a, StreamOrDevice s) {
  return apply_pointwise(reciprocal_op, {a}, s);
}
Array exp(const Array& a, StreamOrDevice s) { return apply_pointwise(exp_op, {a}, s); }
Array exp2(const Array& a, StreamOrDevice s) { return apply_pointwise(exp2_op, {a}, s); }
Array expm1(const Array& a, StreamOrDevice s) { return apply_pointwise(expm1_op, {a}, s); }
Array log(const Array& a, StreamOrDevice s) { return apply_pointwise(log_op, {a}, s); }
Array log2(const Array& a, StreamOrDevice s) { return apply_pointwise(log2_op, {a}, s); }
Array log10(const Array& a, StreamOrDevice s) { return apply_pointwise(log10_op, {a}, s); }
Array log1p(const Array& a, StreamOrDevice s) { return apply_pointwise(log1p_op, {a}, s); }
Array sin(const Array& a, StreamOrDevice s) { return apply_pointwise(sin_op, {a}, s); }
Array cos(const Array& a, StreamOrDevice s) { return apply_pointwise(cos_op, {a}, s); }
Array tan(const Array& a, StreamOrDevice s) { return apply_pointwise(tan_op, {a}, s); }
Array arcsin(const Array& a, StreamOrDevice s) { return apply_pointwise(arcsin_op, {a}, s); }
Array arccos(const Array& a, StreamOrDevice s) { return apply_pointwise(arccos_op, {a}, s); }
Array arctan(const Array& a, StreamOrDevice s) { return apply_pointwise(arctan_op, {a}, s); }
Array sinh(const Array& a, StreamOrDevice s) { return apply_pointwise(sinh_op, {a}, s); }
Array cosh(const Array& a, StreamOrDevice s) { return apply_pointwise(cosh_op, {a}, s); }
Array tanh(const Array& a, StreamOrDevice s) { return apply_pointwise(tanh_op, {a}, s); }
Array arcsinh(const Array& a, StreamOrDevice s) { return apply_pointwise(arcsinh_op, {a}, s); }
Array arccosh(const Array& a, StreamOrDevice s) { return apply_pointwise(arccosh_op, {a}, s); }
Array arctanh(const Array& a, StreamOrDevice s) { return apply_pointwise(arctanh_op, {a}, s); }
Array degrees(const Array& a, StreamOrDevice s) { return scaled(a, 180.0 / M_PI, s); }
Array radians(const Array& a, StreamOrDevice s) { return scaled(a, M_PI / 180.0, s); }
Array erf(const Array& a, StreamOrDevice s) { return apply_pointwise(erf_op, {a}, s); }
Array erfinv(const Array& a, StreamOrDevice s) { return apply_pointwise(erfinv_op, {a}, s); }
Array pointwise_statements::logistic(const Array& x) {
  return apply_pointwise(sigmoid_op, {x}, {});
}
Array sigmoid(const Array& a, StreamOrDevice s) {
  if (is_complex(a.dtype())) refuse("sigmoid", "Not supported for complex64.");
  return apply_pointwise(sigmoid_op, {a}, s);
}
Array floor(const Array& a, StreamOrDevice s) {
  return is_inexact(a.dtype()) ? apply_pointwise(floor_op, {a}, s) : a;
}
Array ceil(const Array& a, StreamOrDevice s) {
  return is_inexact(a.dtype()) ? apply_pointwise(ceil_op, {a}, s) : a;
}
Array trunc(const Array& a, StreamOrDevice s) {
  if (is_complex(a.dtype())) refuse("trunc", "Not supported for complex64.");
  if (!is_inexact(a.dtype())) return a;
  return where(less(a, constant(0, a), s), ceil(a, s), floor(a, s), s);
}
namespace {

// To a multiple of a power of ten, ties to the even one; by magnitudes, which 64 bits hold.
Array round_integers(const Array& a, int decimals, StreamOrDevice s) {
  if (decimals < -19) return zeros_like(a, s);  // half a unit is more than 64 bits hold
  uint64_t unit = 1;
  for (; decimals < 0; decimals++) unit *= 10;
  const Array wide = is_signed(a.dtype()) ? abs(astype(a, int64, s), s) : a;
  const Array size = astype(wide, uint64, s), of(unit, uint64), one(1, uint64);
  Array count = floor_divide(size, of, s);
  const Array below = subtract(size, multiply(count, of, s), s), above = subtract(of, below, s);
  const Array odd = equal(bitwise_and(count, one, s), one, s);
  const Array up =
      logical_or(greater(below, above, s), logical_and(equal(below, above, s), odd, s), s);
  const Array found = astype(multiply(add(count, astype(up, uint64, s), s), of, s), a.dtype(), s);
  return where(less(a, constant(0, a), s), negative(found, s), found, s);
}

}  // namespace

Array round(const Array& a, int decimals, StreamOrDevice s) {
  if (decimals == 0) return is_inexact(a.dtype()) ? apply_pointwise(round_op, {a}, s) : a;
  if (!is_inexact(a.dtype()) && decimals > 0) return a;
  if (is_integer(a.dtype())) return round_integers(a, decimals, s);
  Array x = widened(astype(a, at_least_float(a.dtype()), s), to_stream(s));
  Array scale = constant(std::pow(10.0, std::abs(decimals)), x);
  Array scaled = decimals > 0 ? multiply(x, scale, s) : divide(x, scale, s);
  Array rounded = apply_pointwise(round_op, {scaled}, s);
  // Numbers that are out of range with the digits moved have none behind the point.
  if (decimals > 0) rounded = where(isfinite(scaled, s), divide(rounded, scale, s), x, s);
  else rounded = multiply(rounded, scale, s);
  return astype(rounded, a.dtype(), s);
}
Array isnan(const Array& a, StreamOrDevice s) {
  return is_inexact(a.dtype()) ? apply_pointwise(isnan_op, {a}, s)
                               : full_like(a, Array(false), bool_, s);
}
Array isinf(const Array& a, StreamOrDevice s) {
  return is_inexact(a.dtype()) ? apply_pointwise(isinf_op, {a}, s)
                               : full_like(a, Array(false), bool_, s);
}
Array isfinite(const Array& a, StreamOrDevice s) {
  return logical_not(logical_or(isinf(a, s), isnan(a, s), s), s);
}
Array isposinf(const Array& a, StreamOrDevice s) {
  if (!is_inexact(a.dtype())) return full_like(a, Array(false), bool_, s);
  return equal(a, constant(std::numeric_limits<double>::infinity(), a), s);
}
Array isneginf(const Array& a, StreamOrDevice s) {
  if (!is_inexact(a.dtype())) return full_like(a, Array(false), bool_, s);
  return equal(a, constant(-std::numeric_limits<double>::infinity(), a), s);
}
Array logical_not(const Array& a, StreamOrDevice s) {
  return apply_pointwise(logical_not_op, {astype(a, bool_, s)}, s);
}
Array bitwise_invert(const Array& a, StreamOrDevice s) {
  return is_bool(a.dtype()) ? logical_not(a, s) : apply_pointwise(bitwise_invert_op, {a}, s);
}
Array real(const Array& a, StreamOrDevice s) {
  return is_complex(a.dtype()) ? apply_pointwise(real_op, {a}, s) : a;
}
Array imag(const Array& a, StreamOrDevice s) {
  return is_complex(a.dtype()) ? apply_pointwise(imag_op, {a}, s) : zeros_like(a, s);
}
Array conjugate(const Array& a, StreamOrDevice s) {
  return is_complex(a.dtype()) ? apply_pointwise(conjugate_op, {a}, s) : a;
}
Array nan_to_num(const Array& a, float nan, std::optional<float> posinf,
                 std::optional<float> neginf, StreamOrDevice s) {
  if (is_complex(a.dtype())) {
    refuse("nan_to_num", "Does not yet support given type: complex64.");
  }
  if (!is_inexact(a.dtype())) return a;
  auto largest = [&]() -> double {
    switch (a.dtype()) {
      case Dtype::float16:
        return 65504.0;
      case Dtype::bfloat16:
        return 0x1.fep127;
      case Dtype::float64:
        return std::numeric_limits<double>::max();
      default:
        return std::numeric_limits<float>::max();
    }
  };
  Array high = constant(posinf ? *posinf : largest(), a);
  Array low = constant(neginf ? *neginf : -largest(), a);
  Array out = where(isnan(a, s), constant(nan, a), a, s);
  out = where(isposinf(a, s), high, out, s);
  return where(isneginf(a, s), low, out, s);
}

}  // namespace heddle
