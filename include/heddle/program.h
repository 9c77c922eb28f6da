// Programs: what a function, a file or a foreign framework's graph computes, as data. A program has
// named inputs and outputs, steps that know where in their source they come from, and constants. It
// can be called, looked at, compared with what it was made of, and written in the formats that
// there are. What cannot be read or written is refused by name, all of it at once: see Report.
//
// A program is built for the sizes of its inputs when it is first called with them; so many builds
// are kept, the least recently used go. Copies share everything; calls from several threads are
// safe. A program holds no device: it runs where its caller's default stream is.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "heddle/array.h"
#include "heddle/attribute.h"

namespace heddle {

using NamedArguments = std::map<std::string, Array>;
// What is captured or exported: from positional and named arguments to results.
using ExportedFunction = std::function<Arrays(const Arrays&, const NamedArguments&)>;

// Where in its source a step comes from. Empty: not known.
struct Origin {
  std::string name;         // of the node
  std::string module_path;  // "encoder.layers.0.attention"
  std::string location;     // "model.py:42"
  bool operator==(const Origin&) const = default;
};

// Something to say about one step.
struct Issue {
  enum class Severity : uint8_t { note, warning, error };
  std::string code;  // "R-OP-UNKNOWN"; does not change from version to version
  Severity severity = Severity::error;
  std::string op;       // as the source or the target calls it
  std::string message;  // what does not fit
  std::string hint;     // what can be done; may be empty
  Origin origin;
};

// What reading or writing a program found, by doing it: no list of names is asked. After a step
// that cannot be, the following ones are tried as far as they are known.
struct Report {
  std::string dialect;  // whose operations
  int steps = 0;        // in all
  int supported = 0;    // that can be read or written
  std::vector<Issue> issues;

  bool runnable() const;    // no issue is an error
  double coverage() const;  // supported / steps; NaN if there are none
  std::string to_json() const;
};
std::string to_string(const Report& report);  // a line for each issue

// A program that cannot be read, or written in some format, with all reasons.
class ConversionError : public std::invalid_argument {
 public:
  ConversionError(const std::string& what, Report all)
      : std::invalid_argument(what), report(std::move(all)) {}
  Report report;
};

// How far results may be from those of a reference: |a - b| <= relative * (|b| + scale), where
// scale is the largest finite |b| of that result. Integers, booleans, and where NaN and infinities
// are, must agree exactly. Negative: 1e-5 for float32 and float64, 2e-3 for float16, 1.6e-2 for
// bfloat16.
struct Tolerance {
  double relative = -1;
};

// What comparing with a reference found.
struct Verification {
  bool ok = true;
  double max_abs = 0;              // largest difference of a number, of all results
  double max_rel = 0;              // largest difference over (|b| + scale)
  std::string problem;             // of the first result that differs; empty if none does
  std::string first_diverging_op;  // where the reference tells values of steps; else empty
  Origin origin;                   // of that
};

// What a program is compared with: its results for the same arguments and, if `value_of` is set,
// values of steps (an empty handle: not known), which find the first one that differs.
struct Reference {
  ExportedFunction function;
  std::function<Array(const Origin& origin, const std::string& output)> value_of = {};
};

class Program {
 public:
  // A value that comes in or goes out. A size that may be another at each call has a name in
  // `dimensions` ("input_0.1" where nobody gave it one), and the number that it had when the
  // program was made in `shape`; sizes of the same name are equal. Other names are empty.
  struct Value {
    std::string name;
    Shape shape;
    std::vector<std::string> dimensions;
    Dtype dtype = float32;
  };
  struct Step {
    std::string op;  // as the format that the program came from calls it
    Attributes attributes;
    std::vector<std::string> inputs, outputs;
    Origin origin;
  };
  // For each input, for each of its axes, the name of a size that may be another at each call, or
  // an empty text; inputs or axes beyond the list have none.
  using Dimensions = std::vector<std::vector<std::string>>;

  // Captures what `fun` does with arguments like these. For the sizes in `dimensions` it is traced
  // at others as well: numbers that it computed from them (a * size + b) follow them from then on.
  // Throws ConversionError where they do not, naming operation and attribute, where the function
  // does not run at other sizes, and for operations that cannot leave the process;
  // A branch on a size is seen where it goes another way at one less, one and three more, twice as
  // much, or one (calls of size one are refused then), and not beyond.
  // std::invalid_argument for names that do not fit the arguments. Passes what `fun` throws.
  static Program trace(const ExportedFunction& fun, const Arrays& args,
                       const NamedArguments& named = {}, const Dimensions& dimensions = {});
  // Reads a file, of a kind found by its content: .heddle and .mlxfn files that hold one function
  // (import_function takes those of several). Throws as import_function does.
  static Program load(const std::string& path);

  // The results. Throws std::invalid_argument for arguments that are not as `inputs()` says.
  Arrays operator()(const Arrays& args, const NamedArguments& named = {}) const;

  // Positional arguments first; the names of the others are those of the arguments.
  std::vector<Value> inputs() const;
  std::vector<Value> outputs() const;
  // How many of the inputs are positional.
  size_t positional_count() const;
  // The tree of the results as JSON: a number is the number of a result, else {"list": [tree,
  // ...]},
  // {"tuple": ...}, {"dict": [[key, tree], ...]} or {"value": ...}. Empty: a flat list.
  const std::string& structure() const;
  // That of the arguments, {"tuple": [positional, by name]}, where a language with trees made it:
  // the inputs are then all positional, in the tree's order. Empty: as they are.
  const std::string& input_structure() const;
  std::vector<Step> steps() const;
  std::vector<std::pair<std::string, Array>> constants() const;
  // How it was read.
  const Report& report() const;

  // What saving as this format would say ("heddle", "mlxfn"), without writing.
  Report check(const std::string& format) const;
  // Writes the file whose format the suffix names (.heddle, .mlxfn), atomically. Throws
  // ConversionError, with all that the format cannot hold, std::runtime_error if it cannot be
  // written.
  void save(const std::string& path) const;

  // Compares with a reference on these arguments.
  Verification verify(const Reference& reference, const Arrays& args,
                      const NamedArguments& named = {}, Tolerance tolerance = {}) const;

  struct State;
  explicit Program(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  const State& state() const { return *state_; }

 private:
  std::shared_ptr<const State> state_;
};

}  // namespace heddle
