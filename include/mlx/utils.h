// Types of results, categories by name, streams.
#pragma once

#include <ostream>
#include <string>

#include "mlx/array.h"

namespace heddle {

inline constexpr DtypeCategory complexfloating = DtypeCategory::complexfloating;
inline constexpr DtypeCategory floating = DtypeCategory::floating;
inline constexpr DtypeCategory inexact = DtypeCategory::inexact;
inline constexpr DtypeCategory signedinteger = DtypeCategory::signedinteger;
inline constexpr DtypeCategory unsignedinteger = DtypeCategory::unsignedinteger;
inline constexpr DtypeCategory integer = DtypeCategory::integer;
inline constexpr DtypeCategory number = DtypeCategory::number;
inline constexpr DtypeCategory generic = DtypeCategory::generic;

inline std::ostream& operator<<(std::ostream& stream, Dtype t) { return stream << name_of(t); }

inline Dtype result_type(const Array& a, const Array& b) {
  return promote_types(a.dtype(), b.dtype());
}
inline Dtype result_type(const Array& a, const Array& b, const Array& c) {
  return promote_types(result_type(a, b), c.dtype());
}
inline Dtype result_type(const Arrays& arrays) {
  Dtype type = bool_;
  for (const Array& a : arrays) type = promote_types(type, a.dtype());
  return type;
}
inline int normalize_axis_index(int axis, int ndim, const std::string& prefix = "") {
  return normalize_axis(prefix.c_str(), axis, ndim);
}

inline Stream to_stream(const StreamOrDevice& s, Device otherwise) {
  return s.kind == StreamOrDevice::Kind::none ? default_stream(otherwise) : to_stream(s);
}
inline Stream stream_from_thread_local_stream(const ThreadLocalStream& s) { return to_stream(s); }
inline void synchronize(const ThreadLocalStream& s) { synchronize(to_stream(s)); }

}  // namespace heddle
