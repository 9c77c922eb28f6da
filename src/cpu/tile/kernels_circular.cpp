// sin, cos, tan and their inverses: float lanes by polynomials, double lanes, which are rare, by
// the C library.
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile/kernels_circular.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "cpu/tile/loops-inl.h"
#include "cpu/tile/math-inl.h"
#include "cpu/tile/scalar_loops.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {

// sin and cos of x = q pi/2 + r, |r| <= pi/4 (and a little): pi/2 is subtracted in three parts with
// fused operations, which is exact enough while q has no more bits than its parts leave: up to
// `reducible`. Beyond (and without fused operations) the C library reduces in double.
constexpr float reducible = 1e5f;

template <class V, class VI>
struct Quarter {
  V sin, cos;  // of r
  VI q;
};
template <class D, class V>
HWY_INLINE auto sin_cos_of_rest(D d, V x) {
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 0.636619772f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0x1.921fb6p+0f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -0x1.777a5cp-25f), r);
  r = hn::NegMulAdd(n, hn::Set(d, -0x1.ee59dap-50f), r);
  const V z = hn::Mul(r, r);
  const V s =
      polynomial(d, z, -0.1666666664f, 0.008333329056f, -0.0001983923266f, 2.717366705e-06f);
  const V c = polynomial(d, z, 0.04166664437f, -0.001388725148f, 2.442568153e-05f);
  const V sin = hn::MulAdd(hn::Mul(r, z), s, r);
  const V cos = hn::MulAdd(hn::Mul(z, z), c, hn::NegMulAdd(z, hn::Set(d, 0.5f), hn::Set(d, 1.0f)));
  const hn::RebindToSigned<D> di;
  const auto q = hn::ConvertTo(di, n);
  return Quarter<V, decltype(q)>{sin, cos, q};
}

template <class D, class VI>
HWY_INLINE auto is_odd(D d, VI q) {
  const hn::RebindToSigned<D> di;
  return hn::RebindMask(d, hn::Ne(hn::And(q, hn::Set(di, 1)), hn::Zero(di)));
}
// Bit 1 of q as a sign.
template <class D, class VI>
HWY_INLINE hn::Vec<D> sign_of_half_turn(D d, VI q) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<30>(hn::And(q, hn::Set(di, 2))));
}

// The reduction loses the sign of zero.
template <class D, class V>
HWY_INLINE V keep_zero(D d, V x, V y) {
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);
}

struct Sin {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto p = sin_cos_of_rest(d, x);
    const V y = hn::IfThenElse(is_odd(d, p.q), p.cos, p.sin);
    return keep_zero(d, x, hn::Xor(y, sign_of_half_turn(d, p.q)));
  }
  static float exact(float x) { return static_cast<float>(std::sin(static_cast<double>(x))); }
};
struct Cos {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto p = sin_cos_of_rest(d, x);
    const V y = hn::IfThenElse(is_odd(d, p.q), p.sin, p.cos);
    const hn::RebindToSigned<D> di;
    return hn::Xor(y, sign_of_half_turn(d, hn::Add(p.q, hn::Set(di, 1))));
  }
  static float exact(float x) { return static_cast<float>(std::cos(static_cast<double>(x))); }
};
struct Tan {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto p = sin_cos_of_rest(d, x);
    const auto odd = is_odd(d, p.q);
    return keep_zero(
        d, x,
        hn::Div(hn::IfThenElse(odd, hn::Neg(p.cos), p.sin), hn::IfThenElse(odd, p.sin, p.cos)));
  }
  static float exact(float x) { return static_cast<float>(std::tan(static_cast<double>(x))); }
};

template <class F>
void circular_loop(const void* a, const void*, const void*, void* out, int n) {
  const Tag<float> d;
  const float* x = static_cast<const float*>(a);
  float* y = static_cast<float*>(out);
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int i = 0; i < n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    const auto inside = hn::Lt(hn::Abs(v), hn::Set(d, reducible));
    if (!emulated && HWY_LIKELY(hn::AllTrue(d, inside))) {
      hn::StoreU(F{}(d, v), d, y + i);
      continue;
    }
    // Only the lanes that need it: an element's value must not depend on its neighbours.
    HWY_ALIGN float kept[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(v, d, kept);
    hn::StoreU(F{}(d, hn::IfThenElseZero(inside, v)), d, y + i);
    for (int j = 0; j < lanes; j++) {
      if (emulated || !(std::fabs(kept[j]) < reducible)) y[i + j] = F::exact(kept[j]);
    }
  }
}

// s + s z P(z) with z = s^2 <= 1/4 (2.8e-10).
template <class D, class V>
HWY_INLINE V arcsin_core(D d, V s, V z) {
  const V p = polynomial(d, z, 0.1666665999f, 0.07500504186f, 0.04451695475f, 0.03180772276f,
                         0.01443858683f, 0.03751647685f);
  return hn::MulAdd(hn::Mul(s, z), p, s);
}

