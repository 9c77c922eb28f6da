#include <limits>

#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/pointwise.h"

namespace heddle::convert::mlxfn {
namespace {

using Unary = Array (*)(const Array&, StreamOrDevice);
using Binary = Array (*)(const Array&, const Array&, StreamOrDevice);

Primitive unary(const char* name, Unary f) {
  return {name, {}, 1, 1, [f](const Reading& r) { return Arrays{f(r.in[0], r.stream)}; }};
}
Primitive binary(const char* name, Binary f) {
  return {name, {}, 2, 2, [f](const Reading& r) { return Arrays{f(r.in[0], r.in[1], r.stream)}; }};
}

// An operation with its primitive of the same name.
Spelling same(const char* name) {
  Spelling s{name, name};
  s.broadcasts = true;
  return s;
}
// An operation as one case of a primitive.
Spelling as(const char* op, const char* primitive, AttributeValue value) {
  Spelling s{op, primitive};
  s.state = [value](const Writing&) { return Values(1, value); };
  s.broadcasts = true;
  return s;
}
// An operation that MLX composes.
Spelling lowered(const char* op, std::function<Array(const Array&, const Stream&)> composition) {
  Spelling s{op};
  s.lower = [composition](const Op&, const Arrays& in, const Stream& stream) {
    return Arrays{composition(in[0], stream)};
  };
  return s;
}

Array all_bits(Dtype t) {
  if (is_bool(t)) return Array(true);
  return is_unsigned(t) ? bitwise_xor(Array(0, t), subtract(Array(0, t), Array(1, t)))
                        : Array(-1, t);
}

Array is_inf_composed(const Array& x, const Stream& s) {
  if (is_complex(x.dtype())) {
    return logical_or(is_inf_composed(real(x, s), s), is_inf_composed(imag(x, s), s), s);
  }
  if (!is_inexact(x.dtype())) return full_like(x, Array(false), bool_, s);
  return equal(abs(x, s), Array(std::numeric_limits<double>::infinity(), x.dtype()), s);
}

}  // namespace

Rows pointwise_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  for (auto [name, f] :
       std::initializer_list<std::pair<const char*, Unary>>{{"ArcCos", arccos},
                                                            {"ArcCosh", arccosh},
                                                            {"ArcSin", arcsin},
                                                            {"ArcSinh", arcsinh},
                                                            {"ArcTan", arctan},
                                                            {"ArcTanh", arctanh},
                                                            {"Ceil", ceil},
                                                            {"Conjugate", conjugate},
                                                            {"Cos", cos},
                                                            {"Cosh", cosh},
                                                            {"Erf", erf},
                                                            {"ErfInv", erfinv},
                                                            {"Exp", exp},
                                                            {"Floor", floor},
                                                            {"Imag", imag},
                                                            {"Log1p", log1p},
                                                            {"LogicalNot", logical_not},
                                                            {"Negative", negative},
                                                            {"Real", real},
                                                            {"Sigmoid", sigmoid},
                                                            {"Sign", sign},
                                                            {"Sin", sin},
                                                            {"Sinh", sinh},
                                                            {"Square", square},
                                                            {"Tan", tan},
                                                            {"Tanh", tanh},
                                                            {"StopGradient", stop_gradient},
                                                            {"Copy", identity}}) {
    p.push_back(unary(name, f));
    s.push_back(same(name));
  }
  // MLX's absolute value of a complex number is complex; a conversion follows.
  p.push_back(unary("Abs", [](const Array& a, StreamOrDevice st) { return abs(a, st); }));
  p.back().read = [](const Reading& r) {
    return Arrays{astype(abs(r.in[0], r.stream), r.recorded[0].dtype, r.stream)};
  };
  Spelling absolute{"Abs"};
  absolute.write = [](const Writing& w) -> std::vector<int> {
    const Aval x = w.to.aval(w.in[0]);
    if (!is_complex(x.dtype)) return emit(w, "Abs", {}, w.in, w.out);
    return {w.to.cast(emit_one(w, "Abs", {}, w.in, x), w.out[0].dtype)};
  };
  s.push_back(absolute);
  p.push_back(unary("Expm1", expm1));
  Spelling minus_one{"Expm1"};
  minus_one.write = [](const Writing& w) -> std::vector<int> {
    if (!is_complex(w.out[0].dtype)) return emit(w, "Expm1", {}, w.in, w.out);
    return w.to.compose(w.in, [](const Arrays& in) {
      return Arrays{subtract(exp(in[0]), Array(1, in[0].dtype()))};
    });
  };
  s.push_back(minus_one);
  p.push_back(unary("Round", [](const Array& a, StreamOrDevice st) { return round(a, 0, st); }));
  s.push_back(same("Round"));
  // Already broadcast to the shape that is to be filled.
  p.push_back(unary("Full", [](const Array& a, StreamOrDevice) { return a; }));

