// Functions as files. A function is traced with example arguments, its graph is written; the file
// runs anywhere, without the code that it was traced from. Two formats:
//   .mlxfn    MLX's own: each library runs the other's files. Operations that MLX cannot hold are
//             written as compositions of ones that it can.
//   .heddle   a safetensors container with the program as JSON in its metadata: each operation as
//   it
//             is, arguments by name and the structure of results included.
// The suffix of the path decides what is written, the content of a file what is read.
//
// Arrays that the function reads beside its arguments become constants of the file; what is made
// from them without being evaluated first is stored as the computation. Files are written when an
// exporter closes, atomically: an old file stays whole until the new one is complete. Reading never
// executes anything but array operations, checks every record by inferring its result anew, and
// refuses a file that lies with UnsafeFileError, which names file, offset and field.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/array.h"
#include "heddle/attribute.h"
#include "heddle/program.h"

namespace heddle {

struct ExportOptions {
  // Sizes may differ from those of the examples, ranks and dtypes not. At such sizes a call throws
  // std::invalid_argument, naming the operation, where one may hold a size of the examples.
  bool shapeless = false;
  std::string metadata;  // any text, kept beside the function
};

// Writes `fun`, traced with these examples, to `path`. Throws std::invalid_argument for operations
// that the format cannot hold, by name, and for a function that reads an example by another
// way than its arguments; std::runtime_error if the file cannot be written. Passes what `fun`
// throws.
void export_function(const std::string& path, const ExportedFunction& fun, const Arrays& args,
                     const NamedArguments& named = {}, const ExportOptions& options = {});
void export_function(const std::string& path, const std::function<Arrays(const Arrays&)>& fun,
                     const Arrays& args, const ExportOptions& options = {});

// Several traces of one function in one file: one for each kind of arguments.
class FunctionExporter {
 public:
  // Throws std::runtime_error if there is no folder at `path` to write to.
  FunctionExporter(std::string path, ExportedFunction fun, ExportOptions options = {});
  FunctionExporter(FunctionExporter&&) noexcept;
  FunctionExporter& operator=(FunctionExporter&&) noexcept;
  ~FunctionExporter();  // closes; an error is lost then

  // Traces the function for one more kind of arguments. Throws std::runtime_error after close() and
  // for a kind that is there already. A trace that fails leaves the others as they are.
  void operator()(const Arrays& args, const NamedArguments& named = {});
  // `structure`: JSON that a .heddle file keeps with the trace (see ImportedFunction::Result).
  void add(const ExportedFunction& fun, const Arrays& args, const NamedArguments& named,
           const std::function<std::string()>& structure);
  // Writes the file. More calls do nothing.
  void close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

FunctionExporter exporter(const std::string& path, ExportedFunction fun,
                          const ExportOptions& options = {});

// A function read from a file. Copies share it; calls from several threads are safe.
class ImportedFunction {
 public:
  struct Result {
    Arrays arrays;
    std::string structure;  // of the results, as JSON; empty where the file keeps none
  };

  // The results for arguments that fit a trace: in number, names, dtypes, ranks and, unless
  // the file is shapeless, shapes. Throws std::invalid_argument, listing the traces, if none fits.
  Arrays operator()(const Arrays& args, const NamedArguments& named = {}) const {
    return call(args, named).arrays;
  }
  Result call(const Arrays& args, const NamedArguments& named) const;
  const std::string& metadata() const;
  const std::string& version() const;  // of the format, as the file states it
  bool shapeless() const;

  struct State;
  explicit ImportedFunction(std::shared_ptr<const State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<const State> state_;
};

// Reads a .mlxfn or .heddle file; constants stay in the file, which is mapped, as far as their
// alignment allows. Work recorded for a GPU runs on the CPU. Throws std::runtime_error if the file
// cannot be opened, std::invalid_argument for an operation that heddle does not have, by name, and
// UnsafeFileError for a file that contradicts itself.
ImportedFunction import_function(const std::string& path);
// From memory, which is copied; `label` stands for the file in messages.
ImportedFunction import_function(const void* data, size_t bytes, const std::string& label);

// One attribute of a primitive, as files hold it.
using ExportValue = AttributeValue;

// What a callback sees of a traced function, in this order: one record each of the types "inputs",
// "keyword_inputs", "outputs" and "constants", then a "primitive" for every operation, in an
// order in which each array is known before it is used. Arrays are named A, B, ..., Z, AA, ...
struct ExportRecord {
  struct Named {
    std::string name;
    Shape shape;
    Dtype dtype;
  };
  std::string type;
  std::vector<Named> inputs;  // of the function, or of a primitive
  std::vector<Named> outputs;
  std::vector<std::pair<std::string, std::string>> keywords;  // argument, array
  std::vector<std::pair<std::string, Array>> constants;
  std::string name;                    // of the primitive, as in a .mlxfn file
  std::vector<ExportValue> arguments;  // its attributes in the order of the file
};
using ExportCallback = std::function<void(const ExportRecord&)>;
void export_function(const ExportCallback& callback, const ExportedFunction& fun,
                     const Arrays& args, const NamedArguments& named = {}, bool shapeless = false);

// The graph that leads to `outputs`, as far as it is not evaluated, in the language of Graphviz.
// Arrays without a name in `names`, by their id(), are called A, B, ...
using NodeNames = std::unordered_map<uintptr_t, std::string>;
std::string export_to_dot(const Arrays& outputs, const NodeNames& names = {});
// The same as text: inputs and outputs, then a line for each operation in the order of computing.
std::string print_graph(const Arrays& outputs, const NodeNames& names = {});

}  // namespace heddle
