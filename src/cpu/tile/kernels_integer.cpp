// Integer lanes. The loops are plain C++: the compiler vectorises what the target has instructions
// for, and the rest (division, power) has none anyway.
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tile/kernels_integer.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>
#include <type_traits>

#include "cpu/tile/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::tile::HWY_NAMESPACE {

// `out` may be one of the operands, element for element, which ivdep declares harmless.
template <class In, class Out, class F>
void integer_unary(const void* a, const void*, const void*, void* out, int n) {
  const In* x = static_cast<const In*>(a);
  Out* y = static_cast<Out*>(out);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) y[i] = static_cast<Out>(F{}(x[i]));
}
template <class In, class Out, class F>
void integer_binary(const void* a, const void* b, const void*, void* out, int n) {
  const In* x = static_cast<const In*>(a);
  const In* y = static_cast<const In*>(b);
  Out* z = static_cast<Out*>(out);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) z[i] = static_cast<Out>(F{}(x[i], y[i]));
}

// Arithmetic wraps: it is done on unsigned numbers. Tails of blocks hold any bits, so every
// function is defined for every operand.
template <class T>
struct Functions {
  using U = std::make_unsigned_t<T>;
  static constexpr int bits = 8 * sizeof(T);
  static constexpr bool is_signed = std::is_signed_v<T>;

  // clang-format off
  struct Identity { HWY_INLINE T operator()(T x) const { return x; } };
  struct Abs { HWY_INLINE T operator()(T x) const { return x < 0 ? static_cast<T>(U{0} - static_cast<U>(x)) : x; } };
  struct Negative { HWY_INLINE T operator()(T x) const { return static_cast<T>(U{0} - static_cast<U>(x)); } };
  struct Sign { HWY_INLINE T operator()(T x) const { return static_cast<T>((x > 0) - (x < 0)); } };
  struct Square { HWY_INLINE T operator()(T x) const { return static_cast<T>(static_cast<U>(x) * static_cast<U>(x)); } };
  struct Invert { HWY_INLINE T operator()(T x) const { return static_cast<T>(~x); } };
  struct Not { HWY_INLINE bool operator()(T x) const { return x == 0; } };
  struct Never { HWY_INLINE bool operator()(T) const { return false; } };
  struct Add { HWY_INLINE T operator()(T x, T y) const { return static_cast<T>(static_cast<U>(x) + static_cast<U>(y)); } };
  struct Subtract { HWY_INLINE T operator()(T x, T y) const { return static_cast<T>(static_cast<U>(x) - static_cast<U>(y)); } };
  struct Multiply { HWY_INLINE T operator()(T x, T y) const { return static_cast<T>(static_cast<U>(x) * static_cast<U>(y)); } };
  struct Maximum { HWY_INLINE T operator()(T x, T y) const { return x < y ? y : x; } };
  struct Minimum { HWY_INLINE T operator()(T x, T y) const { return y < x ? y : x; } };
  struct And { HWY_INLINE T operator()(T x, T y) const { return x & y; } };
  struct Or { HWY_INLINE T operator()(T x, T y) const { return x | y; } };
  struct Xor { HWY_INLINE T operator()(T x, T y) const { return x ^ y; } };
  struct Equal { HWY_INLINE bool operator()(T x, T y) const { return x == y; } };
  struct NotEqual { HWY_INLINE bool operator()(T x, T y) const { return x != y; } };
  struct Less { HWY_INLINE bool operator()(T x, T y) const { return x < y; } };
  struct LessEqual { HWY_INLINE bool operator()(T x, T y) const { return x <= y; } };
  struct Greater { HWY_INLINE bool operator()(T x, T y) const { return x > y; } };
  struct GreaterEqual { HWY_INLINE bool operator()(T x, T y) const { return x >= y; } };
  struct BothTrue { HWY_INLINE bool operator()(T x, T y) const { return (x != 0) & (y != 0); } };
  struct AnyTrue { HWY_INLINE bool operator()(T x, T y) const { return (x | y) != 0; } };
  // clang-format on

