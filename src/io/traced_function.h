// A function as program files hold it: inputs, constants, and primitives in an order in which each
// value comes before its use. Readers make it, writers store it.
#pragma once

#include "io/primitives.h"

namespace heddle::io {

// One step: a primitive of MLX's layout with its state, or an operation as it is.
struct Record {
  const Primitive* primitive = nullptr;
  State state = {};
  OpRef op = {};
  std::vector<int> inputs = {};  // slots
  int first_output = 0;          // results take consecutive slots
  int output_count = 0;
  size_t offset = 0;  // in the file that it was read from

  const std::string& name() const { return primitive ? primitive->name : op->name(); }
  Attributes attributes() const;
  // Its results for these inputs; `recorded` as in Reading. Throws what does not fit.
  Arrays results(const Arrays& in, const Avals& recorded, const Stream& stream) const;
};

struct TracedFunction {
  std::vector<std::string> keywords;  // sorted; they name the last inputs
  int input_count = 0;                // slots 0 ..< input_count
  std::vector<Aval> slots;            // of every value, as traced
  std::vector<std::pair<int, Array>> constants;
  std::vector<Record> records;
  std::vector<int> outputs;
  std::string structure;  // of the results, for .heddle files
  // (input, axis) of sizes that have to stay as traced in shapeless .heddle files.
  std::vector<std::pair<int, int>> fixed = {};

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
  std::vector<TracedFunction> functions;
};

// Builds the function's graph on these inputs. At sizes other than the traced ones, throws
// std::invalid_argument for a record that may hold one of those. What a record's reader refuses is
// told to `refuse` with the record, and thrown on unless that throws; so are, with `verify`,
// results that differ from what is recorded, which `refuse` must not pass over.
using Refuse = std::function<void(const Record&, const std::string& problem)>;
Arrays build(const TracedFunction& f, const Arrays& inputs, bool verify, const Refuse& refuse);

// Reads and verifies a file of functions as import_function does, and tells the callback each trace
// of it, in the records that export_function's callback sees.
FunctionFile describe_function(const std::string& path, const ExportCallback& callback);

}  // namespace heddle::io
