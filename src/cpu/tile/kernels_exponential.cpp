// Exponentials, logarithms and their relatives: float lanes, exp, log and power of double lanes.
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile/kernels_exponential.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "cpu/tile/loops-inl.h"
#include "cpu/tile/math-inl.h"

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
void add_exponential_kernels(Kernels& k) { HWY_DYNAMIC_DISPATCH(add_exponential)(k); }
}  // namespace heddle::cpu::tile
#endif
