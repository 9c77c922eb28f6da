// What a pointwise function should give, one element at a time in double precision: the reference
// of the tile interpreter's tests. Not defined for complex operands.
//
// Arithmetic, and what double lanes compute by code of our own, is stated here. All else is what
// double lanes give, which is the C library's; tests/python holds them to exact numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "core/code.h"
#include "core/convert.h"
#include "core/view.h"
#include "cpu/tile/bytecode.h"
#include "cpu/tile/kernels.h"
#include "heddle/dtype.h"

namespace heddle::testing {

// Memory of one dtype, row-contiguous unless the caller looks at it through other strides.
struct Buffer {
  Dtype dtype;
  std::vector<unsigned char> bytes;

  Buffer(Dtype t, int64_t n) : dtype(t), bytes(static_cast<size_t>(n) * size_of(t)) {}
  void* data() { return bytes.data(); }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(bytes.data());
  }
  int64_t size() const { return static_cast<int64_t>(bytes.size() / size_of(dtype)); }
  double real(int64_t i) {
    return visit_dtype(dtype, [&](auto tag) -> double {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_same_v<T, complex64_t>) {
        return as<T>()[i].real();
      } else {
        return static_cast<double>(as<T>()[i]);
      }
    });
  }
  void set(int64_t i, double x) {
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_floating_point_v<T>) {
        as<T>()[i] = static_cast<T>(x);
      } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        as<T>()[i] = static_cast<T>(static_cast<int64_t>(x));
      } else if constexpr (std::is_same_v<T, bool>) {
        as<T>()[i] = x != 0;
      } else {
        as<T>()[i] = T(to_odd_float(x));  // rounded once
      }
    });
  }
  View view(const Shape& shape) { return {data(), dtype, shape, row_major_strides(shape)}; }
  View flat() { return view(Shape{size()}); }
};

// One instruction as a program.
inline cpu::tile::Bytecode single(Code code, Dtype from, Dtype to) {
  cpu::tile::Bytecode p;
  const int n = arity_of(code);
  for (int i = 0; i < n; i++) p.inputs.push_back(n == 3 && i == 0 ? bool_ : from);
  const auto dst = static_cast<cpu::tile::Register>(n);
  p.code = {
      {code, from, to, dst, 0, static_cast<uint16_t>(n > 1), static_cast<uint16_t>(n > 2 ? 2 : 0)}};
  p.outputs = {{dst, to}};
  p.registers = n + 1;
  return p;
}

inline constexpr Dtype all_dtypes[] = {bool_,   uint8,   uint16,   uint32,   uint64,
                                       int8,    int16,   int32,    int64,    float16,
                                       float32, float64, bfloat16, complex64};

// The result of one instruction on whole buffers.
inline Buffer apply(Code code, Dtype from, Dtype to, std::vector<Buffer*> inputs) {
  const cpu::tile::Bytecode p = single(code, from, to);
  Buffer out(to, inputs[0]->size());
  std::vector<View> views;
  for (Buffer* b : inputs) views.push_back(b->flat());
  const View result = out.flat();
  cpu::tile::run(p, result.shape, views.data(), &result);
  return out;
}

inline double reference_erfinv(double y) {
  if (!(std::fabs(y) <= 1)) return std::nan("");
  if (std::fabs(y) == 1) return std::copysign(std::numeric_limits<double>::infinity(), y);
  if (std::fabs(y) < 1e-9) return y * 0.88622692545275801365;  // sqrt(pi) / 2
  double low = 0, high = 6.5;                                  // bisection: slow and sure
  const double a = std::fabs(y);
  for (int i = 0; i < 200; i++) {
    const double t = (low + high) / 2;
    (a < 0.5 ? std::erf(t) < a : std::erfc(t) > 1 - a) ? low = t : high = t;
  }
  return std::copysign((low + high) / 2, y);
}

