// MLX's format of functions: one row for each primitive, with its name, its state (the attributes
// in the order of the file) and how it becomes an operation when it is read; and one for each
// operation that is written otherwise than by its own decomposition. (.heddle files hold operations
// as they are. Their version 1 held these primitives, and operations that MLX has not.)
//
// Rows stand in primitives_*.cpp, a function each per family, which tables.cpp joins. Reading goes
// through the public functions, which check whatever a file may say; what they do not check, a row
// does.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/op.h"
#include "heddle/export.h"

namespace heddle::io {

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
  int choices = 0;              // of a choice: how many there are
  Version since{};              // the first version of .mlxfn that holds it
  bool only_heddle = false;     // .mlxfn files never hold it, .heddle files of version 1 did
  ExportValue missing = false;  // its value in files without it
};

// The values of a primitive's fields, in their order; kinds are as the fields say.
class State {
 public:
  std::vector<ExportValue> values;

  bool flag(size_t i) const { return std::get<bool>(values[i]); }
  int integer(size_t i) const { return static_cast<int>(std::get<int64_t>(values[i])); }
  int64_t size(size_t i) const { return std::get<int64_t>(values[i]); }
  double real(size_t i) const { return std::get<double>(values[i]); }
  Dtype dtype(size_t i) const { return std::get<Dtype>(values[i]); }
  const std::string& text(size_t i) const { return std::get<std::string>(values[i]); }
  const Shape& shape(size_t i) const { return std::get<Shape>(values[i]); }
  std::vector<int> axes(size_t i) const {
    const auto& v = std::get<std::vector<int64_t>>(values[i]);
    return std::vector<int>(v.begin(), v.end());
  }
};

// What a row's reader gets. `recorded` are the shapes and dtypes that the file gives the results;
// in shapeless files the shapes are only those of the trace.
struct Reading {
  const State& state;
  const Arrays& in;
  const Avals& recorded;
  Stream stream;
};

struct Primitive {
  std::string name;
  std::vector<Field> fields;
  int min_inputs;
  int max_inputs;  // -1: any number
  std::function<Arrays(const Reading&)> read;
  Version written_since{};  // a file that holds it states at least this version
};

class Recorder;

// What a row's writer gets: the operation, its inputs and results (as slots of the recorder).
struct Writing {
  const Op& op;
  std::vector<int> in;
  const Avals& out;
  Recorder& to;
};

template <class T>
const T& op_of(const Writing& w) {
  return op_as<T>(w.op);
}
// The values of a primitive's state, and a list among them.
using Values = std::vector<ExportValue>;
std::vector<int64_t> list(const auto& numbers) { return {numbers.begin(), numbers.end()}; }

// How one operation of heddle is written as MLX's primitives: one of the same operands, several
// (`write`), or those of other operations (`lower`, else the op's own decomposition).
struct Spelling {
  std::string op;
  const char* primitive = nullptr;
  // The state of the primitive; none: no attributes.
  std::function<std::vector<ExportValue>(const Writing&)> state = {};
  // More than one primitive with the operands as they are: records them and gives the results'
  // slots.
  std::function<std::vector<int>(const Writing&)> write = {};
  // The same result by other operations, for .mlxfn files; none: the op's own decomposition.
  std::function<Arrays(const Op&, const Arrays&, const Stream&)> lower = {};
  bool pins_sizes = false;  // its composition holds for the traced sizes only
  bool broadcasts = false;  // operands are brought to one shape first, in .mlxfn files
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

// Null for what no row knows.
const Primitive* find_primitive(const std::string& name);
const Spelling* find_spelling(const std::string& op);

}  // namespace heddle::io
