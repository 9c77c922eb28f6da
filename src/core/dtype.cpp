#include "heddle/dtype.h"

namespace heddle {

std::string_view name_of(Dtype t) {
  constexpr std::string_view names[dtype_count] = {
      "bool",  "uint8", "uint16",  "uint32",  "uint64",  "int8",     "int16",
      "int32", "int64", "float16", "float32", "float64", "bfloat16", "complex64"};
  return names[static_cast<int>(t)];
}

std::string_view name_of(DtypeCategory c) {
  constexpr std::string_view names[] = {"complexfloating", "floating", "inexact", "signedinteger",
                                        "unsignedinteger", "integer",  "number",  "generic"};
  return names[static_cast<int>(c)];
}

Dtype promote_types(Dtype a, Dtype b) {
  if (a == b) return a;
  if (is_complex(a) || is_complex(b)) return Dtype::complex64;
  if (is_bool(a)) return b;
  if (is_bool(b)) return a;
  bool fa = is_floating(a), fb = is_floating(b);
  if (fa && fb) {
    if (a == Dtype::float64 || b == Dtype::float64) return Dtype::float64;
    return Dtype::float32;  // two different ones of f16, bf16, f32
  }
  if (fa) return a;
  if (fb) return b;
  bool ua = is_unsigned(a), ub = is_unsigned(b);
  if (ua == ub) return size_of(a) >= size_of(b) ? a : b;
  Dtype u = ua ? a : b, s = ua ? b : a;
  if (size_of(s) > size_of(u)) return s;
  switch (size_of(u)) {  // the next wider signed type; MLX gives float32 beyond int64
    case 1:
      return Dtype::int16;
    case 2:
      return Dtype::int32;
    case 4:
      return Dtype::int64;
    default:
      return Dtype::float32;
  }
}

DtypeCategory category_of(Dtype t) {
  if (is_bool(t)) return DtypeCategory::generic;
  if (is_unsigned(t)) return DtypeCategory::unsignedinteger;
  if (is_signed(t)) return DtypeCategory::signedinteger;
  if (is_complex(t)) return DtypeCategory::complexfloating;
  return DtypeCategory::floating;
}

bool issubdtype(DtypeCategory a, DtypeCategory b) {
  using C = DtypeCategory;
  auto parent = [](C c) {
    switch (c) {
      case C::complexfloating:
      case C::floating:
        return C::inexact;
      case C::signedinteger:
      case C::unsignedinteger:
        return C::integer;
      case C::inexact:
      case C::integer:
        return C::number;
      default:
        return C::generic;
    }
  };
  for (;; a = parent(a)) {
    if (a == b) return true;
    if (a == C::generic) return false;
  }
}

bool issubdtype(Dtype a, DtypeCategory b) { return issubdtype(category_of(a), b); }
bool issubdtype(Dtype a, Dtype b) { return a == b; }

}  // namespace heddle
