// Conversions: between lanes, to the narrow dtypes within a lane, and between memory and lanes.
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile/kernels_conversion.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>
#include <limits>
#include <type_traits>

#include "core/convert.h"
#include "cpu/tile/loops-inl.h"
#include "heddle/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {

// --- one element
// -------------------------------------------------------------------------------------

// Floats to integers truncate. Out of range C++ leaves the result open; here it is what x86's
// instructions give, as in MLX: the least number of 32 and 64 bits (narrow integers are cut from 32
// bits, uint32 from 64), and for uint64 2^63 below the range and for NaN, 0 above.
template <class To, class From>
HWY_INLINE To convert(From x) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From two63 = static_cast<From>(0x1p63), two31 = static_cast<From>(0x1p31);
    if constexpr (std::is_same_v<To, int32_t>) {
      return x < two31 && x > -two31 - 1 ? static_cast<int32_t>(x)
                                         : std::numeric_limits<int32_t>::min();
    } else if constexpr (std::is_same_v<To, uint32_t>) {
      return static_cast<uint32_t>(convert<int64_t>(x));
    } else if constexpr (std::is_same_v<To, int64_t>) {
      return x < two63 && x >= -two63 ? static_cast<int64_t>(x)
                                      : std::numeric_limits<int64_t>::min();
    } else {
      if (x >= two63) return x < 2 * two63 ? static_cast<uint64_t>(x) : 0;
      return static_cast<uint64_t>(convert<int64_t>(x));
    }
  } else if constexpr (std::is_same_v<From, complex64_t>) {
    return convert<To>(x.real());
  } else if constexpr (std::is_same_v<To, complex64_t>) {
    return complex64_t(static_cast<float>(x), 0);
  } else {
    return static_cast<To>(x);
  }
}

// --- lanes to lanes
// ----------------------------------------------------------------------------------

template <class From, class To>
void cast_loop(const void* a, const void*, const void*, void* out, int n) {
  const From* x = static_cast<const From*>(a);
  To* y = static_cast<To*>(out);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) y[i] = convert<To>(x[i]);
}

// Rounding to a float and then to a half is rounding twice: see to_odd_float. A float holds
// integers up to 2^24, and most tiles hold no others.
template <class From>
void cast_to_half_loop(const void* a, const void* b, const void* c, void* out, int n) {
  const From* x = static_cast<const From*>(a);
  float* y = static_cast<float*>(out);
  if constexpr (std::is_integral_v<From>) {
    using Word = std::make_unsigned_t<From>;
    constexpr int bits = std::is_signed_v<From> ? 25 : 24;
    constexpr Word least = std::is_signed_v<From> ? Word{1} << 24 : 0;  // made 0 by the sum
    Word all = 0;
    for (int i = 0; i < n; i++) all |= static_cast<Word>(x[i]) + least;
    if (!(all >> bits)) return cast_loop<From, float>(a, b, c, out, n);
  }
#pragma GCC ivdep
  for (int i = 0; i < n; i++) y[i] = to_odd_float(x[i]);
}

// A copy of words; a loop of vectors, which the C library's copy of this size is slower than.
struct Same {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return x;
  }
};

template <class T>
void to_bool_loop(const void* a, const void*, const void*, void* out, int n) {
  const T* x = static_cast<const T*>(a);
  int32_t* y = static_cast<int32_t*>(out);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) y[i] = x[i] != T(0);
}

void f32_to_i32(const void* a, const void*, const void*, void* out, int n) {
  const Tag<float> d;
  const hn::RebindToSigned<Tag<float>> di;
  for (int i = 0; i < n; i += static_cast<int>(hn::Lanes(d))) {
    const auto x = hn::LoadU(d, static_cast<const float*>(a) + i);
    const auto inside = hn::Lt(hn::Abs(x), hn::Set(d, 0x1p31f));
    const auto y =
        hn::IfThenElse(hn::RebindMask(di, inside), hn::ConvertTo(di, hn::IfThenElseZero(inside, x)),
                       hn::Set(di, std::numeric_limits<int32_t>::min()));
    hn::StoreU(y, di, static_cast<int32_t*>(out) + i);
  }
}

// --- rounding within lanes
// ---------------------------------------------------------------------------

template <class T>
void wrap_loop(const void* a, const void*, const void*, void* out, int n) {
  const int32_t* x = static_cast<const int32_t*>(a);
  int32_t* y = static_cast<int32_t*>(out);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) y[i] = static_cast<T>(x[i]);
}

