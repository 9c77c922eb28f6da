// Pointwise functions of the module, their aliases and array methods, and the constants.
#include "heddle/ops/pointwise.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "signature.h"

namespace heddle::python {
namespace {

using Unary = Array (*)(const Array&, StreamOrDevice);
using Binary = Array (*)(const Array&, const Array&, StreamOrDevice);

Array positive(const Array& a, StreamOrDevice) { return a; }

// How a function takes its stream.

struct UnaryFunction {
  const char* name;
  Unary op;
  const char* doc;
  StreamArg stream = StreamArg::keyword;
  bool method = false;
};

struct BinaryFunction {
  const char* name;
  Binary op;
  const char* doc;
  StreamArg stream = StreamArg::positional;
};

constexpr StreamArg positional = StreamArg::positional;
constexpr StreamArg keyword = StreamArg::keyword;
constexpr bool as_method = true;

constexpr const char* broadcast_note =
    " The operands broadcast against each other and are promoted to one dtype; a Python number "
    "takes the "
    "dtype of the array beside it. Raises ValueError for shapes that do not broadcast and for a "
    "number that "
    "does not fit the dtype.";
constexpr const char* inexact_note = " Integers and bools are taken as float32.";

constexpr UnaryFunction keeping[] = {
    {"abs", abs, "The absolute value of each element, in the same dtype; float32 for complex64.",
     keyword, as_method},
    {"sign", sign,
     "The sign of each element: -1, 0 or 1 in the same dtype; 0 for NaN; ``x / abs(x)`` for "
     "complex64."},
    {"negative", negative,
     "Each element negated, in the same dtype; unsigned integers wrap. Raises ValueError for "
     "bool."},
    {"positive", positive, "The array itself."},
    {"square", square, "The square of each element, in the same dtype.", keyword, as_method},
    {"floor", floor, "The largest integer not above each element, in the same dtype."},
    {"ceil", ceil, "The smallest integer not below each element, in the same dtype."},
    {"trunc", trunc, "Each element without its fraction, in the same dtype."},
    {"isnan", isnan, "Whether each element is NaN, as bool.", positional},
    {"isinf", isinf, "Whether each element is an infinity, as bool.", positional},
    {"isfinite", isfinite, "Whether each element is neither NaN nor an infinity, as bool.",
     positional},
    {"isposinf", isposinf, "Whether each element is positive infinity, as bool.", positional},
    {"isneginf", isneginf, "Whether each element is negative infinity, as bool.", positional},
    {"logical_not", logical_not, "Whether each element is zero, as bool."},
    {"bitwise_invert", bitwise_invert,
     "The bits of each integer flipped; the negation of each bool. Raises ValueError for floats.",
     positional},
    {"real", real, "The real part of each element: float32 for complex64, else the array itself."},
    {"imag", imag, "The imaginary part of each element; zeros for an array that is not complex."},
    {"conjugate", conjugate, "The complex conjugate of each element, in the same dtype."},
    {"conj", conjugate, "The complex conjugate of each element, in the same dtype.", keyword,
     as_method},
    {"stop_gradient", stop_gradient, "The array itself, through which no gradient flows."},
};

constexpr UnaryFunction inexact[] = {
    {"sqrt", sqrt, "The square root of each element; NaN below 0.", keyword, as_method},
    {"rsqrt", rsqrt, "One divided by the square root of each element.", keyword, as_method},
    {"reciprocal", reciprocal, "One divided by each element.", keyword, as_method},
    {"exp", exp, "e raised to each element.", keyword, as_method},
    {"exp2", exp2, "2 raised to each element."},
    {"expm1", expm1, "``exp(a) - 1`` for each element, accurate near 0."},
    {"log", log, "The natural logarithm of each element; -inf at 0, NaN below.", keyword,
     as_method},
    {"log2", log2, "The logarithm to base 2 of each element.", keyword, as_method},
    {"log10", log10, "The logarithm to base 10 of each element.", keyword, as_method},
    {"log1p", log1p, "``log(1 + a)`` for each element, accurate near 0.", keyword, as_method},
    {"sin", sin, "The sine of each element, an angle in radians.", keyword, as_method},
    {"cos", cos, "The cosine of each element, an angle in radians.", keyword, as_method},
    {"tan", tan, "The tangent of each element, an angle in radians."},
    {"arcsin", arcsin, "The inverse sine of each element, in radians; NaN outside [-1, 1]."},
    {"arccos", arccos, "The inverse cosine of each element, in radians; NaN outside [-1, 1]."},
    {"arctan", arctan, "The inverse tangent of each element, in radians."},
    {"asin", arcsin, "The inverse sine of each element, in radians; NaN outside [-1, 1]."},
    {"acos", arccos, "The inverse cosine of each element, in radians; NaN outside [-1, 1]."},
    {"atan", arctan, "The inverse tangent of each element, in radians."},
    {"sinh", sinh, "The hyperbolic sine of each element."},
    {"cosh", cosh, "The hyperbolic cosine of each element."},
    {"tanh", tanh, "The hyperbolic tangent of each element."},
    {"arcsinh", arcsinh, "The inverse hyperbolic sine of each element."},
    {"arccosh", arccosh, "The inverse hyperbolic cosine of each element; NaN below 1."},
    {"arctanh", arctanh, "The inverse hyperbolic tangent of each element; NaN outside [-1, 1]."},
    {"asinh", arcsinh, "The inverse hyperbolic sine of each element."},
    {"acosh", arccosh, "The inverse hyperbolic cosine of each element; NaN below 1."},
    {"atanh", arctanh, "The inverse hyperbolic tangent of each element; NaN outside [-1, 1]."},
    {"degrees", degrees, "Each element, an angle in radians, in degrees."},
    {"radians", radians, "Each element, an angle in degrees, in radians."},
    {"erf", erf, "The error function of each element."},
    {"erfinv", erfinv, "The inverse of the error function of each element; NaN outside [-1, 1]."},
    {"sigmoid", sigmoid, "The logistic function of each element, ``1 / (1 + exp(-a))``."},
};

constexpr BinaryFunction binary[] = {
    {"add", add, "The sum of two arrays, element by element."},
    {"subtract", subtract, "The difference of two arrays, element by element."},
    {"multiply", multiply, "The product of two arrays, element by element."},
    {"divide", divide, "The quotient of two arrays, element by element; float32 for integers."},
    {"floor_divide", floor_divide,
     "The quotient rounded down, element by element; 0 for an integer divided by 0."},
    {"remainder", remainder,
     "The remainder of :func:`floor_divide`, with the sign of the divisor. Raises ValueError for "
     "complex64."},
    {"power", power,
     "`a` raised to `b`, element by element; 0 for an integer and a negative exponent."},
    {"pow", power,
     "`a` raised to `b`, element by element; 0 for an integer and a negative exponent."},
    {"maximum", maximum, "The larger element of each pair; NaN if one is NaN.", keyword},
    {"minimum", minimum, "The smaller element of each pair; NaN if one is NaN.", keyword},
    {"logaddexp", logaddexp, "``log(exp(a) + exp(b))`` without overflow, element by element.",
     keyword},
    {"arctan2", arctan2, "The angle of the point (`b`, `a`) in radians, element by element.",
     keyword},
    {"atan2", arctan2, "The angle of the point (`b`, `a`) in radians, element by element.",
     keyword},
    {"equal", equal, "Whether the elements of each pair are equal, as bool."},
    {"not_equal", not_equal, "Whether the elements of each pair differ, as bool."},
    {"less", less, "Whether `a` is less than `b`, element by element, as bool."},
    {"less_equal", less_equal, "Whether `a` is at most `b`, element by element, as bool."},
    {"greater", greater, "Whether `a` is greater than `b`, element by element, as bool."},
    {"greater_equal", greater_equal, "Whether `a` is at least `b`, element by element, as bool."},
    {"logical_and", logical_and, "Whether both elements of each pair are nonzero, as bool.",
     keyword},
    {"logical_or", logical_or, "Whether one element of each pair is nonzero, as bool.", keyword},
    {"logical_xor", logical_xor, "Whether exactly one element of each pair is nonzero, as bool.",
     keyword},
    {"bitwise_and", bitwise_and,
     "The bits that both elements of each pair have. Wants integers or bools."},
    {"bitwise_or", bitwise_or,
     "The bits that one element of each pair has. Wants integers or bools."},
    {"bitwise_xor", bitwise_xor, "The bits in which each pair differs. Wants integers or bools."},
    {"left_shift", left_shift, "The bits of `a` moved up by `b`. Wants integers."},
    {"bitwise_left_shift", left_shift, "The bits of `a` moved up by `b`. Wants integers."},
    {"right_shift", right_shift, "The bits of `a` moved down by `b`. Wants integers."},
    {"bitwise_right_shift", right_shift, "The bits of `a` moved down by `b`. Wants integers."},
};

constexpr const char* operand = "array | bool | int | float | complex";

void bind_unary(nb::module_& m, const UnaryFunction& f, const char* note) {
  const nb::sig text = signature(f.name, fmt::format("a: {}, /", operand), "array", f.stream);
  const char* doc = keep(fmt::format("\n{}{}", f.doc, note));
  auto call = [op = f.op](nb::handle a, const StreamOrDevice& s) {
    return is_array(a) ? op(array_of(a), s) : op(to_operand(a), s);
  };
  if (f.stream == positional) {
    m.def(f.name, call, nb::arg(), "stream"_a = nb::none(), text, doc);
  } else {
    m.def(f.name, call, nb::arg(), nb::kw_only(), "stream"_a = nb::none(), text, doc);
  }
  if (f.method) {
    const char* see = keep(fmt::format("\nSee :func:`{}`.", f.name));
    array_class().def(
        f.name, [op = f.op](const Array& a, const StreamOrDevice& s) { return op(a, s); },
        nb::kw_only(), "stream"_a = nb::none(), see);
  }
}

void bind_binary(nb::module_& m, const BinaryFunction& f) {
  const bool free = f.stream == positional;
  const nb::sig text = signature(
      f.name, fmt::format("a: {0}, b: {0}{1}", operand, free ? "" : ", /"), "array", f.stream);
  const char* doc = keep(fmt::format("\n{}{}", f.doc, broadcast_note));
  auto call = [op = f.op](nb::handle a, nb::handle b, const StreamOrDevice& s) {
    if (is_array(a) && is_array(b)) return op(array_of(a), array_of(b), s);
    auto [x, y] = to_operands(a, b);
    return op(x, y, s);
  };
  if (free) {
    m.def(f.name, call, "a"_a, "b"_a, "stream"_a = nb::none(), text, doc);
  } else {
    m.def(f.name, call, nb::arg(), nb::arg(), nb::kw_only(), "stream"_a = nb::none(), text, doc);
  }
}

// Functions whose arguments are their own.
void bind_others(nb::module_& m) {
  m.def(
      "round",
      [](nb::handle a, int decimals, const StreamOrDevice& s) {
        return round(to_operand(a), decimals, s);
      },
      nb::arg(), "decimals"_a = 0, "stream"_a = nb::none(),
      signature("round", "a: array | bool | int | float | complex, /, decimals: int = 0", "array",
                StreamArg::positional),
      R"(
Each element rounded to a number of decimals, ties to even; integers stay as they are.)");
  array_class().def(
      "round",
      [](const Array& a, int decimals, const StreamOrDevice& s) { return round(a, decimals, s); },
      "decimals"_a = 0, nb::kw_only(), "stream"_a = nb::none(), "\nSee :func:`round`.");
  m.def(
      "nan_to_num",
      [](nb::handle a, float nan, std::optional<float> posinf, std::optional<float> neginf,
         const StreamOrDevice& s) { return nan_to_num(to_operand(a), nan, posinf, neginf, s); },
      "a"_a, "nan"_a = 0.0f, "posinf"_a = nb::none(), "neginf"_a = nb::none(), nb::kw_only(),
      "stream"_a = nb::none(),
      signature("nan_to_num",
                "a: array | bool | int | float, nan: float = 0, posinf: float | None = None, "
                "neginf: float | None = None"),
      R"(
The array with NaN and infinities replaced: by `nan`, `posinf` and `neginf`.

Without a value, infinities become the largest and smallest finite number of the dtype.
Raises ValueError for complex64.)");
  m.def(
      "isclose",
      [](nb::handle a, nb::handle b, double rtol, double atol, bool equal_nan,
         const StreamOrDevice& s) {
        auto [x, y] = to_operands(a, b);
        return isclose(x, y, rtol, atol, equal_nan, s);
      },
      nb::arg(), nb::arg(), "rtol"_a = 1e-5, "atol"_a = 1e-8, nb::kw_only(), "equal_nan"_a = false,
      "stream"_a = nb::none(),
      signature("isclose",
                "a: array, b: array, /, rtol: float = 1e-05, atol: float = 1e-08, *, equal_nan: "
                "bool = False"),
      R"(
Whether ``abs(a - b) <= atol + rtol * abs(b)``, element by element, as bool.

Infinities are close to equal ones only; NaNs to each other if `equal_nan` is true.)");
  m.def(
      "divmod",
      [](nb::handle a, nb::handle b, const StreamOrDevice& s) {
        auto [x, y] = to_operands(a, b);
        return divmod(x, y, s);
      },
      "a"_a, "b"_a, "stream"_a = nb::none(),
      signature("divmod", "a: array | bool | int | float, b: array | bool | int | float",
                "list[array]", StreamArg::positional),
      R"(
The list of :func:`floor_divide` and :func:`remainder` of two arrays.)");
  m.def(
      "where",
      [](nb::handle condition, nb::handle x, nb::handle y, const StreamOrDevice& s) {
        auto [a, b] = to_operands(x, y);
        return where(to_operand(condition), a, b, s);
      },
      nb::arg(), nb::arg(), nb::arg(), nb::kw_only(), "stream"_a = nb::none(),
      signature("where",
                "condition: array | bool, x: array | bool | int | float | complex, y: array | bool "
                "| int | float | complex, /"),
      R"(
Elements of `x` where `condition` is nonzero, else elements of `y`.

The three broadcast against each other; `x` and `y` are promoted to one dtype.
Raises ValueError for shapes that do not broadcast.)");
  m.def(
      "clip",
      [](const Array& a, nb::handle a_min, nb::handle a_max, const StreamOrDevice& s) {
        auto limit = [&](nb::handle v) {
          return v.is_none() ? std::nullopt : std::optional<Array>(to_operand(v, a.dtype()));
        };
        if (a_min.is_none() && a_max.is_none()) {
          throw std::invalid_argument("[clip] At most one of a_min and a_max may be None.");
        }
        return clip(a, limit(a_min), limit(a_max), s);
      },
      nb::arg(), nb::arg("a_min").none(), nb::arg("a_max").none(), nb::kw_only(),
      "stream"_a = nb::none(),
      signature("clip",
                "a: array, /, a_min: array | bool | int | float | None, a_max: array | bool | int "
                "| float | None"),
      R"(
Each element limited to the range from `a_min` to `a_max`; None leaves a side open. NaN stays.

The limits broadcast against the array and are promoted with it. Raises ValueError if both are None.)");
  m.def(
      "to_fp8", [](const Array& x, const StreamOrDevice& s) { return to_fp8(x, s); }, "x"_a,
      nb::kw_only(), "stream"_a = nb::none(), R"(
The elements as 8-bit floats (E4M3) in a uint8 array: to nearest, ties to even, at most 448 in size.

Raises ValueError unless the dtype is a real floating one.)");
  m.def(
      "from_fp8",
      [](const Array& x, Dtype dtype, const StreamOrDevice& s) { return from_fp8(x, dtype, s); },
      "x"_a, "dtype"_a = bfloat16, nb::kw_only(), "stream"_a = nb::none(), R"(
The numbers that a uint8 array holds as 8-bit floats (E4M3), in a real floating dtype.

Raises ValueError for another input dtype or another result.)");
  m.def(
      "astype",
      [](const Array& a, Dtype dtype, const StreamOrDevice& s) { return astype(a, dtype, s); },
      "a"_a, "dtype"_a, nb::kw_only(), "stream"_a = nb::none(), R"(
The elements converted to another dtype. Floats are truncated to integers, integers wrap.)");
}

}  // namespace

void bind_pointwise(nb::module_& m) {
  for (const auto& f : keeping) bind_unary(m, f, "");
  for (const auto& f : inexact) bind_unary(m, f, inexact_note);
  for (const auto& f : binary) bind_binary(m, f);
  bind_others(m);
  m.attr("pi") = 3.1415926535897932384626433;
  m.attr("e") = 2.71828182845904523536028747135266249775724709369995;
  m.attr("euler_gamma") = 0.5772156649015328606065120900824024310421;
  m.attr("inf") = std::numeric_limits<double>::infinity();
  m.attr("nan") = std::numeric_limits<double>::quiet_NaN();
  m.attr("newaxis") = nb::none();
}

}  // namespace heddle::python
