// MLX's dialect: one row for each of its primitives, with its name, its attributes in the order of
// the file and how it becomes an operation when it is read; and one for each operation that is
// written otherwise than by its own decomposition. Version 1 of .heddle files held these primitives
// as well, and operations that MLX has not.
//
// Rows stand in rows_*.cpp, a function each per family, which dialect.cpp joins. Reading goes
// through the public functions, which check whatever a file may say; what they do not check, a row
// does.
#pragma once

#include "convert/dialect.h"

namespace heddle::convert::mlxfn {

// A version of MLX's format.
struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
};
inline constexpr Version metadata_since{0, 32, 1};

enum class Kind : uint8_t {
  boolean,
  integer,  // 32 bits
  size,     // 64 bits, not negative
  real32,
  real64,
  dtype,
  text,
  choice,   // an enumeration, 32 bits
  shape,    // vector of 32 bits
  strides,  // vector of 64 bits
  axes,     // vector of 32 bits
  sizes,    // vector of 64 bits, not negative
};

// One attribute.
struct Field {
  const char* name;
  Kind kind;
  int choices = 0;                 // of a choice: how many there are
  Version since{};                 // the first version of .mlxfn that holds it
  bool only_heddle = false;        // .mlxfn files never hold it, .heddle files of version 1 did
  AttributeValue missing = false;  // its value in files without it

  FieldInfo info() const;  // choices are integers here
  // Whether it is one of its choices, and not negative where it may not be.
  bool in_range(const AttributeValue& value) const;
};

struct Primitive {
  std::string name;
  std::vector<Field> fields;
  int min_inputs;
  int max_inputs;  // -1: any number
  std::function<Arrays(const Reading&)> read;
  Version written_since{};  // a file that holds it states at least this version
};

// The values of a primitive's fields, in their order.
using Values = std::vector<AttributeValue>;

// How one operation of heddle is written as MLX's primitives: as one of the same operands, as
// several (`write`), or as those of other operations (`lower`, else the op's own decomposition).
struct Spelling {
  std::string op;
  const char* primitive = nullptr;
  // The values of the primitive's fields; none: it has none.
  std::function<Values(const Writing&)> state = {};
  // More than one primitive with the operands as they are: records them and gives the results'
  // slots.
  std::function<std::vector<int>(const Writing&)> write = {};
  std::function<Arrays(const Op&, const Arrays&, const Stream&)> lower = {};
  bool pins_sizes = false;  // its composition holds for the traced sizes only
  bool broadcasts = false;  // operands are brought to one shape first
};

struct Rows {
  std::vector<Primitive> primitives;
  std::vector<Spelling> spellings;
};
Rows pointwise_rows();
Rows shape_rows();
Rows index_rows();
Rows reduce_rows();
Rows product_rows();
Rows fast_rows();
Rows linalg_rows();
Rows fft_rows();
Rows quantize_rows();

const Dialect& dialect();
// Null for what no row knows.
const Primitive* find_primitive(const std::string& name);

// For rows that write: records a primitive.
std::vector<int> emit(const Writing& w, const char* primitive, Values state, std::vector<int> in,
                      const Avals& out);
int emit_one(const Writing& w, const char* primitive, Values state, std::vector<int> in, Aval out);

}  // namespace heddle::convert::mlxfn
