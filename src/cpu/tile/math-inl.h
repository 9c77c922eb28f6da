// Elementary functions of float vectors, and exp and log of double vectors, by argument reduction
// and polynomials. The coefficients are minimax fits of our own (relative error of the function,
// Lawson's iteration in double precision); the error of each fit stands beside it.
// Included once per target, like loops-inl.h.
#if defined(HEDDLE_TILE_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_TILE_MATH_INL_H_
#undef HEDDLE_TILE_MATH_INL_H_
#else
#define HEDDLE_TILE_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <initializer_list>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using TOf = hn::TFromD<D>;

template <class D>
HWY_INLINE hn::Vec<D> infinity(D d) {
  return hn::Set(d, std::numeric_limits<TOf<D>>::infinity());
}
template <class D>
HWY_INLINE hn::Vec<D> not_a_number(D d) {
  return hn::Set(d, std::numeric_limits<TOf<D>>::quiet_NaN());
}

// c0 + c1 x + c2 x^2 + ... by Horner's rule, unrolled at compile time.
template <class D, class V>
HWY_INLINE V polynomial(D d, V, TOf<D> c0) {
  return hn::Set(d, c0);
}
template <class D, class V, class... Rest>
HWY_INLINE V polynomial(D d, V x, TOf<D> c0, Rest... rest) {
  return hn::MulAdd(polynomial(d, x, static_cast<TOf<D>>(rest)...), x, hn::Set(d, c0));
}

// min(bound, x) and max(bound, x) that give NaN for NaN. x86's instructions give their second
// operand then.
template <class D, class V>
HWY_INLINE V at_most(D d, TOf<D> bound, V x) {
  const V limit = hn::Set(d, bound);
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::Min(limit, x);
#else
  return hn::IfThenElse(hn::Gt(x, limit), limit, x);
#endif
}
template <class D, class V>
HWY_INLINE V at_least(D d, TOf<D> bound, V x) {
  const V limit = hn::Set(d, bound);
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::Max(limit, x);
#else
  return hn::IfThenElse(hn::Lt(x, limit), limit, x);
#endif
}

// --- 2^n
// ---------------------------------------------------------------------------------------------

// 2^n for integers n in the exponent range of normal numbers.
template <class D, class VI>
HWY_INLINE hn::Vec<D> power_of_two(D d, VI n) {
  const hn::RebindToSigned<D> di;
  constexpr int mantissa = sizeof(TOf<D>) == 4 ? 23 : 52;
  constexpr int bias = sizeof(TOf<D>) == 4 ? 127 : 1023;
  return hn::BitCast(d, hn::ShiftLeft<mantissa>(hn::Add(n, hn::Set(di, bias))));
}

// x * 2^n for an integral n of up to twice the exponent range, rounded once: results may overflow
// or be subnormal.
template <class D, class V>
HWY_INLINE V scale(D d, V x, V n) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (sizeof(TOf<D>) == 4) {
    return V{_mm512_scalef_ps(x.raw, n.raw)};
  } else {
    return V{_mm512_scalef_pd(x.raw, n.raw)};
  }
#else
  const hn::RebindToSigned<D> di;
  const auto whole = hn::ConvertTo(di, n);
  const auto half = [&] {
    if constexpr (sizeof(TOf<D>) == 4) {
      return hn::ShiftRight<1>(whole);
    } else {
      return hn::ConvertTo(di, hn::Floor(hn::Mul(n, hn::Set(d, 0.5))));
    }
  }();
  return hn::Mul(hn::Mul(x, power_of_two(d, half)), power_of_two(d, hn::Sub(whole, half)));
#endif
}

// --- exponentials, float
// -----------------------------------------------------------------------------

// x = n ln 2 + r with |r| <= ln(2) / 2 (and a little) and integral n. The high part of ln 2 has 15
// bits, so that n * high is exact without fused operations too.
template <class V>
struct Reduced {
  V n, r;
};
template <class D, class V>
HWY_INLINE Reduced<V> reduce_by_ln2(D d, V x) {
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693145752f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);
  return {n, r};
}

