// Loops over tiles, shared by the kernel files. Included once per target (no include guard in the
// usual sense): everything here is compiled for HWY_TARGET.
//
// A function object computes one vector: `V operator()(D d, V a, ...)`. Loops step over whole
// vectors, so they run up to the end of the block that holds element n - 1 (see kernels.h). They
// are unrolled by 4: the counting then costs less than the store, the narrowest resource (measured:
// a tenth of the time of a chain of arithmetic).
#if defined(HEDDLE_TILE_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_TILE_LOOPS_INL_H_
#undef HEDDLE_TILE_LOOPS_INL_H_
#else
#define HEDDLE_TILE_LOOPS_INL_H_
#endif

#include <hwy/highway.h>

#include "cpu/tile/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's own emulations: no fused operations, and conversions to narrower floats that neither
// round to nearest nor overflow. Those are then done element by element.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
inline constexpr bool emulated = true;
#else
inline constexpr bool emulated = false;
#endif

// At most a block per vector, whatever the target's width.
template <class T>
using Tag = hn::CappedTag<T, block>;

template <class T, class F>
void unary_loop(const void* a, const void*, const void*, void* out, int n) {
  const Tag<T> d;
  const T* x = static_cast<const T*>(a);
  T* y = static_cast<T*>(out);
#pragma GCC unroll 4
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    hn::StoreU(F{}(d, hn::LoadU(d, x + i)), d, y + i);
  }
}

template <class T, class F>
void binary_loop(const void* a, const void* b, const void*, void* out, int n) {
  const Tag<T> d;
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  T* z = static_cast<T*>(out);
#pragma GCC unroll 4
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    hn::StoreU(F{}(d, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, z + i);
  }
}

// A mask of T lanes as 0 or 1 in 32-bit lanes.
template <class D, class M>
HWY_INLINE void store_mask(D, M mask, int32_t* out) {
  using T = hn::TFromD<D>;
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<uint32_t, D> d32;
  uint32_t* to = reinterpret_cast<uint32_t*>(out);
  const auto bits = hn::IfThenElseZero(hn::RebindMask(du, mask), hn::Set(du, 1));
  if constexpr (sizeof(T) == 4) {
    hn::StoreU(bits, d32, to);
  } else {
    hn::StoreU(hn::TruncateTo(d32, bits), d32, to);
  }
}

// F gives a mask; the result is 0 or 1 in i32 lanes.
template <class T, class F>
void unary_test_loop(const void* a, const void*, const void*, void* out, int n) {
  const Tag<T> d;
  const T* x = static_cast<const T*>(a);
  int32_t* y = static_cast<int32_t*>(out);
#pragma GCC unroll 4
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    store_mask(d, F{}(d, hn::LoadU(d, x + i)), y + i);
  }
}

template <class T, class F>
void binary_test_loop(const void* a, const void* b, const void*, void* out, int n) {
  const Tag<T> d;
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  int32_t* z = static_cast<int32_t*>(out);
#pragma GCC unroll 4
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    store_mask(d, F{}(d, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), z + i);
  }
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // HEDDLE_TILE_LOOPS_INL_H_
