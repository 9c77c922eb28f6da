// Element types: the 14 dtypes, their categories and MLX's promotion rules.
// All functions are pure, thread-safe and constant time.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "heddle/half.h"

namespace heddle {

using complex64_t = std::complex<float>;

// The numeric values are those of MLX's enumeration, which its files record.
enum class Dtype : uint8_t {
  bool_ = 0,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  float16,
  float32,
  float64,
  bfloat16,
  complex64,
};
inline constexpr int dtype_count = 14;

inline constexpr Dtype bool_ = Dtype::bool_;
inline constexpr Dtype uint8 = Dtype::uint8;
inline constexpr Dtype uint16 = Dtype::uint16;
inline constexpr Dtype uint32 = Dtype::uint32;
inline constexpr Dtype uint64 = Dtype::uint64;
inline constexpr Dtype int8 = Dtype::int8;
inline constexpr Dtype int16 = Dtype::int16;
inline constexpr Dtype int32 = Dtype::int32;
inline constexpr Dtype int64 = Dtype::int64;
inline constexpr Dtype float16 = Dtype::float16;
inline constexpr Dtype float32 = Dtype::float32;
inline constexpr Dtype float64 = Dtype::float64;
inline constexpr Dtype bfloat16 = Dtype::bfloat16;
inline constexpr Dtype complex64 = Dtype::complex64;

// A tree: generic > number > {integer > {signedinteger, unsignedinteger},
// inexact > {floating, complexfloating}}. bool_ sits directly under generic.
enum class DtypeCategory : uint8_t {
  complexfloating,
  floating,
  inexact,
  signedinteger,
  unsignedinteger,
  integer,
  number,
  generic,
};

// Bytes of one element.
constexpr size_t size_of(Dtype t) {
  constexpr uint8_t sizes[dtype_count] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8};
  return sizes[static_cast<int>(t)];
}

std::string_view name_of(Dtype t);          // "float32", "bool"
std::string_view name_of(DtypeCategory c);  // "floating"

constexpr bool is_bool(Dtype t) { return t == Dtype::bool_; }
constexpr bool is_unsigned(Dtype t) { return t >= Dtype::uint8 && t <= Dtype::uint64; }
constexpr bool is_signed(Dtype t) { return t >= Dtype::int8 && t <= Dtype::int64; }
constexpr bool is_integer(Dtype t) { return t >= Dtype::uint8 && t <= Dtype::int64; }
constexpr bool is_floating(Dtype t) { return t >= Dtype::float16 && t <= Dtype::bfloat16; }
constexpr bool is_complex(Dtype t) { return t == Dtype::complex64; }
constexpr bool is_inexact(Dtype t) { return t >= Dtype::float16; }
constexpr bool is_half(Dtype t) { return t == Dtype::float16 || t == Dtype::bfloat16; }

// The smallest dtype both convert to by MLX's table (f16 with bf16 gives f32).
Dtype promote_types(Dtype a, Dtype b);

// The dtype in which an inexact function of `t` is computed: itself if inexact, else float32.
constexpr Dtype at_least_float(Dtype t) { return is_inexact(t) ? t : Dtype::float32; }

bool issubdtype(Dtype a, Dtype b);
bool issubdtype(Dtype a, DtypeCategory b);
bool issubdtype(DtypeCategory a, DtypeCategory b);
DtypeCategory category_of(Dtype t);

namespace detail {

template <class T>
struct NoElementType;  // an error to ask for: there are no arrays of T

// The type of elements that has the values of T: an integer of its size and sign for char, wchar_t,
// long long and the like, double for long double.
template <class T>
struct StoredAs {
  using type = T;
};
template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
struct StoredAs<T> {
  template <class Signed, class Unsigned>
  using pick = std::conditional_t<std::is_signed_v<T>, Signed, Unsigned>;
  using type = std::conditional_t<
      sizeof(T) == 1, pick<int8_t, uint8_t>,
      std::conditional_t<
          sizeof(T) == 2, pick<int16_t, uint16_t>,
          std::conditional_t<sizeof(T) == 4, pick<int32_t, uint32_t>, pick<int64_t, uint64_t>>>>;
};
template <>
struct StoredAs<long double> {
  using type = double;
};

}  // namespace detail

// The dtype of a C++ element type: dtype_of<float> == float32.
template <class T>
inline constexpr Dtype dtype_of = detail::NoElementType<T>::dtype;
template <>
inline constexpr Dtype dtype_of<bool> = Dtype::bool_;
template <>
inline constexpr Dtype dtype_of<uint8_t> = Dtype::uint8;
template <>
inline constexpr Dtype dtype_of<uint16_t> = Dtype::uint16;
template <>
inline constexpr Dtype dtype_of<uint32_t> = Dtype::uint32;
template <>
inline constexpr Dtype dtype_of<uint64_t> = Dtype::uint64;
template <>
inline constexpr Dtype dtype_of<int8_t> = Dtype::int8;
template <>
inline constexpr Dtype dtype_of<int16_t> = Dtype::int16;
template <>
inline constexpr Dtype dtype_of<int32_t> = Dtype::int32;
template <>
inline constexpr Dtype dtype_of<int64_t> = Dtype::int64;
template <>
inline constexpr Dtype dtype_of<float16_t> = Dtype::float16;
template <>
inline constexpr Dtype dtype_of<float> = Dtype::float32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::float64;
template <>
inline constexpr Dtype dtype_of<bfloat16_t> = Dtype::bfloat16;
template <>
inline constexpr Dtype dtype_of<complex64_t> = Dtype::complex64;

template <class T>
struct TypeTag {
  using type = T;
};

// The one switch over dtypes: calls f(TypeTag<T>{}) with the C++ type of `t`.
template <class F>
decltype(auto) visit_dtype(Dtype t, F&& f) {
  switch (t) {
    case Dtype::bool_:
      return f(TypeTag<bool>{});
    case Dtype::uint8:
      return f(TypeTag<uint8_t>{});
    case Dtype::uint16:
      return f(TypeTag<uint16_t>{});
    case Dtype::uint32:
      return f(TypeTag<uint32_t>{});
    case Dtype::uint64:
      return f(TypeTag<uint64_t>{});
    case Dtype::int8:
      return f(TypeTag<int8_t>{});
    case Dtype::int16:
      return f(TypeTag<int16_t>{});
    case Dtype::int32:
      return f(TypeTag<int32_t>{});
    case Dtype::int64:
      return f(TypeTag<int64_t>{});
    case Dtype::float16:
      return f(TypeTag<float16_t>{});
    case Dtype::float32:
      return f(TypeTag<float>{});
    case Dtype::float64:
      return f(TypeTag<double>{});
    case Dtype::bfloat16:
      return f(TypeTag<bfloat16_t>{});
    case Dtype::complex64:
      return f(TypeTag<complex64_t>{});
  }
  __builtin_unreachable();
}

// The same over element widths, for kernels that only move data: 1, 2, 4 or 8 bytes.
template <class F>
decltype(auto) visit_width(size_t bytes, F&& f) {
  switch (bytes) {
    case 1:
      return f(TypeTag<uint8_t>{});
    case 2:
      return f(TypeTag<uint16_t>{});
    case 4:
      return f(TypeTag<uint32_t>{});
    default:
      return f(TypeTag<uint64_t>{});
  }
}

}  // namespace heddle
