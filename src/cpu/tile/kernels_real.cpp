// Arithmetic, rounding and comparisons of float and double lanes, and select for every lane width.
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile/kernels_real.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>
#include <limits>

#include "cpu/tile/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {

// Highway's Ne is false for NaN on some targets: what must be true there is written with Eq.

// clang-format off
struct Abs { template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Abs(x); } };
struct Negative { template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Neg(x); } };
struct Square { template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Mul(x, x); } };
struct Sqrt { template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Sqrt(x); } };
struct Floor { template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Floor(x); } };
struct Ceil { template <class D, class V> HWY_INLINE V operator()(D, V x) const { return hn::Ceil(x); } };
struct Add { template <class D, class V> HWY_INLINE V operator()(D, V x, V y) const { return hn::Add(x, y); } };
struct Subtract { template <class D, class V> HWY_INLINE V operator()(D, V x, V y) const { return hn::Sub(x, y); } };
struct Multiply { template <class D, class V> HWY_INLINE V operator()(D, V x, V y) const { return hn::Mul(x, y); } };
struct Divide { template <class D, class V> HWY_INLINE V operator()(D, V x, V y) const { return hn::Div(x, y); } };
struct Equal { template <class D, class V> HWY_INLINE auto operator()(D, V x, V y) const { return hn::Eq(x, y); } };
struct NotEqual { template <class D, class V> HWY_INLINE auto operator()(D, V x, V y) const { return hn::Not(hn::Eq(x, y)); } };
struct Less { template <class D, class V> HWY_INLINE auto operator()(D, V x, V y) const { return hn::Lt(x, y); } };
struct LessEqual { template <class D, class V> HWY_INLINE auto operator()(D, V x, V y) const { return hn::Le(x, y); } };
struct Greater { template <class D, class V> HWY_INLINE auto operator()(D, V x, V y) const { return hn::Gt(x, y); } };
struct GreaterEqual { template <class D, class V> HWY_INLINE auto operator()(D, V x, V y) const { return hn::Ge(x, y); } };
struct IsNaN { template <class D, class V> HWY_INLINE auto operator()(D, V x) const { return hn::IsNaN(x); } };
struct IsInf { template <class D, class V> HWY_INLINE auto operator()(D, V x) const { return hn::IsInf(x); } };
struct LogicalNot { template <class D, class V> HWY_INLINE auto operator()(D d, V x) const { return hn::Eq(x, hn::Zero(d)); } };
// clang-format on

struct Round {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Round(x);
  }
};
struct FloorDivide {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V y) const {
    const V zero = hn::Zero(d), q = hn::Div(x, y);
    // A quotient below zero may be too small for any number; its floor is -1 all the same.
    const auto vanished = hn::AndNot(hn::Eq(x, zero), hn::Eq(q, zero));
    return hn::Floor(hn::IfThenElse(vanished, hn::CopySign(hn::Set(d, 0.5f), q), q));
  }
};
struct Sign {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V zero = hn::Zero(d), other = hn::Add(x, zero);  // 0, whatever its sign, or NaN
    return hn::IfThenElse(hn::Gt(hn::Abs(x), zero), hn::CopySign(hn::Set(d, 1), x), other);
  }
};
struct Reciprocal {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(hn::Set(d, 1), x);
  }
};
struct Rsqrt {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(hn::Set(d, 1), hn::Sqrt(x));
  }
};
struct Maximum {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    const V larger = hn::IfThenElse(hn::Gt(x, y), x, y);  // y where one is NaN
    return hn::IfThenElse(hn::IsNaN(x), x, larger);
  }
};
struct Minimum {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    const V smaller = hn::IfThenElse(hn::Lt(x, y), x, y);
    return hn::IfThenElse(hn::IsNaN(x), x, smaller);
  }
};
struct EqualNaN {
  template <class D, class V>
  HWY_INLINE auto operator()(D, V x, V y) const {
    return hn::Or(hn::Eq(x, y), hn::And(hn::IsNaN(x), hn::IsNaN(y)));
  }
};
struct LogicalAnd {
  template <class D, class V>
  HWY_INLINE auto operator()(D d, V x, V y) const {
    return hn::Not(hn::Or(hn::Eq(x, hn::Zero(d)), hn::Eq(y, hn::Zero(d))));
  }
};
struct LogicalOr {
  template <class D, class V>
  HWY_INLINE auto operator()(D d, V x, V y) const {
    return hn::Not(hn::And(hn::Eq(x, hn::Zero(d)), hn::Eq(y, hn::Zero(d))));
  }
};

