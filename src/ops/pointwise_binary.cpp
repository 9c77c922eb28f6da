// Pointwise operations of two and three operands: each op's statement (name, domain, derivative)
// beside its public function.
#include <cmath>
#include <optional>

#include "core/node.h"
#include "heddle/ops/pointwise.h"
#include "ops/checks.h"
#include "ops/pointwise_statements.h"
#include "ops/util.h"

namespace heddle {

using namespace pointwise_statements;

namespace {

Array pass(In, Out, const Array& g) { return g; }
Array zero(In, Out, const Array&) { return {}; }

const Pointwise& add_op = pointwise("Add", Code::add).short_partials({pass, pass});
const Pointwise& subtract_op =
    pointwise("Subtract", Code::subtract).short_partials({pass, [](In, Out, const Array& g) {
                                                            return negative(g);
                                                          }});
const Pointwise& multiply_op =
    pointwise("Multiply", Code::multiply)
        .short_partials({[](In x, Out, const Array& g) { return multiply(g, x[1]); },
                         [](In x, Out, const Array& g) { return multiply(g, x[0]); }});
const Pointwise& divide_op =
    pointwise("Divide", Code::divide)
        .takes(Domain::inexact)
        .partials(
            {[](In x, Out, const Array& g) { return divide(g, x[1]); },
             [](In x, Out y, const Array& g) { return negative(divide(multiply(g, y), x[1])); }});
const Pointwise& floor_divide_op = pointwise("FloorDivide", Code::floor_divide);
const Pointwise& remainder_op =
    pointwise("Remainder", Code::remainder).partials({pass, [](In x, Out, const Array& g) {
                                                        return negative(
                                                            multiply(g, floor_divide(x[0], x[1])));
                                                      }});

// The value of a real number that stands for itself, not for an input of a transformation.
std::optional<double> known_number(const Array& a) {
  const Node& node = node_of(a);
  if (!node.available() || node.tracer || node.placeholder || node.size() != 1) return {};
  if (node.dtype == float32) return *reinterpret_cast<const float*>(node.data);
  if (node.dtype == float64) return *reinterpret_cast<const double*>(node.data);
  return {};
}

// y x^(y-1), 0 where either factor is. Where both operands are small x^(y-1) may overflow and y
// vanish: there it is y / x x^y.
Array power_by_base(In x, Out y, const Array& g) {
  const Array &base = x[0], &exponent = x[1];
  const Array zero = constant(0, base), size = abs(base);
  const double known = known_number(exponent).value_or(0);
  const Array rest = known == 2 ? base : power(base, subtract(exponent, constant(1, base)));
  Array slope = multiply(exponent, rest);
  // Nothing of what follows happens with the exponents that programs write.
  if (std::abs(known) > 1e-3 && std::isfinite(known)) return multiply(g, slope);
  if (is_inexact(base.dtype())) {
    const Array small = constant(base.dtype() == float64 ? 1e-14 : 1e-6, size);
    const Array both = logical_and(less(abs(exponent), small), less(size, constant(1, size)));
    slope =
        where(logical_and(both, not_equal(base, zero)), multiply(divide(exponent, base), y), slope);
  }
  const Array nothing = logical_or(equal(exponent, zero), equal(rest, zero));
  return multiply(g, where(nothing, zero, slope));
}

// x^y log x. A power of 0 is taken for constant, where the logarithm alone would give NaN.
Array power_by_exponent(In x, Out y, const Array& g) {
  const Array &base = x[0], zero = constant(0, base);
  const Array vanishes = logical_and(equal(y, zero), greater(base, zero));
  const Array nothing = logical_or(equal(base, zero), vanishes);
  return multiply(g, where(nothing, zero, multiply(y, log(base))));
}

const Pointwise& power_op =
    pointwise("Power", Code::power).partials({power_by_base, power_by_exponent});

// The cotangent where a comparison of the operands holds.
template <Array (*compare)(const Array&, const Array&, StreamOrDevice)>
Array chosen(In x, Out, const Array& g) {
  return where(compare(x[0], x[1], {}), g, constant(0, g));
}
const Pointwise& maximum_op =
    pointwise("Maximum", Code::maximum).short_partials({chosen<greater>, chosen<less_equal>});
const Pointwise& minimum_op =
    pointwise("Minimum", Code::minimum).short_partials({chosen<less>, chosen<greater_equal>});

// exp(a - y) = sigmoid(a - b), of which equal infinities have one half each.
template <int mine>
Array share_of_sum(In x, Out, const Array& g) {
  const Array &a = x[mine], &b = x[1 - mine];
  const Array share = logistic(subtract(a, b));
  return multiply(g, where(equal(a, b), constant(0.5, a), share));
}
const Pointwise& logaddexp_op = pointwise("LogAddExp", Code::logaddexp)
                                    .takes(Domain::inexact)
                                    .partials({share_of_sum<0>, share_of_sum<1>});

// x_k / (x_0^2 + x_1^2), 0 if one is infinite.
template <int k>
Array over_squares(In x, const Array& g) {
  const auto [smaller, larger] = magnitudes(x[0], x[1]);
  const Array ratio = divide(divide(x[k], larger), one_and_square(divide(smaller, larger)));
  const Array slope = divide(multiply(g, ratio), larger);
  return where(isinf(larger), constant(0, slope), slope);
}
const Pointwise& arctan2_op =
    pointwise("ArcTan2", Code::arctan2)
        .takes(Domain::real_inexact)
        .called("arctan2")
        .partials({[](In x, Out, const Array& g) { return over_squares<1>(x, g); },
                   [](In x, Out, const Array& g) { return negative(over_squares<0>(x, g)); }});
const Pointwise& equal_op = pointwise("Equal", Code::equal).gives(Result::boolean);
const Pointwise& not_equal_op = pointwise("NotEqual", Code::not_equal).gives(Result::boolean);
const Pointwise& less_op = pointwise("Less", Code::less).gives(Result::boolean);
const Pointwise& less_equal_op = pointwise("LessEqual", Code::less_equal).gives(Result::boolean);
const Pointwise& greater_op = pointwise("Greater", Code::greater).gives(Result::boolean);
const Pointwise& greater_equal_op =
    pointwise("GreaterEqual", Code::greater_equal).gives(Result::boolean);
const Pointwise& equal_nan_op = pointwise("NaNEqual", Code::equal_nan).gives(Result::boolean);
const Pointwise& logical_and_op = pointwise("LogicalAnd", Code::logical_and).gives(Result::boolean);
const Pointwise& logical_or_op = pointwise("LogicalOr", Code::logical_or).gives(Result::boolean);
const Pointwise& bitwise_and_op = pointwise("BitwiseAnd", Code::bitwise_and).takes(Domain::bits);
const Pointwise& bitwise_or_op = pointwise("BitwiseOr", Code::bitwise_or).takes(Domain::bits);
const Pointwise& bitwise_xor_op = pointwise("BitwiseXor", Code::bitwise_xor).takes(Domain::bits);
const Pointwise& left_shift_op = pointwise("LeftShift", Code::left_shift).takes(Domain::bits);
const Pointwise& right_shift_op = pointwise("RightShift", Code::right_shift).takes(Domain::bits);

// Bools are shifted as numbers.
Array shift(const Pointwise& op, const Array& a, const Array& b, StreamOrDevice s) {
  const bool bools = is_bool(a.dtype()) && is_bool(b.dtype());
  return apply_pointwise(op, {bools ? astype(a, uint8, s) : a, b}, s);
}

}  // namespace

Array add(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(add_op, {a, b}, s);
}
Array subtract(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(subtract_op, {a, b}, s);
}
Array multiply(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(multiply_op, {a, b}, s);
}
Array divide(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(divide_op, {a, b}, s);
}
std::vector<Array> divmod(const Array& a, const Array& b, StreamOrDevice s) {
  return {floor_divide(a, b, s), remainder(a, b, s)};
}
Array floor_divide(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(floor_divide_op, {a, b}, s);
}
Array remainder(const Array& a, const Array& b, StreamOrDevice s) {
  if (is_complex(promote_types(a.dtype(), b.dtype()))) {
    refuse("remainder", "Complex type not supported.");
  }
  return apply_pointwise(remainder_op, {a, b}, s);
}
Array power(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(power_op, {a, b}, s);
}
Array maximum(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(maximum_op, {a, b}, s);
}
Array minimum(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(minimum_op, {a, b}, s);
}
Array logaddexp(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(logaddexp_op, {a, b}, s);
}
Array arctan2(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(arctan2_op, {a, b}, s);
}
Array equal(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(equal_op, {a, b}, s);
}
Array not_equal(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(not_equal_op, {a, b}, s);
}
Array less(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(less_op, {a, b}, s);
}
Array less_equal(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(less_equal_op, {a, b}, s);
}
Array greater(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(greater_op, {a, b}, s);
}
Array greater_equal(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(greater_equal_op, {a, b}, s);
}
Array equal_nan(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(equal_nan_op, {a, b}, s);
}
namespace {

// |x - y| of integers as float64: the difference is exact before it is rounded.
Array integer_distance(const Array& x, const Array& y, const Stream& s) {
  auto words = [&](const Array& v) { return astype(v, uint64, s); };
  if (!is_signed(x.dtype()) && is_signed(y.dtype())) return integer_distance(y, x, s);
  const bool mixed = is_signed(x.dtype()) && !is_signed(y.dtype());
  // A negative x is less than any unsigned y, and further from it than 64 bits may hold.
  Array negative_x = less(x, Array(0, x.dtype()), s);
  Array x_less = mixed ? less(words(x), words(y), s) : less(x, y, s);
  Array distance =
      where(x_less, subtract(words(y), words(x), s), subtract(words(x), words(y), s), s);
  distance = astype(distance, float64, s);
  if (!mixed) return distance;
  Array apart = subtract(astype(y, float64, s), astype(x, float64, s), s);
  return where(negative_x, apart, distance, s);
}

Array integers_close(const Array& a, const Array& b, double rtol, double atol, const Stream& s) {
  // Bools count as 0 and 1. Beside another type of integers, those of 64 bits keep all digits.
  Array x = is_bool(a.dtype()) ? astype(a, uint8, s) : a;
  Array y = is_bool(b.dtype()) ? astype(b, uint8, s) : b;
  x = astype(x, is_signed(x.dtype()) ? int64 : uint64, s);
  y = astype(y, is_signed(y.dtype()) ? int64 : uint64, s);
  Array size = abs(astype(y, float64, s), s);
  Array bound = add(Array(atol, float64), multiply(Array(rtol, float64), size, s), s);
  return less_equal(integer_distance(x, y, s), bound, s);
}

}  // namespace

Array isclose(const Array& a, const Array& b, double rtol, double atol, bool equal_nan,
              StreamOrDevice s) {
  if (!is_inexact(a.dtype()) && !is_inexact(b.dtype())) {
    return integers_close(a, b, rtol, atol, to_stream(s));
  }
  Dtype t = at_least_float(promote_types(a.dtype(), b.dtype()));
  if (is_half(t)) t = float32;  // a half holds neither the tolerances nor all differences
  Array x = astype(a, t, s), y = astype(b, t, s);
  Array bound = add(Array(atol, is_complex(t) ? float32 : t),
                    multiply(Array(rtol, is_complex(t) ? float32 : t), abs(y, s), s), s);
  Array close = less_equal(abs(subtract(x, y, s), s), bound, s);
  // Infinities are close to equal ones only.
  Array any_inf = logical_or(isinf(x, s), isinf(y, s), s);
  Array out = where(any_inf, equal(x, y, s), close, s);
  if (equal_nan) out = logical_or(out, logical_and(isnan(x, s), isnan(y, s), s), s);
  return out;
}
Array logical_and(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(logical_and_op, {astype(a, bool_, s), astype(b, bool_, s)}, s);
}
Array logical_or(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(logical_or_op, {astype(a, bool_, s), astype(b, bool_, s)}, s);
}
Array logical_xor(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(not_equal_op, {astype(a, bool_, s), astype(b, bool_, s)}, s);
}
Array bitwise_and(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(bitwise_and_op, {a, b}, s);
}
Array bitwise_or(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(bitwise_or_op, {a, b}, s);
}
Array bitwise_xor(const Array& a, const Array& b, StreamOrDevice s) {
  return apply_pointwise(bitwise_xor_op, {a, b}, s);
}
Array left_shift(const Array& a, const Array& b, StreamOrDevice s) {
  return shift(left_shift_op, a, b, s);
}
Array right_shift(const Array& a, const Array& b, StreamOrDevice s) {
  return shift(right_shift_op, a, b, s);
}

// ---------------------------------------------------------------------------------------------
// Three operands.

namespace {

const Pointwise& select_op =
    pointwise("Select", Code::select)
        .short_partials({zero,
                         [](In x, Out, const Array& g) { return where(x[0], g, constant(0, g)); },
                         [](In x, Out, const Array& g) { return where(x[0], constant(0, g), g); }});

}  // namespace

Array where(const Array& condition, const Array& x, const Array& y, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Dtype t = promote_types(x.dtype(), y.dtype());
  return apply(OpRef(&select_op),
               {astype(condition, bool_, stream), astype(x, t, stream), astype(y, t, stream)},
               stream);
}

Array clip(const Array& a, const std::optional<Array>& lower, const std::optional<Array>& upper,
           StreamOrDevice s) {
  if (!lower && !upper) refuse("clip", "At least one of a_min and a_max is wanted.");
  Array out = a;
  if (lower) out = maximum(out, *lower, s);
  if (upper) out = minimum(out, *upper, s);
  return out;
}

}  // namespace heddle