  for (auto [name, f] :
       std::initializer_list<std::pair<const char*, Binary>>{{"Add", add},
                                                             {"Subtract", subtract},
                                                             {"Multiply", multiply},
                                                             {"Divide", divide},
                                                             {"Remainder", remainder},
                                                             {"Power", power},
                                                             {"Maximum", maximum},
                                                             {"Minimum", minimum},
                                                             {"LogAddExp", logaddexp},
                                                             {"ArcTan2", arctan2},
                                                             {"NotEqual", not_equal},
                                                             {"Less", less},
                                                             {"LessEqual", less_equal},
                                                             {"Greater", greater},
                                                             {"GreaterEqual", greater_equal},
                                                             {"LogicalAnd", logical_and},
                                                             {"LogicalOr", logical_or},
                                                             {"FloorDivide", floor_divide}}) {
    p.push_back(binary(name, f));
    s.push_back(same(name));
  }
  p.back().written_since = {0, 32, 4};  // FloorDivide

  p.push_back(
      {"DivMod", {}, 2, 2, [](const Reading& r) { return divmod(r.in[0], r.in[1], r.stream); }});

  p.push_back({"Equal", {{"nan_equal", Kind::boolean}}, 2, 2, [](const Reading& r) {
                 return Arrays{(r.flag(0) ? equal_nan : equal)(r.in[0], r.in[1], r.stream)};
               }});
  s.push_back(as("Equal", "Equal", false));
  s.push_back(as("NaNEqual", "Equal", true));

  p.push_back({"Log", {{"base", Kind::choice, 3}}, 1, 1, [](const Reading& r) {
                 constexpr Unary functions[] = {log2, log10, log};
                 return Arrays{functions[r.integer(0)](r.in[0], r.stream)};
               }});
  s.push_back(as("Log2", "Log", int64_t{0}));
  s.push_back(as("Log10", "Log", int64_t{1}));
  s.push_back(as("Log", "Log", int64_t{2}));

  p.push_back({"Sqrt", {{"reciprocal", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return Arrays{(r.flag(0) ? rsqrt : sqrt)(r.in[0], r.stream)};
               }});
  s.push_back(as("Sqrt", "Sqrt", false));
  s.push_back(as("Rsqrt", "Sqrt", true));

  p.push_back({"BitwiseBinary", {{"operation", Kind::choice, 5}}, 2, 2, [](const Reading& r) {
                 constexpr Binary functions[] = {bitwise_and, bitwise_or, bitwise_xor, left_shift,
                                                 right_shift};
                 return Arrays{functions[r.integer(0)](r.in[0], r.in[1], r.stream)};
               }});
  int64_t operation = 0;
  for (const char* op : {"BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift"}) {
    s.push_back(as(op, "BitwiseBinary", operation++));
  }

  p.push_back({"Select", {}, 3, 3, [](const Reading& r) {
                 return Arrays{where(r.in[0], r.in[1], r.in[2], r.stream)};
               }});
  s.push_back(same("Select"));

  p.push_back({"AsType", {{"dtype", Kind::dtype}}, 1, 1, [](const Reading& r) {
                 return Arrays{astype(r.in[0], r.dtype(0), r.stream)};
               }});
  s.push_back({"AsType", "AsType", [](const Writing& w) { return Values{w.out[0].dtype}; }});

  // What MLX composes.
  s.push_back(lowered("Reciprocal", [](const Array& x, const Stream& st) {
    return divide(Array(1, x.dtype()), x, st);
  }));
  s.push_back(
      lowered("IsNaN", [](const Array& x, const Stream& st) { return not_equal(x, x, st); }));
  s.push_back(lowered("IsInf", is_inf_composed));
  s.push_back(lowered("BitwiseInvert", [](const Array& x, const Stream& st) {
    return bitwise_xor(x, all_bits(x.dtype()), st);
  }));
  return rows;
}

}  // namespace heddle::convert::mlxfn
