// Loading and storing any floating dtype as vectors of the type it is computed in; included once
// per target. Stores round to nearest, ties to even.
#if defined(HEDDLE_CPU_HALF_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_CPU_HALF_VECTORS_INL_H_
#undef HEDDLE_CPU_HALF_VECTORS_INL_H_
#else
#define HEDDLE_CPU_HALF_VECTORS_INL_H_
#endif

#include <hwy/highway.h>

#include "heddle/half.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// Where the machine has no such instructions, Highway's own conversions take infinity and NaN for
// numbers: there float16 goes lane by lane.
#undef HEDDLE_EMULATED_FLOAT16
#if (HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2) || HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
#define HEDDLE_EMULATED_FLOAT16 1
#else
#define HEDDLE_EMULATED_FLOAT16 0
#endif

template <class D>
HWY_INLINE hn::Vec<D> load_as(D d, const float* p) {
  return hn::LoadU(d, p);
}

template <class D>
HWY_INLINE hn::Vec<D> load_as(D d, const double* p) {
  return hn::LoadU(d, p);
}

template <class D>
HWY_INLINE hn::Vec<D> load_as(D d, const bfloat16_t* p) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<uint16_t, D> narrow;
  auto bits = hn::LoadU(narrow, reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
}

// Where the machine has no such instruction, Highway's conversion takes infinity and NaN for
// numbers.
template <class D>
HWY_INLINE hn::Vec<D> load_as(D d, const float16_t* p) {
#if HEDDLE_EMULATED_FLOAT16
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  for (size_t i = 0; i < hn::Lanes(d); i++) lanes[i] = p[i];
  return hn::Load(d, lanes);
#else
  const hn::Rebind<hwy::float16_t, D> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(p)));
#endif
}

template <class D>
HWY_INLINE void store_as(hn::Vec<D> v, D d, float* p) {
  hn::StoreU(v, d, p);
}

template <class D>
HWY_INLINE void store_as(hn::Vec<D> v, D d, double* p) {
  hn::StoreU(v, d, p);
}

template <class D>
HWY_INLINE void store_as(hn::Vec<D> v, D, bfloat16_t* p) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<uint16_t, D> narrow;
  const auto bits = hn::BitCast(wide, v);
  const auto high = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(high, hn::Set(wide, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(wide, 0x7fffu))));
  const auto quiet = hn::Or(high, hn::Set(wide, 0x40u));  // NaN must not round to infinity
  const auto nan = hn::RebindMask(wide, hn::Ne(v, v));
  hn::StoreU(hn::TruncateTo(narrow, hn::IfThenElse(nan, quiet, rounded)), narrow,
             reinterpret_cast<uint16_t*>(p));
}

template <class D>
HWY_INLINE void store_as(hn::Vec<D> v, D d, float16_t* p) {
#if HEDDLE_EMULATED_FLOAT16
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < hn::Lanes(d); i++) p[i] = lanes[i];
#else
  const hn::Rebind<hwy::float16_t, D> narrow;
  (void)d;
  hn::StoreU(hn::DemoteTo(narrow, v), narrow, reinterpret_cast<hwy::float16_t*>(p));
#endif
}

// n contiguous elements as T.
template <class T, class S>
HWY_INLINE void convert_run(const S* from, T* to, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(load_as(d, from + i), d, to + i);
  for (; i < n; i++) to[i] = static_cast<T>(from[i]);
}

// The way back: n values rounded to S.
template <class S, class T>
HWY_INLINE void round_run(const T* from, S* to, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store_as(hn::LoadU(d, from + i), d, to + i);
  for (; i < n; i++) to[i] = static_cast<S>(from[i]);
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