// exp(r) for a reduced argument (3.3e-9).
template <class D, class V>
HWY_INLINE V exp_of_reduced(D d, V r) {
  const V q = polynomial(d, r, 0.4999999305f, 0.1666651479f, 0.04166845679f, 0.008369418836f,
                         0.00138131445f);
  return hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), hn::Set(d, 1.0f));
}

// exp(x) * 2^bias, |bias| small.
template <class D, class V>
HWY_INLINE V exp_scaled(D d, V x, float bias) {
  const V bounded = at_least(d, -104.5f, at_most(d, 90.0f, x));
  const auto [n, r] = reduce_by_ln2(d, bounded);
  return scale(d, exp_of_reduced(d, r), bias == 0 ? n : hn::Add(n, hn::Set(d, bias)));
}

template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  return exp_scaled(d, x, 0.0f);
}

// exp(x) for x in [-87, 88] only: no bounds, no subnormal results.
template <class D, class V>
HWY_INLINE V exp_inside(D d, V x) {
  const auto [n, r] = reduce_by_ln2(d, x);
  const hn::RebindToSigned<D> di;
  return hn::Mul(exp_of_reduced(d, r), power_of_two(d, hn::ConvertTo(di, n)));
}

// exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), halved so that 2^n does not overflow before the
// result.
template <class D, class V>
HWY_INLINE V expm1(D d, V x) {
  const V bounded = at_least(d, -18.0f, at_most(d, 88.8f, x));
  const auto [n, r] = reduce_by_ln2(d, bounded);
  const V q = polynomial(d, r, 0.5000000047f, 0.1666666635f, 0.04166634871f, 0.008333391637f,
                         0.001394165252f, 0.0001984595823f);  // 2.6e-10
  const V p = hn::MulAdd(hn::Mul(r, r), q, r);
  const hn::RebindToSigned<D> di;
  const V s = power_of_two(d, hn::Sub(hn::ConvertTo(di, n), hn::Set(di, 1)));
  const V half = hn::MulAdd(s, p, hn::Sub(s, hn::Set(d, 0.5f)));
  const auto tiny =
      hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-25f));  // keeps subnormals and the zero's sign
  return hn::IfThenElse(tiny, x, hn::Add(half, half));
}

template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = exp(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  const V e = expm1(d, hn::Mul(hn::Abs(x), hn::Set(d, -2.0f)));
  return hn::CopySign(hn::Div(e, hn::Add(e, hn::Set(d, 2.0f))), x);
}

template <class D, class V>
HWY_INLINE V sinh(D d, V x) {
  const V a = hn::Abs(x);
  const V e = expm1(d, a);
  const V small = hn::Mul(hn::Set(d, 0.5f), hn::Add(e, hn::Div(e, hn::Add(e, hn::Set(d, 1.0f)))));
  const V large = exp_scaled(d, a, -1.0f);  // beyond 10 the other half is below the last bit
  return hn::CopySign(hn::IfThenElse(hn::Gt(a, hn::Set(d, 10.0f)), large, small), x);
}

template <class D, class V>
HWY_INLINE V cosh(D d, V x) {
  const V half = exp_scaled(d, hn::Abs(x), -1.0f);
  return hn::Add(half, hn::Div(hn::Set(d, 0.25f), half));
}

// erf: x + x P(x^2) below 1 (1.2e-9), 1 - exp(-Q(|x|)) above (1.4e-9); 1 in float from 4 on.
template <class D, class V>
HWY_INLINE V erf(D d, V x) {
  const V a = hn::Abs(x);
  const V z = hn::Mul(x, x);
  const V p = polynomial(d, z, 0.1283791657f, -0.3761262582f, 0.1128358515f, -0.02685381193f,
                         0.005188327677f, -0.0008010193545f, 7.853861091e-05f);
  const V q = polynomial(d, at_most(d, 4.0f, a), 0.0002447230006f, 1.127474945f, 0.6375170809f,
                         0.1036402592f, -0.02208760853f, 0.003008528504f, -0.0001924251215f);
  const V large = hn::Sub(hn::Set(d, 1.0f), exp_inside(d, hn::Neg(q)));
  const V small = hn::MulAdd(x, p, x);
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 1.0f)), small, hn::CopySign(large, x));
}

