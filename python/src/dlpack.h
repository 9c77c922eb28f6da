// The DLPack C interface (version 1.0), as the array libraries of Python exchange it in capsules.
// Layouts follow the DLPack specification, https://dmlc.github.io/dlpack/latest/c_api.html.
#pragma once

#include <cstdint>
#include <optional>

#include "heddle/dtype.h"

namespace heddle::python::dlpack {

inline constexpr int32_t cpu = 1;
inline constexpr uint64_t read_only = 1;
inline constexpr uint64_t is_copied = 2;

enum TypeCode : uint8_t {
  integer = 0,
  unsigned_integer = 1,
  floating = 2,
  bfloat = 4,
  complex = 5,
  boolean = 6
};

struct Type {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};

struct Place {
  int32_t type;
  int32_t id;
};

struct Tensor {
  void* data;
  Place device;
  int32_t ndim;
  Type dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};

// In a capsule named "dltensor".
struct Managed {
  Tensor tensor;
  void* context;
  void (*deleter)(Managed*);
};

// In a capsule named "dltensor_versioned".
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;
  Tensor tensor;
};

inline Type type_of(Dtype t) {
  uint8_t code = t == bfloat16    ? bfloat
                 : is_bool(t)     ? boolean
                 : is_unsigned(t) ? unsigned_integer
                 : is_integer(t)  ? integer
                 : is_complex(t)  ? complex
                                  : floating;
  return {code, static_cast<uint8_t>(8 * size_of(t)), 1};
}

// The dtype of elements, if there is one.
inline std::optional<Dtype> dtype_of(Type type) {
  if (type.lanes != 1) return std::nullopt;
  for (int i = 0; i < dtype_count; i++) {
    Type candidate = type_of(static_cast<Dtype>(i));
    if (candidate.code == type.code && candidate.bits == type.bits) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

}  // namespace heddle::python::dlpack