inline double reference_logaddexp(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return std::nan("");
  const double m = std::fmax(x, y), l = std::fmin(x, y);
  return std::isinf(m) ? m : m + std::log1p(std::exp(l - m));
}

// A number for each operand, in double lanes.
inline double in_double_lanes(Code c, double x, double y) {
  namespace tile = cpu::tile;
  const tile::Kernel kernel =
      tile::kernels().compute[static_cast<int>(c)][static_cast<int>(tile::Lane::f64)];
  if (kernel == nullptr) throw std::logic_error("there is no such function of double lanes");
  alignas(64) double a[tile::block] = {x}, b[tile::block] = {y}, out[tile::block] = {};
  kernel(a, b, nullptr, out, 1);
  return out[0];
}

// Real functions of real operands; truth values as 0 and 1.
inline double reference(Code c, double x, double y = 0, double z = 0) {
  switch (c) {
    case Code::copy:
      return x;
    case Code::abs:
      return std::fabs(x);
    case Code::negative:
      return -x;
    case Code::sign:
      return x == x ? (x > 0) - (x < 0) : x;
    case Code::square:
      return x * x;
    case Code::sqrt:
      return std::sqrt(x);
    case Code::rsqrt:
      return 1 / std::sqrt(x);
    case Code::reciprocal:
      return 1 / x;
    case Code::exp:
      return std::exp(x);
    case Code::log:
      return std::log(x);
    case Code::erfinv:
      return reference_erfinv(x);
    case Code::sigmoid:
      return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
    case Code::floor:
      return std::floor(x);
    case Code::ceil:
      return std::ceil(x);
    case Code::round:
      return std::nearbyint(x);
    case Code::is_nan:
      return std::isnan(x);
    case Code::is_inf:
      return std::isinf(x);
    case Code::logical_not:
      return x == 0;
    case Code::add:
      return x + y;
    case Code::subtract:
      return x - y;
    case Code::multiply:
      return x * y;
    case Code::divide:
      return x / y;
    case Code::floor_divide:
      return std::floor(x / y);
    case Code::remainder: {
      const double r = std::fmod(x, y);
      return r != 0 && (r < 0) != (y < 0) ? r + y : r;
    }
    case Code::power:
      return std::pow(x, y);
    case Code::maximum:
      return std::isnan(x) || std::isnan(y) ? std::nan("") : std::fmax(x, y);
    case Code::minimum:
      return std::isnan(x) || std::isnan(y) ? std::nan("") : std::fmin(x, y);
    case Code::logaddexp:
      return reference_logaddexp(x, y);
    case Code::equal:
      return x == y;
    case Code::not_equal:
      return x != y;
    case Code::less:
      return x < y;
    case Code::less_equal:
      return x <= y;
    case Code::greater:
      return x > y;
    case Code::greater_equal:
      return x >= y;
    case Code::equal_nan:
      return x == y || (std::isnan(x) && std::isnan(y));
    case Code::logical_and:
      return x != 0 && y != 0;
    case Code::logical_or:
      return x != 0 || y != 0;
    case Code::select:
      return x != 0 ? y : z;
    default:
      return in_double_lanes(c, x, y);
  }
}

inline bool gives_bool(Code c) {
  return c == Code::is_nan || c == Code::is_inf || c == Code::logical_not ||
         (c >= Code::equal && c <= Code::logical_or);
}

// The functions of so many operands that a lane has, but for those that are named.
inline std::vector<Code> codes_of(cpu::tile::Lane lane, int arity,
                                  std::initializer_list<Code> others = {}) {
  std::vector<Code> found;
  for (int c = 0; c < code_count; c++) {
    const Code code = static_cast<Code>(c);
    if (arity_of(code) == arity && cpu::tile::kernels().compute[c][static_cast<int>(lane)] &&
        std::find(others.begin(), others.end(), code) == others.end()) {
      found.push_back(code);
    }
  }
  return found;
}

}  // namespace heddle::testing
