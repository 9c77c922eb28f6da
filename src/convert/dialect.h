// Dialects: the operations of a foreign format, and what they mean here.
//
// A format is a folder beside this file (`stub/` is one to copy). It takes a file apart into Calls
// (calls.h), with io's bounded readers, and knows two tables:
//   reader   from the name of a foreign operation to a few lines over the public ops, which are run
//            while the program is built for the sizes that it is called with;
//   writer   from the name of an op of heddle's to calls; what has no row is decomposed.
// What neither knows is refused by name. Nothing else says what is supported: a report is made by
// running the table dry.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/op.h"
#include "heddle/program.h"

namespace heddle::convert {

class Recorder;

// A number in a call's attributes that follows sizes: rest + the sum of factor * size.
struct FollowingNumber {
  size_t attribute;  // its place
  size_t element;    // of a list; 0 for a number
  int64_t rest;
  std::vector<std::pair<int, int64_t>> terms;  // (dimension, factor)
};

// How far factor and rest go, so that their sum stays in range.
inline constexpr int64_t most_following = int64_t{1} << 32;

// One operation of a foreign program.
struct Call {
  std::string name;
  Attributes attributes;
  std::vector<int> inputs;  // slots
  int first_output = 0;     // results take consecutive slots
  int output_count = 1;
  std::vector<FollowingNumber> following = {};
  Origin origin = {};
  size_t offset = 0;  // in the file that it was read from
};

// Why a call or an op cannot be read or written. What the public ops throw for bad arguments is
// R-OP-ARG.
class Refusal : public std::invalid_argument {
 public:
  Refusal(std::string issue_code, const std::string& problem, std::string what_to_do = "")
      : std::invalid_argument(problem), code(std::move(issue_code)), hint(std::move(what_to_do)) {}
  std::string code, hint;
};

// What a row that reads gets. `recorded` are shapes and dtypes that the file gives the results, of
// the trace if the program serves other sizes; empty if it gives none.
struct Reading {
  const Call& call;
  const Attributes& attributes;  // with the numbers that follow sizes
  const Arrays& in;
  const Avals& recorded;
  const Stream& stream;

  // By place: for formats that state all attributes in one order.
  bool flag(size_t i) const { return std::get<bool>(attributes[i].second); }
  int integer(size_t i) const { return static_cast<int>(size(i)); }
  int64_t size(size_t i) const { return std::get<int64_t>(attributes[i].second); }
  double real(size_t i) const { return std::get<double>(attributes[i].second); }
  Dtype dtype(size_t i) const { return std::get<Dtype>(attributes[i].second); }
  const std::string& text(size_t i) const { return std::get<std::string>(attributes[i].second); }
  const Shape& shape(size_t i) const { return std::get<Shape>(attributes[i].second); }
  std::vector<int> axes(size_t i) const {
    const auto& v = std::get<std::vector<int64_t>>(attributes[i].second);
    return {v.begin(), v.end()};
  }
  // By name, for formats that leave out what has a default: null if it is not there. Throws Refusal
  // for a value of another kind.
  template <class T>
  const T* find(const char* name) const {
    for (const auto& [key, value] : attributes) {
      if (key != name) continue;
      if (const T* found = std::get_if<T>(&value)) return found;
      throw Refusal("R-OP-ARG", fmt::format("the attribute {} is {}", name, to_string(value)));
    }
    return nullptr;
  }
  template <class T>
  T get(const char* name, T otherwise) const {
    if constexpr (std::is_same_v<T, double>) {  // a text format may write 2 for 2.0
      for (const auto& [key, value] : attributes) {
        const int64_t* whole = key == name ? std::get_if<int64_t>(&value) : nullptr;
        if (whole) return static_cast<double>(*whole);
      }
    }
    const T* found = find<T>(name);
    return found ? *found : otherwise;
  }
  // The numbers of an input that depends on sizes and constants alone. Throws Refusal
  // (B-SHAPE-DATA) for one that depends on the values of the program's inputs.
  std::vector<int64_t> numbers(size_t i) const;
};

struct ReaderRow {
  int min_inputs;
  int max_inputs;  // -1: any number
  std::function<Arrays(const Reading&)> read;
};

// What a row that writes gets: the op, its inputs and results (as slots of the recorder).
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
std::vector<int64_t> list(const auto& numbers) { return {numbers.begin(), numbers.end()}; }

// How an op is written: as calls, or as the same result by other ops.
struct WriterRow {
  // Records calls and gives the slots of the results.
  std::function<std::vector<int>(const Writing&)> write = {};
  // None of both: the op's own decomposition.
  std::function<Arrays(const Op&, const Arrays&, const Stream&)> lower = {};
  bool pins_sizes = false;  // its composition holds for the traced sizes only
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual const char* name() const = 0;  // in messages: "MLX"
  // Null for what no row knows; of an op that is decomposed then.
  virtual const ReaderRow* reader(const std::string& call) const = 0;
  virtual const WriterRow* writer(const Op& op) const = 0;
  // Whether a call means the same for inputs of any size: no attribute can be a size or a place.
  virtual bool follows_shapes(const Call& call) const;
  // Whether its calls can hold numbers that follow sizes.
  virtual bool holds_following_numbers() const { return false; }
};

// One whose rows are in tables.
class TableDialect : public Dialect {
 public:
  const ReaderRow* reader(const std::string& call) const override;
  const WriterRow* writer(const Op& op) const override;
  // The names of the rows, sorted: of calls that are read, of ops that are written.
  std::vector<std::string> calls() const;
  std::vector<std::string> ops() const;

 protected:
  std::unordered_map<std::string, ReaderRow> readers;
  std::unordered_map<std::string, WriterRow> writers;
};

}  // namespace heddle::convert