// --- logarithms, float
// -------------------------------------------------------------------------------

// x = 2^e m with m in [sqrt(1/2), sqrt(2)), for normal positive x: `f` is m - 1.
template <class V>
struct Logarithm {
  V e, f;
};
template <class D, class V>
HWY_INLINE Logarithm<V> split_exponent(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto bits = hn::BitCast(di, x);
  const auto e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));  // sqrt(1/2)
  const V m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(e)));
  return {hn::ConvertTo(d, e), hn::Sub(m, hn::Set(d, 1.0f))};
}

// log(1 + f) - f on the interval of split_exponent (6.0e-9 of log(1 + f)).
template <class D, class V>
HWY_INLINE V log1p_less_f(D d, V f) {
  const V p = polynomial(d, f, 0.333333312f, -0.2500083796f, 0.200012927f, -0.1662276495f,
                         0.1419969562f, -0.1316418577f, 0.1277911503f, -0.07646105001f);
  const V square = hn::Mul(f, f);
  return hn::MulAdd(hn::Mul(square, f), p, hn::Mul(square, hn::Set(d, -0.5f)));
}

// The values of logarithms outside of (0, inf).
template <class D, class V>
HWY_INLINE V log_with_limits(D d, V x, V y) {
  const V zero = hn::Zero(d);
  const V above = hn::IfThenElse(hn::Eq(x, infinity(d)), x, y);
  const V outside = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity(d)), not_a_number(d));
  return hn::IfThenElse(hn::Gt(x, zero), above, outside);
}

// Logarithms to a base: log(x) * factor, where ln(2) * factor = e_high + e_low and e * e_high is
// exact.
template <class D, class V>
HWY_INLINE V log_to_base(D d, V x, float factor, float e_high, float e_low) {
  const auto subnormal = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const V normal = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, 0x1p25f)), x);
  auto [e, f] = split_exponent(d, normal);
  e = hn::Sub(e, hn::IfThenElseZero(subnormal, hn::Set(d, 25.0f)));
  const V rest = log1p_less_f(d, f);
  const V y = [&, e = e, f = f] {  // clang before 16 captures bindings only so
    if (factor == 1.0f) {
      return hn::Add(hn::Add(f, hn::MulAdd(e, hn::Set(d, e_low), rest)),
                     hn::Mul(e, hn::Set(d, e_high)));
    }
    const V log_m = hn::Mul(hn::Add(f, rest), hn::Set(d, factor));
    return hn::Add(hn::MulAdd(e, hn::Set(d, e_low), log_m), hn::Mul(e, hn::Set(d, e_high)));
  }();
  return log_with_limits(d, x, y);
}

template <class D, class V>
HWY_INLINE V log(D d, V x) {
  return log_to_base(d, x, 1.0f, 0.693145752f, 1.42860677e-6f);
}
template <class D, class V>
HWY_INLINE V log2(D d, V x) {
  return log_to_base(d, x, 1.44269504f, 1.0f, 0.0f);
}
template <class D, class V>
HWY_INLINE V log10(D d, V x) {
  return log_to_base(d, x, 0.434294482f, 0.301025391f, 4.60503903e-6f);
}