// To the nearest bfloat16, ties to even, as a float. NaN stays NaN: it is made quiet.
struct RoundToBfloat16 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToUnsigned<D> du;
    const auto u = hn::BitCast(du, x);
    const auto even = hn::And(hn::ShiftRight<16>(u), hn::Set(du, 1u));
    const auto rounded = hn::Add(u, hn::Add(even, hn::Set(du, 0x7fffu)));
    const auto quiet = hn::Or(u, hn::Set(du, 0x400000u));
    const auto bits = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, rounded);
    return hn::BitCast(d, hn::And(bits, hn::Set(du, 0xffff0000u)));
  }
};

template <class D>
using HalfTag = hn::Rebind<hwy::float16_t, D>;
using HalfBits = const hwy::float16_t*;

struct RoundToFloat16 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    if constexpr (emulated) {
      float lanes[block];
      hn::StoreU(x, d, lanes);
      for (size_t i = 0; i < hn::Lanes(d); i++) lanes[i] = float16_t(lanes[i]);
      return hn::LoadU(d, lanes);
    } else {
      return hn::PromoteTo(d, hn::DemoteTo(HalfTag<D>(), x));
    }
  }
};

// --- memory and lanes
// --------------------------------------------------------------------------------

// A block at a time; the last block by way of a buffer, so that no other memory is touched.
template <class In, class Lanes, class F>
void load_loop(const void* from, void* to, int n) {
  const In* x = static_cast<const In*>(from);
  Lanes* y = static_cast<Lanes*>(to);
  int i = 0;
  for (; i + block <= n; i += block) F::convert(x + i, y + i);
  if (i < n) {
    In rest[block] = {};
    std::memcpy(rest, x + i, static_cast<size_t>(n - i) * sizeof(In));
    F::convert(rest, y + i);
  }
}
template <class Lanes, class Out, class F>
void store_loop(const void* from, void* to, int n) {
  const Lanes* x = static_cast<const Lanes*>(from);
  Out* y = static_cast<Out*>(to);
  int i = 0;
  for (; i + block <= n; i += block) F::convert(x + i, y + i);
  if (i < n) {
    Out rest[block];
    F::convert(x + i, rest);
    std::memcpy(y + i, rest, static_cast<size_t>(n - i) * sizeof(Out));
  }
}

template <class From, class To>
struct Plain {
  static HWY_INLINE void convert(const From* x, To* y) {
    for (int i = 0; i < block; i++) y[i] = static_cast<To>(x[i]);
  }
};
struct Truth {  // any byte but 0 is true
  template <class From, class To>
  static HWY_INLINE void convert(const From* x, To* y) {
    for (int i = 0; i < block; i++) y[i] = x[i] != 0;
  }
};
struct FromBfloat16 {
  static HWY_INLINE void convert(const uint16_t* x, uint32_t* y) {
    for (int i = 0; i < block; i++) y[i] = static_cast<uint32_t>(x[i]) << 16;
  }
};
struct ToBfloat16 {
  static HWY_INLINE void convert(const float* x, uint16_t* y) {
    const Tag<float> d;
    const hn::RebindToUnsigned<Tag<float>> du;
    alignas(64) uint32_t bits[block];
    for (int i = 0; i < block; i += static_cast<int>(hn::Lanes(d))) {
      hn::Store(hn::BitCast(du, RoundToBfloat16{}(d, hn::LoadU(d, x + i))), du, bits + i);
    }
    for (int i = 0; i < block; i++) y[i] = static_cast<uint16_t>(bits[i] >> 16);
  }
};
struct FromFloat16 {
  static HWY_INLINE void convert(const uint16_t* x, float* y) {
    if constexpr (emulated) {
      for (int i = 0; i < block; i++) {
        float16_t half;
        half.bits = x[i];
        y[i] = half;
      }
    } else {
      const Tag<float> d;
      const HalfTag<Tag<float>> dh;
      for (int i = 0; i < block; i += static_cast<int>(hn::Lanes(d))) {
        hn::StoreU(hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<HalfBits>(x + i))), d, y + i);
      }
    }
  }
};
struct ToFloat16 {
  static HWY_INLINE void convert(const float* x, uint16_t* y) {
    if constexpr (emulated) {
      for (int i = 0; i < block; i++) y[i] = float16_t(x[i]).bits;
    } else {
      const Tag<float> d;
      const HalfTag<Tag<float>> dh;
      for (int i = 0; i < block; i += static_cast<int>(hn::Lanes(d))) {
        hn::StoreU(hn::DemoteTo(dh, hn::LoadU(d, x + i)), dh,
                   reinterpret_cast<hwy::float16_t*>(y + i));
      }
    }
  }
};

template <class T>
void load_whole(const void* from, void* to, int n) {
  if (n >= block) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else {
    const T* x = static_cast<const T*>(from);
    T* y = static_cast<T*>(to);
    for (int i = 0; i < n; i++) y[i] = x[i];
  }
  std::memset(static_cast<T*>(to) + n, 0,
              static_cast<size_t>(round_up_to_block(n) - n) * sizeof(T));
}
template <class T>
void store_whole(const void* from, void* to, int n) {
  if (n >= block) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else {
    const T* x = static_cast<const T*>(from);
    T* y = static_cast<T*>(to);
    for (int i = 0; i < n; i++) y[i] = x[i];
  }
}

