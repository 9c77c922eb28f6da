// Exponentials, logarithms and their relatives: float lanes, and exp and log of double lanes, by
// polynomials; what is left of double lanes, which is rare, by the C library.
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile/kernels_exponential.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "cpu/tile/loops-inl.h"
#include "cpu/tile/math-inl.h"
#include "cpu/tile/scalar_loops.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {

// clang-format off
struct Exp { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return exp(d, x); } };
struct Expm1 { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return expm1(d, x); } };
struct Log { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log(d, x); } };
struct Log2 { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log2(d, x); } };
struct Log10 { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log10(d, x); } };
struct Log1p { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log1p(d, x); } };
struct Sinh { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return sinh(d, x); } };
struct Cosh { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return cosh(d, x); } };
struct Tanh { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return tanh(d, x); } };
struct Arcsinh { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return arcsinh(d, x); } };
struct Arccosh { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return arccosh(d, x); } };
struct Arctanh { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return arctanh(d, x); } };
struct Erf { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return erf(d, x); } };
struct Erfinv { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return erfinv(d, x); } };
struct Sigmoid { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return sigmoid(d, x); } };
struct Logaddexp { template <class D, class V> HWY_INLINE V operator()(D d, V a, V b) const { return logaddexp(d, a, b); } };
struct Exp64 { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return exp64(d, x); } };
struct Log64 { template <class D, class V> HWY_INLINE V operator()(D d, V x) const { return log64(d, x); } };
// clang-format on

// 2^x = 2^n exp((x - n) ln 2) for the integer n nearest to x.
struct Exp2 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V bounded = at_least(d, -151.0f, at_most(d, 129.0f, x)), n = hn::Round(bounded);
    const V r = hn::Mul(hn::Sub(bounded, n), hn::Set(d, 0.693147181f));
    return scale(d, exp_of_reduced(d, r), n);
  }
};

// Float power computed in double: y log2(x) needs more bits than float has.
void power_loop(const void* a, const void* b, const void*, void* out, int n) {
  const float* x = static_cast<const float*>(a);
  const float* y = static_cast<const float*>(b);
  float* z = static_cast<float*>(out);
  const Tag<double> d;
  const hn::Rebind<float, Tag<double>> half;
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    const auto base = hn::PromoteTo(d, hn::LoadU(half, x + i));
    const auto exponent = hn::PromoteTo(d, hn::LoadU(half, y + i));
    const auto power = pow64(d, base, exponent);
    if constexpr (emulated) {
      double lanes[block];
      hn::StoreU(power, d, lanes);
      for (size_t j = 0; j < hn::Lanes(d); j++)
        z[static_cast<size_t>(i) + j] = static_cast<float>(lanes[j]);
    } else {
      hn::StoreU(hn::DemoteTo(half, power), half, z + i);
    }
  }
}

void add_exponential(Kernels& k) {
  k.set(Code::exp, Lane::f32, unary_loop<float, Exp>);
  k.set(Code::exp2, Lane::f32, unary_loop<float, Exp2>);
  k.set(Code::expm1, Lane::f32, unary_loop<float, Expm1>);
  k.set(Code::log, Lane::f32, unary_loop<float, Log>);
  k.set(Code::log2, Lane::f32, unary_loop<float, Log2>);
  k.set(Code::log10, Lane::f32, unary_loop<float, Log10>);
  k.set(Code::log1p, Lane::f32, unary_loop<float, Log1p>);
  k.set(Code::sinh, Lane::f32, unary_loop<float, Sinh>);
  k.set(Code::cosh, Lane::f32, unary_loop<float, Cosh>);
  k.set(Code::tanh, Lane::f32, unary_loop<float, Tanh>);
  k.set(Code::arcsinh, Lane::f32, unary_loop<float, Arcsinh>);
  k.set(Code::arccosh, Lane::f32, unary_loop<float, Arccosh>);
  k.set(Code::arctanh, Lane::f32, unary_loop<float, Arctanh>);
  k.set(Code::erf, Lane::f32, unary_loop<float, Erf>);
  k.set(Code::erfinv, Lane::f32, unary_loop<float, Erfinv>);
  k.set(Code::sigmoid, Lane::f32, unary_loop<float, Sigmoid>);
  k.set(Code::logaddexp, Lane::f32, binary_loop<float, Logaddexp>);
  k.set(Code::power, Lane::f32, power_loop);
  k.set(Code::exp, Lane::f64, unary_loop<double, Exp64>);
  k.set(Code::log, Lane::f64, unary_loop<double, Log64>);
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu::tile {
HWY_EXPORT(add_exponential);
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

void add_exponential_kernels(Kernels& k) {
  HWY_DYNAMIC_DISPATCH(add_exponential)(k);
  auto set = [&](Code code, Kernel kernel) { k.set(code, Lane::f64, kernel); };
  set(Code::exp2, unary_of<double>([](double x) { return std::exp2(x); }));
  set(Code::expm1, unary_of<double>([](double x) { return std::expm1(x); }));
  set(Code::log2, unary_of<double>([](double x) { return std::log2(x); }));
  set(Code::log10, unary_of<double>([](double x) { return std::log10(x); }));
  set(Code::log1p, unary_of<double>([](double x) { return std::log1p(x); }));
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
}
}  // namespace heddle::cpu::tile
#endif
