// Pointwise operations: each op's statement (name, domain, derivative) beside its public function.
#include "ops/pointwise.h"

#include <cmath>
#include <limits>

#include "core/node.h"
#include "heddle/ops.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

using Domain = Pointwise::Domain;
using Result = Pointwise::Result;
using In = const Arrays&;
using Out = const Array&;

Pointwise& pointwise(std::string name, Code code) {
  static auto* all = new std::vector<OpRef>;  // they live as long as the process
  auto* op = new Pointwise(std::move(name), code);
  all->emplace_back(op);
  return *op;
}

// A scalar of the dtype of `like`, so that it never promotes.
Array constant(double value, const Array& like) {
  return is_complex(like.dtype()) ? Array(complex64_t(static_cast<float>(value)))
                                  : Array(value, like.dtype());
}

// Promotes the operands as the op wants and makes the node.
Array apply_pointwise(const Pointwise& op, Arrays inputs, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Dtype dtype = inputs[0].dtype();
  for (size_t i = 1; i < inputs.size(); i++) dtype = promote_types(dtype, inputs[i].dtype());
  if (op.domain() == Domain::inexact) dtype = at_least_float(dtype);
  for (Array& a : inputs) {
    if (a.dtype() != dtype) a = astype(a, dtype, stream);
  }
  Shape shape = inputs[0].shape();
  for (size_t i = 1; i < inputs.size(); i++) {
    if (!(inputs[i].shape() == shape)) shape = broadcast_shapes(shape, inputs[i].shape());
  }
  return apply(OpRef(&op), std::move(inputs), Aval{std::move(shape), op.result_dtype(dtype)},
               stream);
}

void refuse_complex(const char* op, const Array& a) {
  if (is_complex(a.dtype())) {
    throw std::invalid_argument(fmt::format("[{}] Not supported for complex64.", op));
  }
}

void require_bits(const char* op, const Array& a, const Array& b) {
  Dtype t = promote_types(a.dtype(), b.dtype());
  if (is_inexact(t)) {
    throw std::runtime_error(
        fmt::format("[{}] Only allowed on integer or boolean types but got types {} and {}.", op,
                    name_of(a.dtype()), name_of(b.dtype())));
  }
}

Array pass(In, Out, const Array& g) { return g; }
Array zero(In, Out, const Array&) { return {}; }

// g * scale / x, rounded as little as may be.
Array scaled_quotient(const Array& g, double scale, const Array& x) {
  return divide(multiply(g, constant(scale, x)), x);
}
// 1 / sqrt(1 - x^2), of which 1 - x^2 would cancel near 1 and overflow far from it.
Array inverse_circle(const Array& x) {
  const Array one = constant(1, x);
  return multiply(rsqrt(subtract(one, x)), rsqrt(add(one, x)));
}
// The smaller and the larger magnitude of two real numbers.
struct Magnitudes {
  Array smaller, larger;
};
Magnitudes magnitudes(const Array& a, const Array& b) {
  const Array x = abs(a), y = abs(b);
  return {minimum(x, y), maximum(x, y)};
}
// 1 + t^2 of the ratio t of two magnitudes: the sum of their squares over that of the larger one.
Array one_and_square(const Array& t) { return add(square(t), constant(1, t)); }

}  // namespace

// ---------------------------------------------------------------------------------------------
// Rules that all pointwise ops share.

Avals Pointwise::infer(const Arrays& inputs) const {
  Shape shape = inputs[0].shape();
  for (size_t i = 1; i < inputs.size(); i++) shape = broadcast_shapes(shape, inputs[i].shape());
  return {{std::move(shape), result_dtype(inputs.back().dtype())}};
}

Arrays Pointwise::terms(const Arrays& inputs, const Array& output, const std::vector<int>& argnums,
                        const std::function<Array(size_t)>& g) const {
  if (partials_.empty()) return Arrays(argnums.size());
  const bool wide = widens_ && is_half(inputs.back().dtype());
  Arrays in = inputs;
  Array out = output;
  if (wide) {
    // The result, too, is taken again: rounded to a half it has no digits to subtract from.
    for (Array& x : in) x = astype(x, float32);
    out = apply(OpRef(this), in, to_stream({}));
  }
  Arrays result;
  for (size_t k = 0; k < argnums.size(); k++) {
    const Array slope = g(k);
    result.push_back(
        partials_[static_cast<size_t>(argnums[k])](in, out, wide ? astype(slope, float32) : slope));
  }
  return result;
}

