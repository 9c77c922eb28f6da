// A function as a foreign format holds it: inputs, constants, and calls in an order in which each
// value comes before its use. Files are taken apart into it and put together from it.
#pragma once

#include "convert/dialect.h"

namespace heddle::convert {

// A size that may be another at each call, and where it stands: (input, axis).
struct Dimension {
  std::string name;  // empty: nobody gave it one
  std::vector<std::pair<int, int>> axes;
  int64_t least = 0;  // at smaller sizes the function is another one
};

struct Calls {
  std::vector<std::string> keywords;  // sorted; they name the last inputs
  int input_count = 0;                // slots 0 ..< input_count
  std::vector<Aval> slots;            // of every value, as traced
  std::vector<std::pair<int, Array>> constants;
  std::vector<Call> calls;
  std::vector<int> outputs;
  std::string structure;        // of the results (Program::structure)
  std::string input_structure;  // of the arguments (Program::input_structure)
  // Sizes that calls follow; those of a shapeless function that have to stay as traced, (input,
  // axis); and those of them that numbers depend on.
  std::vector<Dimension> dimensions = {};
  std::vector<std::pair<int, int>> fixed = {}, needed = {};
  // All numbers that depend on sizes follow them, as in a graph that computes with sizes. Not so in
  // traces, which may hold sizes of their inputs anywhere: what they hold is judged (OtherSizes).
  bool follows_sizes = true;
  bool results_recorded = true;         // slots of results hold their shapes and dtypes
  std::vector<std::string> names = {};  // of slots, where the format has them

  // "x" as the format calls it, else the keyword, "input_0" or "value_7".
  std::string name_of(int slot) const;

  int add_slot(Aval a) {
    slots.push_back(std::move(a));
    return static_cast<int>(slots.size()) - 1;
  }
  size_t positional_count() const { return static_cast<size_t>(input_count) - keywords.size(); }
};

// A whole file.
struct FunctionFile {
  std::string version;  // as the file states it
  bool shapeless = false;
  std::string metadata;
  std::vector<Calls> functions;
  const Dialect* dialect = nullptr;
};

// What to do about a call that cannot be read: throw, or nothing, and what was thrown is thrown on.
using Refuse = std::function<void(const Call&, const std::string& problem)>;

struct Building {
  // Results that differ from what is recorded are refused too; `refuse` must not pass over them.
  bool verify = false;
  Refuse refuse = [](const Call&, const std::string&) {};
  // Told of every call that was built.
  std::function<void(const Call&, const Arrays& results)> built = {};
};

// Builds the function's graph on these inputs. At sizes other than the traced ones, throws
// std::invalid_argument for a call that may hold one of those.
Arrays build(const Calls& f, const Dialect& dialect, const Arrays& inputs,
             const Building& how = {});

// The same on placeholders of the traced inputs, for the sake of what is refused: all of it. Shapes
// and dtypes of results that the format does not record are noted in `f`.
Report read_dry(Calls& f, const Dialect& dialect);

}  // namespace heddle::convert