// log(1 + x): what 1 + x loses in rounding is added to the reduced argument.
template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V u = hn::Add(one, x);
  const V lost =
      hn::IfThenElse(hn::Lt(x, one), hn::Sub(x, hn::Sub(u, one)), hn::Sub(one, hn::Sub(u, x)));
  const hn::RebindToSigned<D> di;
  const auto [e, m] = split_exponent(d, u);
  const V shrink = power_of_two(d, hn::Neg(hn::ConvertTo(di, at_most(d, 126.0f, e))));
  const V f = hn::MulAdd(lost, shrink, m);
  const V rest = hn::MulAdd(e, hn::Set(d, 1.42860677e-6f), log1p_less_f(d, f));
  const V y = hn::MulAdd(e, hn::Set(d, 0.693145752f), hn::Add(f, rest));
  const auto tiny = hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-25f));
  return hn::IfThenElse(tiny, x, log_with_limits(d, u, y));
}

template <class D, class V>
HWY_INLINE V logaddexp(D d, V a, V b) {
  const auto more = hn::Gt(a, b);
  const V larger = hn::IfThenElse(more, a, b), smaller = hn::IfThenElse(more, b, a);
  const V y = hn::Add(larger, log1p(d, exp(d, hn::Sub(smaller, larger))));
  const V bounded = hn::IfThenElse(hn::IsInf(larger), larger, y);
  const V sum = hn::Add(a, b);
  const auto nan = hn::Or(hn::IsNaN(a), hn::IsNaN(b));
  return hn::IfThenElse(nan, sum, bounded);
}

template <class D, class V>
HWY_INLINE V arcsinh(D d, V x) {
  const V a = hn::Abs(x), one = hn::Set(d, 1.0f);
  const V square = hn::Mul(a, a);
  const V argument = hn::Add(a, hn::Div(square, hn::Add(one, hn::Sqrt(hn::Add(square, one)))));
  const auto large = hn::Gt(a, hn::Set(d, 0x1p30f));  // there log(2 a) is the value
  const V y = log1p(d, hn::IfThenElse(large, a, argument));
  return hn::CopySign(hn::Add(y, hn::IfThenElseZero(large, hn::Set(d, 0.693147181f))), x);
}

template <class D, class V>
HWY_INLINE V arccosh(D d, V x) {
  const V one = hn::Set(d, 1.0f), t = hn::Sub(x, one);
  const V argument = hn::Add(t, hn::Sqrt(hn::Mul(t, hn::Add(t, hn::Set(d, 2.0f)))));
  const auto large = hn::Gt(x, hn::Set(d, 0x1p30f));
  const V y = hn::Add(log1p(d, hn::IfThenElse(large, x, argument)),
                      hn::IfThenElseZero(large, hn::Set(d, 0.693147181f)));
  return hn::IfThenElse(hn::Lt(x, one), not_a_number(d), y);
}

template <class D, class V>
HWY_INLINE V arctanh(D d, V x) {
  const V a = hn::Abs(x);
  const V y = log1p(d, hn::Div(hn::Add(a, a), hn::Sub(hn::Set(d, 1.0f), a)));
  return hn::CopySign(hn::Mul(y, hn::Set(d, 0.5f)), x);
}

// erfinv(x) = x P(w), w = -log(1 - x^2): one polynomial in w below 5 (6.4e-9), one in sqrt(w) above
// (1.8e-8), after M. Giles, "Approximating the erfinv function" (2011).
template <class D, class V>
HWY_INLINE V erfinv(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V w = hn::Neg(log(d, hn::Mul(hn::Sub(one, x), hn::Add(one, x))));
  const V centre =
      polynomial(d, hn::Sub(w, hn::Set(d, 2.5f)), 1.50140936f, 0.2466402895f, -0.004177393897f,
                 -0.001252750957f, 0.0002183512052f, -4.957034086e-06f, -3.464701241e-06f,
                 4.646011163e-07f, 2.341261929e-08f, -8.664220116e-09f);
  const V tail =
      polynomial(d, hn::Sub(hn::Sqrt(w), hn::Set(d, 3.0f)), 2.832976819f, 1.001674769f,
                 0.009444272015f, -0.007634260701f, 0.005695193488f, -0.003610867257f,
                 0.001464840343f, -3.249321425e-05f, -0.0002943303387f, 9.992656283e-05f);
  const V p = hn::IfThenElse(hn::Lt(w, hn::Set(d, 5.0f)), centre, tail);
  const V y = hn::Mul(x, hn::IfThenElse(hn::Eq(w, infinity(d)), w, p));
  return hn::IfThenElse(hn::Gt(hn::Abs(x), one), not_a_number(d), y);
}