std::optional<Arrays> Pointwise::vjp(const Arrays& inputs, const Arrays& cotangents,
                                     const std::vector<int>& argnums, const Arrays& outputs) const {
  Stream s = to_stream({});
  // A complex cotangent is multiplied by the conjugate of the derivative, so that the gradient of a
  // real loss points uphill: conj(f') g = conj(f' conj(g)).
  const bool complex = is_complex(outputs[0].dtype());
  const Array g = complex ? conjugate(cotangents[0]) : cotangents[0];
  Arrays result = terms(inputs, outputs[0], argnums, [&](size_t) { return g; });
  for (size_t k = 0; k < argnums.size(); k++) {
    Array& term = result[k];
    if (!term) continue;
    if (complex) term = conjugate(term);
    const Array& x = inputs[static_cast<size_t>(argnums[k])];
    const bool alone = inputs.size() == 1 && term.shape() == x.shape();
    term = astype(alone ? term : sum_to_like(term, x, s), x.dtype(), s);
  }
  return result;
}

std::optional<Arrays> Pointwise::jvp(const Arrays& inputs, const Arrays& tangents,
                                     const std::vector<int>& argnums, const Arrays& outputs) const {
  Stream s = to_stream({});
  Array sum;
  for (const Array& term :
       terms(inputs, outputs[0], argnums, [&](size_t k) { return tangents[k]; })) {
    if (term) sum = sum ? add(sum, term, s) : term;
  }
  if (!sum) return Arrays(1);
  return Arrays{astype(broadcast_like(sum, outputs[0], s), outputs[0].dtype(), s)};
}

std::optional<Op::Batched> Pointwise::vmap(const Arrays& inputs, const std::vector<int>& axes,
                                           const Stream& stream) const {
  return Batched{{apply(OpRef(this), align_batches(inputs, axes), stream)}, {0}};
}

// ---------------------------------------------------------------------------------------------
// Conversion, identity.

std::optional<Arrays> AsType::vjp(const Arrays& inputs, const Arrays& cotangents,
                                  const std::vector<int>&, const Arrays&) const {
  return Arrays{astype(cotangents[0], inputs[0].dtype())};
}
std::optional<Arrays> AsType::jvp(const Arrays&, const Arrays& tangents, const std::vector<int>&,
                                  const Arrays&) const {
  return Arrays{astype(tangents[0], dtype)};
}
std::optional<Op::Batched> AsType::vmap(const Arrays& inputs, const std::vector<int>& axes,
                                        const Stream& stream) const {
  return Batched{{astype(inputs[0], dtype, stream)}, axes};
}

Array astype(const Array& a, Dtype dtype, StreamOrDevice s) {
  if (a.dtype() == dtype) return a;
  return apply(make_op<AsType>(dtype), {a}, Aval{a.shape(), dtype}, to_stream(s));
}

std::optional<Arrays> StopGradient::vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                                        const Arrays&) const {
  return Arrays(1);
}
std::optional<Arrays> StopGradient::jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                                        const Arrays&) const {
  return Arrays(1);
}
std::optional<Op::Batched> StopGradient::vmap(const Arrays& inputs, const std::vector<int>& axes,
                                              const Stream& stream) const {
  return Batched{{stop_gradient(inputs[0], stream)}, axes};
}

Array stop_gradient(const Array& a, StreamOrDevice s) {
  return apply(make_op<StopGradient>(), {a}, Aval{a.shape(), a.dtype()}, to_stream(s));
}

Array identity(const Array& x, StreamOrDevice s) {
  return apply(make_op<Copy>(), {x}, Aval{x.shape(), x.dtype()}, to_stream(s));
}
std::optional<Op::Batched> Copy::vmap(const Arrays& inputs, const std::vector<int>& axes,
                                      const Stream& stream) const {
  return Batched{{identity(inputs[0], stream)}, axes};
}

// ---------------------------------------------------------------------------------------------
// One operand.