// x - floor(x / y) * y. With a fused multiply-add this is exact (up to the one rounding of the
// result) while the quotient is far below the precision's limit: the quotient is then right or one
// too large, which the sign of the result shows. All else goes through fmod.
template <class T>
void remainder_loop(const void* a, const void* b, const void*, void* out, int n) {
  const Tag<T> d;
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  T* z = static_cast<T*>(out);
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int i = 0; i < n; i += lanes) {
    const auto vx = hn::LoadU(d, x + i), vy = hn::LoadU(d, y + i);
    const auto q = hn::Floor(hn::Div(vx, vy));
    const auto exact = hn::And(hn::Lt(hn::Abs(q), hn::Set(d, T(1 << 20))),
                               hn::Lt(hn::Abs(vy), hn::Set(d, std::numeric_limits<T>::infinity())));
    const auto r = hn::NegMulAdd(q, vy, vx);
    const auto wrong = hn::And(hn::Ne(r, hn::Zero(d)),
                               hn::Lt(hn::CopySign(hn::Set(d, T(1)), hn::Xor(r, vy)), hn::Zero(d)));
    const auto quick = hn::Add(r, hn::IfThenElseZero(wrong, vy));
    if (!emulated && HWY_LIKELY(hn::AllTrue(d, exact))) {
      hn::StoreU(quick, d, z + i);
      continue;
    }
    // Only the lanes that need it: an element's value must not depend on its neighbours. The
    // operands are kept, because the result may take their place.
    constexpr size_t most = HWY_MAX_BYTES / sizeof(T);
    HWY_ALIGN T dividends[most], divisors[most], inside[most];
    hn::Store(vx, d, dividends);
    hn::Store(vy, d, divisors);
    hn::Store(hn::IfThenElse(exact, hn::Set(d, T(1)), hn::Zero(d)), d, inside);
    hn::StoreU(quick, d, z + i);
    for (int j = 0; j < lanes; j++) {
      if (!emulated && inside[j] != 0) continue;
      T divisor = divisors[j], rest = std::fmod(dividends[j], divisor);
      if (rest != 0 && (rest < 0) != (divisor < 0)) rest += divisor;
      z[i + j] = rest;
    }
  }
}

// Only moves bits: T is an integer as wide as the lane of x and y.
template <class T>
void select_loop(const void* condition, const void* x, const void* y, void* out, int n) {
  const Tag<T> d;
  const hn::Rebind<int32_t, Tag<T>> d32;
  const int32_t* m = static_cast<const int32_t*>(condition);
  const T* p = static_cast<const T*>(x);
  const T* q = static_cast<const T*>(y);
  T* z = static_cast<T*>(out);
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    const auto raw = hn::LoadU(d32, m + i);
    const auto mask = [&] {
      if constexpr (sizeof(T) == 4) {
        return hn::Ne(raw, hn::Zero(d32));
      } else {
        return hn::Ne(hn::PromoteTo(d, raw), hn::Zero(d));
      }
    }();
    hn::StoreU(hn::IfThenElse(mask, hn::LoadU(d, p + i), hn::LoadU(d, q + i)), d, z + i);
  }
}

template <class T>
void add_for(Kernels& k, Lane lane) {
  k.set(Code::abs, lane, unary_loop<T, Abs>);
  k.set(Code::negative, lane, unary_loop<T, Negative>);
  k.set(Code::sign, lane, unary_loop<T, Sign>);
  k.set(Code::square, lane, unary_loop<T, Square>);
  k.set(Code::sqrt, lane, unary_loop<T, Sqrt>);
  k.set(Code::rsqrt, lane, unary_loop<T, Rsqrt>);
  k.set(Code::reciprocal, lane, unary_loop<T, Reciprocal>);
  k.set(Code::floor, lane, unary_loop<T, Floor>);
  k.set(Code::ceil, lane, unary_loop<T, Ceil>);
  k.set(Code::round, lane, unary_loop<T, Round>);
  k.set(Code::is_nan, lane, unary_test_loop<T, IsNaN>);
  k.set(Code::is_inf, lane, unary_test_loop<T, IsInf>);
  k.set(Code::logical_not, lane, unary_test_loop<T, LogicalNot>);
  k.set(Code::add, lane, binary_loop<T, Add>);
  k.set(Code::subtract, lane, binary_loop<T, Subtract>);
  k.set(Code::multiply, lane, binary_loop<T, Multiply>);
  k.set(Code::divide, lane, binary_loop<T, Divide>);
  k.set(Code::floor_divide, lane, binary_loop<T, FloorDivide>);
  k.set(Code::remainder, lane, remainder_loop<T>);
  k.set(Code::maximum, lane, binary_loop<T, Maximum>);
  k.set(Code::minimum, lane, binary_loop<T, Minimum>);
  k.set(Code::equal, lane, binary_test_loop<T, Equal>);
  k.set(Code::not_equal, lane, binary_test_loop<T, NotEqual>);
  k.set(Code::less, lane, binary_test_loop<T, Less>);
  k.set(Code::less_equal, lane, binary_test_loop<T, LessEqual>);
  k.set(Code::greater, lane, binary_test_loop<T, Greater>);
  k.set(Code::greater_equal, lane, binary_test_loop<T, GreaterEqual>);
  k.set(Code::equal_nan, lane, binary_test_loop<T, EqualNaN>);
  k.set(Code::logical_and, lane, binary_test_loop<T, LogicalAnd>);
  k.set(Code::logical_or, lane, binary_test_loop<T, LogicalOr>);
}

void add_real(Kernels& k) {
  add_for<float>(k, Lane::f32);
  add_for<double>(k, Lane::f64);
  for (Lane lane : {Lane::f32, Lane::i32, Lane::u32})
    k.set(Code::select, lane, select_loop<int32_t>);
  for (Lane lane : {Lane::f64, Lane::c64, Lane::i64, Lane::u64}) {
    k.set(Code::select, lane, select_loop<int64_t>);
  }
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu::tile {
HWY_EXPORT(add_real);
void add_real_kernels(Kernels& k) { HWY_DYNAMIC_DISPATCH(add_real)(k); }
}  // namespace heddle::cpu::tile
#endif
