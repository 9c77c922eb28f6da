// Loading any floating dtype as vectors of the type it is computed in; included once per target.
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
#if (HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2) || HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  for (size_t i = 0; i < hn::Lanes(d); i++) lanes[i] = p[i];
  return hn::Load(d, lanes);
#else
  const hn::Rebind<hwy::float16_t, D> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(p)));
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

}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