namespace {

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
const Pointwise& erf_op =
    pointwise("Erf", Code::erf).takes(Domain::inexact).partials({[](In x, Out, const Array& g) {
      // 2 / sqrt(pi) exp(-x^2)
      return multiply(multiply(g, constant(1.12837916709551257390, x[0])),
                      exp(negative(square(x[0]))));
    }});
const Pointwise& erfinv_op =
    pointwise("ErfInv", Code::erfinv)
        .takes(Domain::inexact)
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
const Pointwise& floor_op = pointwise("Floor", Code::floor);
const Pointwise& ceil_op = pointwise("Ceil", Code::ceil);
const Pointwise& round_op = pointwise("Round", Code::round);
const Pointwise& isnan_op = pointwise("IsNaN", Code::is_nan).gives(Result::boolean);
const Pointwise& isinf_op = pointwise("IsInf", Code::is_inf).gives(Result::boolean);
const Pointwise& logical_not_op = pointwise("LogicalNot", Code::logical_not).gives(Result::boolean);
const Pointwise& bitwise_invert_op = pointwise("BitwiseInvert", Code::bitwise_invert);
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
    throw std::invalid_argument("[negative] Not supported for bool, use logical_not instead.");
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
Array erf(const Array& a, StreamOrDevice s) {
  refuse_complex("erf", a);
  return apply_pointwise(erf_op, {a}, s);
}
Array erfinv(const Array& a, StreamOrDevice s) {
  refuse_complex("erfinv", a);
  return apply_pointwise(erfinv_op, {a}, s);
}
Array sigmoid(const Array& a, StreamOrDevice s) {
  refuse_complex("sigmoid", a);
  return apply_pointwise(sigmoid_op, {a}, s);
}
Array floor(const Array& a, StreamOrDevice s) {
  refuse_complex("floor", a);
  return is_inexact(a.dtype()) ? apply_pointwise(floor_op, {a}, s) : a;
}
Array ceil(const Array& a, StreamOrDevice s) {
  refuse_complex("ceil", a);
  return is_inexact(a.dtype()) ? apply_pointwise(ceil_op, {a}, s) : a;
}
Array trunc(const Array& a, StreamOrDevice s) {
  refuse_complex("trunc", a);
  if (!is_inexact(a.dtype())) return a;
  return where(less(a, constant(0, a), s), ceil(a, s), floor(a, s), s);
}
Array round(const Array& a, int decimals, StreamOrDevice s) {
  if (decimals == 0) return is_inexact(a.dtype()) ? apply_pointwise(round_op, {a}, s) : a;
  if (!is_inexact(a.dtype()) && decimals > 0) return a;
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
  if (is_inexact(a.dtype())) {
    throw std::invalid_argument(
        fmt::format("[bitwise_invert] Bitwise inverse only allowed on integer types, got {}.",
                    name_of(a.dtype())));
  }
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
    throw std::invalid_argument("[nan_to_num] Does not yet support given type: complex64.");
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

// ---------------------------------------------------------------------------------------------
// Two operands.

namespace {

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

// y x^(y-1), 0 where either factor is. Where both operands are small x^(y-1) may overflow and y
// vanish: there it is y / x x^y.
Array power_by_base(In x, Out y, const Array& g) {
  const Array &base = x[0], &exponent = x[1];
  const Array zero = constant(0, base), size = abs(base);
  const Array rest = power(base, subtract(exponent, constant(1, base)));
  Array slope = multiply(exponent, rest);
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
  const Array share = apply_pointwise(sigmoid_op, {subtract(a, b)}, {});
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
        .takes(Domain::inexact)
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
const Pointwise& bitwise_and_op = pointwise("BitwiseAnd", Code::bitwise_and);
const Pointwise& bitwise_or_op = pointwise("BitwiseOr", Code::bitwise_or);
const Pointwise& bitwise_xor_op = pointwise("BitwiseXor", Code::bitwise_xor);
const Pointwise& left_shift_op = pointwise("LeftShift", Code::left_shift);
const Pointwise& right_shift_op = pointwise("RightShift", Code::right_shift);

Array shift(const char* name, const Pointwise& op, const Array& a, const Array& b,
            StreamOrDevice s) {
  require_bits(name, a, b);
  Dtype t = promote_types(a.dtype(), b.dtype());
  if (is_bool(t)) t = uint8;
  return apply_pointwise(op, {astype(a, t, s), astype(b, t, s)}, s);
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
    throw std::invalid_argument("[remainder] Complex type not supported.");
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
  refuse_complex("arctan2", a);
  refuse_complex("arctan2", b);
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
  require_bits("bitwise_and", a, b);
  return apply_pointwise(bitwise_and_op, {a, b}, s);
}
Array bitwise_or(const Array& a, const Array& b, StreamOrDevice s) {
  require_bits("bitwise_or", a, b);
  return apply_pointwise(bitwise_or_op, {a, b}, s);
}
Array bitwise_xor(const Array& a, const Array& b, StreamOrDevice s) {
  require_bits("bitwise_xor", a, b);
  return apply_pointwise(bitwise_xor_op, {a, b}, s);
}
Array left_shift(const Array& a, const Array& b, StreamOrDevice s) {
  return shift("left_shift", left_shift_op, a, b, s);
}
Array right_shift(const Array& a, const Array& b, StreamOrDevice s) {
  return shift("right_shift", right_shift_op, a, b, s);
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
  if (!lower && !upper)
    throw std::invalid_argument("[clip] At least one of a_min and a_max is wanted.");
  Array out = a;
  if (lower) out = maximum(out, *lower, s);
  if (upper) out = minimum(out, *upper, s);
  return out;
}

}  // namespace heddle
