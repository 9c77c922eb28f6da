// Functions of double lanes that are rare enough for the C library.
#include <cmath>
#include <limits>
#include <numbers>

#include "cpu/tile/scalar_loops.h"

namespace heddle::cpu::tile {
namespace {

// The inverse of erf by Newton's iteration with Halley's correction, from Winitzki's closed
// estimate (2e-3). Near 1, where erf has no more bits, the equation is solved for erfc.
double erfinv(double x) {
  const double a = std::fabs(x);
  if (!(a < 1))
    return a == 1 ? std::copysign(std::numeric_limits<double>::infinity(), x) : std::nan("");
  if (a == 0) return x;
  const double l = std::log1p(-a * a);
  const double p = 2 / (std::numbers::pi * 0.147) + l / 2;
  // sqrt(p^2 - l / 0.147) - p without the cancellation for small x
  const double gap = -l / 0.147;
  double t = std::sqrt(gap / (std::sqrt(p * p + gap) + p));
  for (int i = 0; i < 3; i++) {
    const double error = a < 0.5 ? std::erf(t) - a : (1 - a) - std::erfc(t);
    const double step = error * (std::sqrt(std::numbers::pi) / 2) * std::exp(t * t);
    t -= step / (1 + t * step);
  }
  return std::copysign(t, x);
}

double logaddexp(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  const double larger = std::fmax(a, b), smaller = std::fmin(a, b);
  return std::isinf(larger) ? larger : larger + std::log1p(std::exp(smaller - larger));
}

double sigmoid(double x) {
  const double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

}  // namespace

void add_double_kernels(Kernels& k) {
  auto set = [&](Code code, Kernel kernel) { k.set(code, Lane::f64, kernel); };
  set(Code::expm1, unary_of<double>([](double x) { return std::expm1(x); }));
  set(Code::log2, unary_of<double>([](double x) { return std::log2(x); }));
  set(Code::log10, unary_of<double>([](double x) { return std::log10(x); }));
  set(Code::log1p, unary_of<double>([](double x) { return std::log1p(x); }));
  set(Code::sin, unary_of<double>([](double x) { return std::sin(x); }));
  set(Code::cos, unary_of<double>([](double x) { return std::cos(x); }));
  set(Code::tan, unary_of<double>([](double x) { return std::tan(x); }));
  set(Code::arcsin, unary_of<double>([](double x) { return std::asin(x); }));
  set(Code::arccos, unary_of<double>([](double x) { return std::acos(x); }));
  set(Code::arctan, unary_of<double>([](double x) { return std::atan(x); }));
  set(Code::sinh, unary_of<double>([](double x) { return std::sinh(x); }));
  set(Code::cosh, unary_of<double>([](double x) { return std::cosh(x); }));
  set(Code::tanh, unary_of<double>([](double x) { return std::tanh(x); }));
  set(Code::arcsinh, unary_of<double>([](double x) { return std::asinh(x); }));
  set(Code::arccosh, unary_of<double>([](double x) { return std::acosh(x); }));
  set(Code::arctanh, unary_of<double>([](double x) { return std::atanh(x); }));
  set(Code::erf, unary_of<double>([](double x) { return std::erf(x); }));
  set(Code::erfinv, unary_of<double>([](double x) { return erfinv(x); }));
  set(Code::sigmoid, unary_of<double>([](double x) { return sigmoid(x); }));
  set(Code::power, binary_of<double>([](double x, double y) { return std::pow(x, y); }));
  set(Code::logaddexp, binary_of<double>([](double x, double y) { return logaddexp(x, y); }));
  set(Code::arctan2, binary_of<double>([](double y, double x) { return std::atan2(y, x); }));
}

}  // namespace heddle::cpu::tile
