// Element types, as a class of MLX's form around heddle's enumeration.
#pragma once

#include <concepts>
#include <cstdint>
#include <ostream>
#include <type_traits>

#include "heddle/dtype.h"
#include "mlx/api.h"
#include "mlx/types/complex.h"
#include "mlx/types/half_types.h"

namespace mlx::core {

class Dtype {
 public:
  using Val = heddle::Dtype;
  enum class Kind { b, u, i, f, c, V };  // V: bfloat16, as numpy's files name it
  enum class Category {
    complexfloating,
    floating,
    inexact,
    signedinteger,
    unsignedinteger,
    integer,
    number,
    generic
  };

  constexpr explicit Dtype(Val val, uint8_t size) : val_(val), size_(size) {}
  constexpr Dtype(Val val) : Dtype(val, static_cast<uint8_t>(heddle::size_of(val))) {}

  constexpr operator Val() const { return val_; }
  constexpr Val val() const { return val_; }
  constexpr uint8_t size() const { return size_; }

 private:
  Val val_;
  uint8_t size_;
};

inline constexpr Dtype bool_{Dtype::Val::bool_};
inline constexpr Dtype uint8{Dtype::Val::uint8};
inline constexpr Dtype uint16{Dtype::Val::uint16};
inline constexpr Dtype uint32{Dtype::Val::uint32};
inline constexpr Dtype uint64{Dtype::Val::uint64};
inline constexpr Dtype int8{Dtype::Val::int8};
inline constexpr Dtype int16{Dtype::Val::int16};
inline constexpr Dtype int32{Dtype::Val::int32};
inline constexpr Dtype int64{Dtype::Val::int64};
inline constexpr Dtype float16{Dtype::Val::float16};
inline constexpr Dtype float32{Dtype::Val::float32};
inline constexpr Dtype float64{Dtype::Val::float64};
inline constexpr Dtype bfloat16{Dtype::Val::bfloat16};
inline constexpr Dtype complex64{Dtype::Val::complex64};

inline constexpr Dtype::Category complexfloating = Dtype::Category::complexfloating;
inline constexpr Dtype::Category floating = Dtype::Category::floating;
inline constexpr Dtype::Category inexact = Dtype::Category::inexact;
inline constexpr Dtype::Category signedinteger = Dtype::Category::signedinteger;
inline constexpr Dtype::Category unsignedinteger = Dtype::Category::unsignedinteger;
inline constexpr Dtype::Category integer = Dtype::Category::integer;
inline constexpr Dtype::Category number = Dtype::Category::number;
inline constexpr Dtype::Category generic = Dtype::Category::generic;

namespace detail {

// MLX's categories have the order of heddle's.
static_assert(static_cast<int>(generic) == static_cast<int>(heddle::DtypeCategory::generic) &&
              static_cast<int>(integer) == static_cast<int>(heddle::DtypeCategory::integer));
inline heddle::DtypeCategory category(Dtype::Category c) {
  return static_cast<heddle::DtypeCategory>(c);
}

}  // namespace detail

inline bool issubdtype(const Dtype& a, const Dtype& b) {
  return heddle::issubdtype(a.val(), b.val());
}
// A category is a part of no type.
inline bool issubdtype(const Dtype::Category&, const Dtype&) { return false; }
inline bool issubdtype(const Dtype& a, const Dtype::Category& b) {
  return heddle::issubdtype(a.val(), detail::category(b));
}
inline bool issubdtype(const Dtype::Category& a, const Dtype::Category& b) {
  return heddle::issubdtype(detail::category(a), detail::category(b));
}
inline Dtype promote_types(const Dtype& a, const Dtype& b) {
  return heddle::promote_types(a.val(), b.val());
}
inline uint8_t size_of(const Dtype& t) { return t.size(); }
inline Dtype::Kind kindof(const Dtype& t) {
  if (t == bool_) return Dtype::Kind::b;
  if (t == bfloat16) return Dtype::Kind::V;
  if (t == complex64) return Dtype::Kind::c;
  if (heddle::is_unsigned(t)) return Dtype::Kind::u;
  return heddle::is_integer(t) ? Dtype::Kind::i : Dtype::Kind::f;
}

namespace detail {

// heddle's dtype of what lies in memory as a T; `known` if arrays hold such elements.
template <class T>
struct MemoryDtype {
  static constexpr bool known = false;
  static constexpr heddle::Dtype value = heddle::Dtype::float32;
};
template <class T>
  requires(std::is_arithmetic_v<T> && !std::is_same_v<T, long double>)
struct MemoryDtype<T> {
  static constexpr bool known = true;
  static constexpr heddle::Dtype of() {
    constexpr int width = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    constexpr heddle::Dtype with_sign[] = {heddle::int8, heddle::int16, heddle::int32,
                                           heddle::int64};
    constexpr heddle::Dtype without[] = {heddle::uint8, heddle::uint16, heddle::uint32,
                                         heddle::uint64};
    if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>) {
      return heddle::dtype_of<T>;
    } else {
      return std::is_signed_v<T> ? with_sign[width] : without[width];
    }
  }
  static constexpr heddle::Dtype value = of();
};
template <std::derived_from<heddle::float16_t> T>
struct MemoryDtype<T> {
  static constexpr bool known = true;
  static constexpr heddle::Dtype value = heddle::Dtype::float16;
};
template <std::derived_from<heddle::bfloat16_t> T>
struct MemoryDtype<T> {
  static constexpr bool known = true;
  static constexpr heddle::Dtype value = heddle::Dtype::bfloat16;
};
template <std::derived_from<std::complex<float>> T>
struct MemoryDtype<T> {
  static constexpr bool known = true;
  static constexpr heddle::Dtype value = heddle::Dtype::complex64;
};

}  // namespace detail

// The dtype that values of a C++ type get: doubles that of float.
template <class T>
struct TypeToDtype {
  operator Dtype() const {
    return std::is_same_v<T, double> ? float32 : Dtype(detail::MemoryDtype<T>::value);
  }
};

inline std::ostream& operator<<(std::ostream& stream, const Dtype& t) {
  return stream << heddle::name_of(t);
}
inline std::ostream& operator<<(std::ostream& stream, const Dtype::Kind& k) {
  return stream << "buifcV"[static_cast<int>(k)];
}

}  // namespace mlx::core