// Above 1/2: arcsin(a) = pi/2 - 2 arcsin(sqrt((1 - a) / 2)).
struct Arcsin {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V a = hn::Abs(x), half = hn::Set(d, 0.5f);
    const auto large = hn::Gt(a, half);
    const V folded = hn::NegMulAdd(a, half, half);
    const V z = hn::IfThenElse(large, folded, hn::Mul(a, a));
    const V y = arcsin_core(d, hn::IfThenElse(large, hn::Sqrt(folded), a), z);
    const V unfolded = hn::Sub(hn::Set(d, 1.57079633f), hn::Add(y, y));
    return hn::CopySign(hn::IfThenElse(large, unfolded, y), x);
  }
};
// arccos(x) = pi/2 - arcsin(x) near 0, 2 arcsin(sqrt((1 - x) / 2)) above 1/2, pi - arccos(-x)
// below.
struct Arccos {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V a = hn::Abs(x), half = hn::Set(d, 0.5f);
    const auto large = hn::Gt(a, half);
    const V folded = hn::NegMulAdd(a, half, half);
    const V z = hn::IfThenElse(large, folded, hn::Mul(a, a));
    const V y = arcsin_core(d, hn::IfThenElse(large, hn::Sqrt(folded), a), z);
    const V twice = hn::Add(y, y);
    const V outer =
        hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Sub(hn::Set(d, 3.14159265f), twice), twice);
    const V inner = hn::Sub(hn::Set(d, 1.57079633f), hn::CopySign(y, x));
    return hn::IfThenElse(large, outer, inner);
  }
};

// arctan(t) for 0 <= t <= 1 (2.6e-9).
template <class D, class V>
HWY_INLINE V arctan_core(D d, V t) {
  const V z = hn::Mul(t, t);
  const V p = polynomial(d, z, -0.3333329909f, 0.1999854828f, -0.1426424169f, 0.1095218581f,
                         -0.08403450408f, 0.05795759471f, -0.03117784679f, 0.01091460616f,
                         -0.001793621782f);
  return hn::MulAdd(hn::Mul(t, z), p, t);
}

struct Arctan {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V a = hn::Abs(x), one = hn::Set(d, 1.0f);
    const auto large = hn::Gt(a, one);
    const V y = arctan_core(d, hn::IfThenElse(large, hn::Div(one, a), a));
    const V unfolded = hn::Sub(hn::Set(d, 1.57079633f), y);
    return hn::CopySign(hn::IfThenElse(large, unfolded, y), x);
  }
};
// The angle of the point (x, y), with the C function's values on the axes and at infinity.
struct Arctan2 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V x) const {
    const V ax = hn::Abs(x), ay = hn::Abs(y);
    const auto steep = hn::Gt(ay, ax);
    const V less = hn::IfThenElse(steep, ax, ay), more = hn::IfThenElse(steep, ay, ax);
    V t = hn::Div(less, more);
    t = hn::IfThenElse(hn::Eq(more, hn::Zero(d)), more, t);
    t = hn::IfThenElse(hn::Eq(less, infinity(d)), hn::Set(d, 1.0f), t);
    V r = arctan_core(d, t);
    r = hn::IfThenElse(steep, hn::Sub(hn::Set(d, 1.57079633f), r), r);
    const auto left = hn::Lt(hn::CopySign(hn::Set(d, 1.0f), x), hn::Zero(d));
    r = hn::IfThenElse(left, hn::Sub(hn::Set(d, 3.14159265f), r), r);
    const auto nan = hn::Or(hn::IsNaN(x), hn::IsNaN(y));
    return hn::IfThenElse(nan, hn::Add(x, y), hn::CopySign(r, y));
  }
};

void add_circular(Kernels& k) {
  k.set(Code::sin, Lane::f32, circular_loop<Sin>);
  k.set(Code::cos, Lane::f32, circular_loop<Cos>);
  k.set(Code::tan, Lane::f32, circular_loop<Tan>);
  k.set(Code::arcsin, Lane::f32, unary_loop<float, Arcsin>);
  k.set(Code::arccos, Lane::f32, unary_loop<float, Arccos>);
  k.set(Code::arctan, Lane::f32, unary_loop<float, Arctan>);
  k.set(Code::arctan2, Lane::f32, binary_loop<float, Arctan2>);
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu::tile {
HWY_EXPORT(add_circular);
void add_circular_kernels(Kernels& k) {
  HWY_DYNAMIC_DISPATCH(add_circular)(k);
  auto set = [&](Code code, Kernel kernel) { k.set(code, Lane::f64, kernel); };
  set(Code::sin, unary_of<double>([](double x) { return std::sin(x); }));
  set(Code::cos, unary_of<double>([](double x) { return std::cos(x); }));
  set(Code::tan, unary_of<double>([](double x) { return std::tan(x); }));
  set(Code::arcsin, unary_of<double>([](double x) { return std::asin(x); }));
  set(Code::arccos, unary_of<double>([](double x) { return std::acos(x); }));
  set(Code::arctan, unary_of<double>([](double x) { return std::atan(x); }));
  set(Code::arctan2, binary_of<double>([](double y, double x) { return std::atan2(y, x); }));
}
}  // namespace heddle::cpu::tile
#endif