void stream_words(const void* from, void* to, int n) {
  const Tag<uint32_t> d;
  const uint32_t* x = static_cast<const uint32_t*>(from);
  uint32_t* y = static_cast<uint32_t*>(to);
  int i = 0;
  for (; i + block <= n; i += block) {
    for (int j = 0; j < block; j += static_cast<int>(hn::Lanes(d))) {
      hn::Stream(hn::LoadU(d, x + i + j), d, y + i + j);
    }
  }
  std::memcpy(y + i, x + i, static_cast<size_t>(n - i) * sizeof(uint32_t));
}

// --- the tables
// --------------------------------------------------------------------------------------

template <class F>
void for_each_lane(F&& f) {
  f(TypeTag<float>{}, Lane::f32);
  f(TypeTag<double>{}, Lane::f64);
  f(TypeTag<complex64_t>{}, Lane::c64);
  f(TypeTag<int32_t>{}, Lane::i32);
  f(TypeTag<uint32_t>{}, Lane::u32);
  f(TypeTag<int64_t>{}, Lane::i64);
  f(TypeTag<uint64_t>{}, Lane::u64);
}

void add_conversion(Kernels& k) {
  for_each_lane([&](auto from_tag, Lane from) {
    using From = typename decltype(from_tag)::type;
    for_each_lane([&](auto to_tag, Lane to) {
      using To = typename decltype(to_tag)::type;
      Kernel& kernel = k.cast[static_cast<int>(from)][static_cast<int>(to)];
      if constexpr (std::is_same_v<From, To>) {
        kernel = unary_loop<std::conditional_t<sizeof(From) == 4, uint32_t, uint64_t>, Same>;
      } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, int32_t>) {
        kernel = f32_to_i32;
      } else {
        kernel = cast_loop<From, To>;
      }
    });
    if constexpr (!std::is_same_v<From, float> && !std::is_same_v<From, complex64_t>) {
      k.cast_to_half[static_cast<int>(from)] = cast_to_half_loop<From>;
    }
    k.to_bool[static_cast<int>(from)] = to_bool_loop<From>;
  });

  auto round = [&](Dtype t, Kernel kernel) { k.round[static_cast<int>(t)] = kernel; };
  round(bool_, to_bool_loop<int32_t>);
  round(int8, wrap_loop<int8_t>);
  round(uint8, wrap_loop<uint8_t>);
  round(int16, wrap_loop<int16_t>);
  round(uint16, wrap_loop<uint16_t>);
  round(float16, unary_loop<float, RoundToFloat16>);
  round(bfloat16, unary_loop<float, RoundToBfloat16>);

  auto memory = [&](Dtype t, Move load, Move store) {
    k.load[static_cast<int>(t)] = load;
    k.store[static_cast<int>(t)] = store;
  };
  memory(bool_, load_loop<uint8_t, int32_t, Truth>, store_loop<int32_t, uint8_t, Truth>);
  memory(int8, load_loop<int8_t, int32_t, Plain<int8_t, int32_t>>,
         store_loop<int32_t, int8_t, Plain<int32_t, int8_t>>);
  memory(uint8, load_loop<uint8_t, int32_t, Plain<uint8_t, int32_t>>,
         store_loop<int32_t, uint8_t, Plain<int32_t, uint8_t>>);
  memory(int16, load_loop<int16_t, int32_t, Plain<int16_t, int32_t>>,
         store_loop<int32_t, int16_t, Plain<int32_t, int16_t>>);
  memory(uint16, load_loop<uint16_t, int32_t, Plain<uint16_t, int32_t>>,
         store_loop<int32_t, uint16_t, Plain<int32_t, uint16_t>>);
  memory(float16, load_loop<uint16_t, float, FromFloat16>, store_loop<float, uint16_t, ToFloat16>);
  memory(bfloat16, load_loop<uint16_t, uint32_t, FromBfloat16>,
         store_loop<float, uint16_t, ToBfloat16>);
  for (Dtype t : {int32, uint32, float32}) memory(t, load_whole<uint32_t>, store_whole<uint32_t>);
  for (Dtype t : {int64, uint64, float64, complex64}) {
    memory(t, load_whole<uint64_t>, store_whole<uint64_t>);
  }
  k.stream = stream_words;
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu::tile {
HWY_EXPORT(add_conversion);
void add_conversion_kernels(Kernels& k) { HWY_DYNAMIC_DISPATCH(add_conversion)(k); }
}  // namespace heddle::cpu::tile
#endif