  struct FloorDivide {
    HWY_INLINE T operator()(T x, T y) const {
      if (y == 0) return 0;
      if constexpr (is_signed) {
        if (y == -1) return Negative{}(x);  // the least number divided by -1 does not trap
        T q = x / y;
        return q - ((x % y != 0) & ((x < 0) != (y < 0)));
      }
      return x / y;
    }
  };
  struct Remainder {
    HWY_INLINE T operator()(T x, T y) const {
      if (y == 0) return x;
      if constexpr (is_signed) {
        if (y == -1) return 0;
        T r = x % y;
        return (r != 0) & ((r < 0) != (y < 0)) ? r + y : r;
      }
      return x % y;
    }
  };
  struct Power {
    HWY_INLINE T operator()(T x, T y) const {
      if (y < 0) return 0;
      U result = 1, square = static_cast<U>(x);
      for (U e = static_cast<U>(y); e; e >>= 1, square *= square) {
        if (e & 1) result *= square;
      }
      return static_cast<T>(result);
    }
  };
  struct LeftShift {
    HWY_INLINE T operator()(T x, T y) const {
      const U count = static_cast<U>(y);
      return count < bits ? static_cast<T>(static_cast<U>(x) << count) : 0;
    }
  };
  struct RightShift {
    HWY_INLINE T operator()(T x, T y) const {
      const U count = static_cast<U>(y);
      if constexpr (is_signed) return x >> (count < bits ? count : bits - 1);
      return count < bits ? x >> count : 0;
    }
  };
};

template <class T>
void add_for(Kernels& k, Lane lane) {
  using F = Functions<T>;
  k.set(Code::abs, lane, integer_unary<T, T, typename F::Abs>);
  k.set(Code::negative, lane, integer_unary<T, T, typename F::Negative>);
  k.set(Code::sign, lane, integer_unary<T, T, typename F::Sign>);
  k.set(Code::square, lane, integer_unary<T, T, typename F::Square>);
  k.set(Code::bitwise_invert, lane, integer_unary<T, T, typename F::Invert>);
  k.set(Code::logical_not, lane, integer_unary<T, int32_t, typename F::Not>);
  for (Code code : {Code::floor, Code::ceil, Code::round}) {
    k.set(code, lane, integer_unary<T, T, typename F::Identity>);
  }
  for (Code code : {Code::is_nan, Code::is_inf}) {
    k.set(code, lane, integer_unary<T, int32_t, typename F::Never>);
  }
  k.set(Code::add, lane, integer_binary<T, T, typename F::Add>);
  k.set(Code::subtract, lane, integer_binary<T, T, typename F::Subtract>);
  k.set(Code::multiply, lane, integer_binary<T, T, typename F::Multiply>);
  k.set(Code::floor_divide, lane, integer_binary<T, T, typename F::FloorDivide>);
  k.set(Code::remainder, lane, integer_binary<T, T, typename F::Remainder>);
  k.set(Code::power, lane, integer_binary<T, T, typename F::Power>);
  k.set(Code::maximum, lane, integer_binary<T, T, typename F::Maximum>);
  k.set(Code::minimum, lane, integer_binary<T, T, typename F::Minimum>);
  k.set(Code::bitwise_and, lane, integer_binary<T, T, typename F::And>);
  k.set(Code::bitwise_or, lane, integer_binary<T, T, typename F::Or>);
  k.set(Code::bitwise_xor, lane, integer_binary<T, T, typename F::Xor>);
  k.set(Code::left_shift, lane, integer_binary<T, T, typename F::LeftShift>);
  k.set(Code::right_shift, lane, integer_binary<T, T, typename F::RightShift>);
  k.set(Code::equal, lane, integer_binary<T, int32_t, typename F::Equal>);
  k.set(Code::equal_nan, lane, integer_binary<T, int32_t, typename F::Equal>);
  k.set(Code::not_equal, lane, integer_binary<T, int32_t, typename F::NotEqual>);
  k.set(Code::less, lane, integer_binary<T, int32_t, typename F::Less>);
  k.set(Code::less_equal, lane, integer_binary<T, int32_t, typename F::LessEqual>);
  k.set(Code::greater, lane, integer_binary<T, int32_t, typename F::Greater>);
  k.set(Code::greater_equal, lane, integer_binary<T, int32_t, typename F::GreaterEqual>);
  k.set(Code::logical_and, lane, integer_binary<T, int32_t, typename F::BothTrue>);
  k.set(Code::logical_or, lane, integer_binary<T, int32_t, typename F::AnyTrue>);
}

void add_integer(Kernels& k) {
  add_for<int32_t>(k, Lane::i32);
  add_for<uint32_t>(k, Lane::u32);
  add_for<int64_t>(k, Lane::i64);
  add_for<uint64_t>(k, Lane::u64);
}

}  // namespace heddle::cpu::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu::tile {
HWY_EXPORT(add_integer);
void add_integer_kernels(Kernels& k) { HWY_DYNAMIC_DISPATCH(add_integer)(k); }
}  // namespace heddle::cpu::tile
#endif