// --- double
// ------------------------------------------------------------------------------------------

// exp(x) of doubles: the Taylor series to degree 13 on |r| <= ln(2) / 2 is below 5e-18.
template <class D, class V>
HWY_INLINE V exp64(D d, V x) {
  const V bounded = at_least(d, -746.0, at_most(d, 710.0, x));
  const V n = hn::Round(hn::Mul(bounded, hn::Set(d, 1.4426950408889634)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0x1.62e42feep-1), bounded);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.a39ef35793c76p-33), r);
  const V q =
      polynomial(d, r, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800);
  const V p = hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), hn::Set(d, 1.0));
  return scale(d, p, n);
}

// log(x) of doubles: log(1 + f) = f - (h - s (h + R)) with s = f / (2 + f), h = f^2 / 2 and R from
// the series of the inverse hyperbolic tangent, cut off below 1e-18.
template <class D, class V>
HWY_INLINE V log64(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto subnormal = hn::Lt(x, hn::Set(d, std::numeric_limits<double>::min()));
  const V normal = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, 0x1p54)), x);
  const auto bits = hn::BitCast(di, normal);
  const auto offset = hn::Sub(bits, hn::Set(di, 0x3fe6a09e667f3bcdLL));  // sqrt(1/2)
  // An arithmetic shift of 64-bit lanes, which AVX2 lacks: bias, shift unsigned, unbias.
  const hn::RebindToUnsigned<D> du;
  const auto biased = hn::Add(hn::BitCast(du, offset), hn::Set(du, uint64_t{1} << 63));
  const auto e = hn::Sub(hn::BitCast(di, hn::ShiftRight<52>(biased)), hn::Set(di, 2048));
  const V m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<52>(e)));
  const V exponent = hn::Sub(hn::ConvertTo(d, e), hn::IfThenElseZero(subnormal, hn::Set(d, 54.0)));
  const V f = hn::Sub(m, hn::Set(d, 1.0));
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, 2.0)));
  const V z = hn::Mul(s, s);
  const V h = hn::Mul(hn::Mul(f, f), hn::Set(d, 0.5));
  const V R = hn::Mul(z, polynomial(d, z, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13,
                                    2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23));
  const V low = hn::MulAdd(exponent, hn::Set(d, 0x1.a39ef35793c76p-33), hn::Mul(s, hn::Add(h, R)));
  const V y = hn::MulAdd(exponent, hn::Set(d, 0x1.62e42feep-1), hn::Sub(f, hn::Sub(h, low)));
  return log_with_limits(d, x, y);
}

// The C function pow in double precision, from exp64 and log64: an error of log(x) is multiplied by
// y log(x), so the result is good to 1e-13, far more than the float lanes need that it is for.
template <class D, class V>
HWY_INLINE V pow64(D d, V x, V y) {
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0), a = hn::Abs(x);
  const V inf = infinity(d);
  V r = exp64(d, hn::Mul(y, log64(d, a)));
  const V half = hn::Mul(y, hn::Set(d, 0.5));
  const auto integral = hn::Eq(hn::Floor(y), y);
  const auto odd = hn::And(integral, hn::Ne(hn::Floor(half), half));
  r = hn::IfThenElse(odd, hn::CopySign(r, x), r);
  const auto no_real = hn::And(hn::And(hn::Lt(x, zero), hn::Not(integral)), hn::Lt(a, inf));
  r = hn::IfThenElse(no_real, not_a_number(d), r);
  const auto is_one =
      hn::Or(hn::Or(hn::Eq(y, zero), hn::Eq(x, one)), hn::And(hn::Eq(a, one), hn::IsInf(y)));
  return hn::IfThenElse(is_one, one, r);
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // HEDDLE_TILE_MATH_INL_H_
