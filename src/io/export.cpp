// export_function and import_function: from traces to files and back.
#include "heddle/export.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/node.h"
#include "heddle/io.h"
#include "io/following_sizes.h"
#include "io/heddle_file.h"
#include "io/mlxfn.h"
#include "io/reader.h"
#include "io/recorder.h"
#include "ops/following.h"

namespace heddle {
namespace {

using io::Dialect;
using io::FunctionFile;
using io::TracedFunction;

constexpr const char* op = "export_function";

// The arguments of a call in the order of a file's inputs.
struct Arguments {
  Arrays arrays;
  std::vector<std::string> keywords;

  Arguments(const Arrays& args, const NamedArguments& named) : arrays(args) {
    for (const auto& [name, array] : named) {
      keywords.push_back(name);
      arrays.push_back(array);
    }
  }
};

bool fits(const TracedFunction& f, const Arguments& a, bool shapeless) {
  if (static_cast<size_t>(f.input_count) != a.arrays.size() || f.keywords != a.keywords)
    return false;
  for (size_t i = 0; i < a.arrays.size(); i++) {
    const Aval& wanted = f.slots[i];
    const Array& given = a.arrays[i];
    if (given.dtype() != wanted.dtype) return false;
    if (shapeless ? given.shape().size() != wanted.shape.size()
                  : !(given.shape() == wanted.shape)) {
      return false;
    }
  }
  return true;
}

TracedFunction trace(const ExportedFunction& fun, const Arrays& args, const NamedArguments& named,
                     Dialect dialect, bool shapeless,
                     const std::function<std::string()>& structure = nullptr) {
  TracingScope tracing;
  std::optional<FollowingScope> following;
  if (shapeless) following.emplace();
  Arguments given(args, named);
  auto trace_at = [&](const std::vector<Shape>& shapes) {
    io::Traced t;
    for (size_t i = 0; i < shapes.size(); i++) {
      t.inputs.push_back(placeholder(shapes[i], given.arrays[i].dtype()));
    }
    size_t next = args.size();
    NamedArguments stand_ins;
    for (const auto& [name, array] : named) stand_ins[name] = t.inputs[next++];
    t.outputs =
        fun(Arrays(t.inputs.begin(), t.inputs.begin() + static_cast<long>(args.size())), stand_ins);
    return t;
  };
  std::vector<Shape> shapes;
  for (const Array& a : given.arrays) shapes.push_back(a.shape());
  io::Traced traced = trace_at(shapes);
  const std::string shown = structure ? structure() : "";  // of this trace
  std::vector<std::pair<int, int>> fixed;
  if (following && following->size_was_read()) {
    io::FollowedSizes followed = io::follow_sizes(traced, trace_at);
    traced.outputs = std::move(followed.outputs);
    fixed = std::move(followed.fixed);
  }
  TracedFunction f =
      io::Recorder(dialect, shapeless).record(traced.inputs, given.keywords, traced.outputs);
  f.fixed = std::move(fixed);
  f.structure = shown;
  // Another thread may write the file.
  for (const auto& [slot, constant] : f.constants) constant.eval();
  for (const auto& [slot, constant] : f.constants) {
    for (const Array& a : given.arrays) {
      if (a.same_as(constant)) {
        throw std::invalid_argument(
            "[export_function] The function reads an example by another way than its arguments: "
            "uncaptured inputs are not allowed. Pass the array, or give a copy as the example.");
      }
    }
  }
  return f;
}

// Text as MLX lists arguments.
std::string listing(const std::vector<Aval>& avals, const std::vector<std::string>& keywords,
                    const char* indent) {
  std::string out;
  size_t positional = avals.size() - keywords.size();
  for (size_t i = 0; i < avals.size(); i++) {
    std::string name =
        i < positional ? std::to_string(i + 1) : fmt::format("\"{}\"", keywords[i - positional]);
    out += fmt::format("{}{}: {} {}\n", indent, name, to_string(avals[i].shape),
                       name_of(avals[i].dtype));
  }
  return out;
}
std::string counts(size_t inputs, size_t keywords) {
  return fmt::format("{} positional inputs and {} keyword inputs:\n", inputs - keywords, keywords);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Export

struct FunctionExporter::State {
  std::string path;
  ExportedFunction fun;
  FunctionFile file;
  bool closed = false;

  Dialect dialect() const {
    return path.ends_with(io::heddle_suffix) ? Dialect::heddle : Dialect::mlx;
  }
};

FunctionExporter::FunctionExporter(std::string path, ExportedFunction fun, ExportOptions options)
    : state_(new State{std::move(path), std::move(fun), {}, false}) {
  state_->file.shapeless = options.shapeless;
  state_->file.metadata = std::move(options.metadata);
  size_t slash = state_->path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : state_->path.substr(0, slash + 1);
  errno = EINVAL;
  if (state_->path.empty() || state_->path.back() == '/' ||
      access(folder.c_str(), W_OK | X_OK) != 0) {
    const int number = errno;
    throw FileError(fmt::format("[{}] Failed to open {}", op, io::shown_path(state_->path)),
                    state_->path, number);
  }
}
FunctionExporter::FunctionExporter(FunctionExporter&&) noexcept = default;
FunctionExporter& FunctionExporter::operator=(FunctionExporter&&) noexcept = default;
FunctionExporter::~FunctionExporter() {
  if (!state_ || state_->closed || state_->file.functions.empty()) return;
  try {
    close();
  } catch (...) {
  }
}

void FunctionExporter::operator()(const Arrays& args, const NamedArguments& named) {
  add(state_->fun, args, named, nullptr);
}

void FunctionExporter::add(const ExportedFunction& fun, const Arrays& args,
                           const NamedArguments& named,
                           const std::function<std::string()>& structure) {
  if (state_->closed) {
    throw std::runtime_error("[export_function] Attempting to write after exporting is closed.");
  }
  Arguments given(args, named);
  for (const TracedFunction& f : state_->file.functions) {
    if (fits(f, given, state_->file.shapeless)) {
      throw std::runtime_error(
          "[export_function] Attempting to export a function twice with the same signature is not "
          "allowed.");
    }
  }
  state_->file.functions.push_back(
      trace(fun, args, named, state_->dialect(), state_->file.shapeless, structure));
}

void FunctionExporter::close() {
  if (state_->closed) return;
  state_->closed = true;
  io::write_atomically(op, state_->path, [&](const WriteFunction& sink) {
    (state_->dialect() == Dialect::heddle ? io::write_heddle : io::write_mlxfn)(state_->file, sink);
  });
}

FunctionExporter exporter(const std::string& path, ExportedFunction fun,
                          const ExportOptions& options) {
  return FunctionExporter(path, std::move(fun), options);
}

void export_function(const std::string& path, const ExportedFunction& fun, const Arrays& args,
                     const NamedArguments& named, const ExportOptions& options) {
  FunctionExporter e(path, fun, options);
  e(args, named);
  e.close();
}
void export_function(const std::string& path, const std::function<Arrays(const Arrays&)>& fun,
                     const Arrays& args, const ExportOptions& options) {
  export_function(
      path, [&](const Arrays& a, const NamedArguments&) { return fun(a); }, args, {}, options);
}

// ---------------------------------------------------------------------------------------------
// Callbacks

namespace {

// A, B, ..., Z, AA, AB, ...
std::string letters(size_t n) {
  std::string out;
  for (n++; n > 0; n = (n - 1) / 26) out.insert(out.begin(), static_cast<char>('A' + (n - 1) % 26));
  return out;
}

class Naming {
 public:
  explicit Naming(const TracedFunction& f) : f_(f), names_(f.slots.size()) {}

  const std::string& of(int slot) {
    std::string& name = names_[static_cast<size_t>(slot)];
    if (name.empty()) name = letters(next_++);
    return name;
  }
  ExportRecord::Named named(int slot) {
    const Aval& a = f_.slots[static_cast<size_t>(slot)];
    return {of(slot), a.shape, a.dtype};
  }

 private:
  const TracedFunction& f_;
  std::vector<std::string> names_;
  size_t next_ = 0;
};

void tell(const TracedFunction& f, const ExportCallback& callback) {
  Naming naming(f);
  ExportRecord inputs, keywords, outputs, constants;
  inputs.type = "inputs";
  for (int i = 0; i < f.input_count; i++) inputs.inputs.push_back(naming.named(i));
  callback(inputs);
  keywords.type = "keyword_inputs";
  for (size_t k = 0; k < f.keywords.size(); k++) {
    keywords.keywords.emplace_back(f.keywords[k],
                                   naming.of(static_cast<int>(f.positional_count() + k)));
  }
  callback(keywords);
  outputs.type = "outputs";
  for (int o : f.outputs) outputs.outputs.push_back(naming.named(o));
  callback(outputs);
  constants.type = "constants";
  for (const auto& [slot, array] : f.constants)
    constants.constants.emplace_back(naming.of(slot), array);
  callback(constants);
  for (const io::Record& r : f.records) {
    ExportRecord primitive;
    primitive.type = "primitive";
    primitive.name = r.name();
    for (int i : r.inputs) primitive.inputs.push_back(naming.named(i));
    for (int k = 0; k < r.output_count; k++)
      primitive.outputs.push_back(naming.named(r.first_output + k));
    const Attributes attributes = r.attributes();
    for (size_t i = 0; i < attributes.size(); i++) {
      if (r.primitive && r.primitive->fields[i].only_heddle) continue;
      primitive.arguments.push_back(attributes[i].second);
    }
    callback(primitive);
  }
}

}  // namespace

void export_function(const ExportCallback& callback, const ExportedFunction& fun,
                     const Arrays& args, const NamedArguments& named, bool shapeless) {
  tell(trace(fun, args, named, Dialect::mlx, shapeless), callback);
}

// ---------------------------------------------------------------------------------------------
// Import

struct ImportedFunction::State {
  FunctionFile file;
  std::vector<Graph> programs;  // one for each function, unless the file is shapeless
};

namespace {

// Every record is built once, on the inputs of the trace, and its result compared with what the
// file says.
Graph verified(const TracedFunction& f, const std::string& label) {
  TracingScope tracing;
  Arrays inputs;
  for (int i = 0; i < f.input_count; i++) {
    const Aval& a = f.slots[static_cast<size_t>(i)];
    inputs.push_back(placeholder(a.shape, a.dtype));
  }
  Arrays outputs = io::build(f, inputs, true, [&](const io::Record& r, const std::string& problem) {
    throw UnsafeFileError(fmt::format("[import_function] {}: offset {}, primitive {}: {}", label,
                                      r.offset, r.name(), problem));
  });
  Graph graph = capture(inputs, outputs, nullptr, Capturing::everything);
  simplify(graph);
  return graph;
}

using Imported = std::shared_ptr<const ImportedFunction::State>;

Imported imported(FunctionFile file, const std::string& label) {
  auto state = std::make_shared<ImportedFunction::State>();
  // Constants that are fetched when they are first needed are fetched by any thread.
  static const Stream anyones = new_thread_unsafe_stream(Device{});
  for (const TracedFunction& f : file.functions) {
    for (const auto& [slot, constant] : f.constants) {
      if (!constant.is_available()) constant.node()->stream = anyones.index;
    }
  }
  for (const TracedFunction& f : file.functions) {
    Graph graph = verified(f, label);
    if (!file.shapeless) state->programs.push_back(std::move(graph));
  }
  state->file = std::move(file);
  return state;
}

// Reads from memory in pieces, as from a stream.
ReadFunction reader_of(const io::Bytes& bytes) {
  return [bytes, at = uint64_t{0}](void* to, size_t n) mutable {
    n = std::min<uint64_t>(n, bytes.size - at);
    if (n > 0) std::memcpy(to, bytes.data + at, n);
    at += n;
    return n;
  };
}

// A safetensors file begins with the length of its header and a brace.
bool looks_like_safetensors(const io::Bytes& bytes) {
  return bytes.size > 8 && bytes.data[8] == '{';
}

Imported imported(const io::Bytes& bytes, const std::string& file, bool is_path) {
  const std::string label = io::shown_path(file);
  if (io::looks_like_mlxfn(bytes)) return imported(io::read_mlxfn(bytes, label), label);
  if (!looks_like_safetensors(bytes)) {
    throw UnsafeFileError(
        fmt::format("[import_function] {}: offset 0, version: the {} bytes are neither a .mlxfn "
                    "nor a .heddle file.",
                    label, bytes.size));
  }
  auto [tensors, metadata] =
      is_path ? load_safetensors(file) : load_safetensors(reader_of(bytes), label);
  return imported(io::read_heddle({std::move(tensors), std::move(metadata)}, label), label);
}

}  // namespace

ImportedFunction import_function(const std::string& path) {
  return ImportedFunction(imported(io::map_file("import_function", path), path, true));
}
ImportedFunction import_function(const void* data, size_t bytes, const std::string& label) {
  const io::Bytes content{BufferRef(), static_cast<const char*>(data), bytes};
  return ImportedFunction(imported(content, label, false));
}

FunctionFile io::describe_function(const std::string& path, const ExportCallback& callback) {
  const Imported read = imported(map_file("import_function", path), path, true);
  for (const TracedFunction& f : read->file.functions) tell(f, callback);
  return read->file;
}

namespace {

// Sizes that a number of the file was computed from.
void check_fixed(const TracedFunction& f, const Arrays& inputs) {
  for (auto [input, axis] : f.fixed) {
    const int64_t was = f.slots[static_cast<size_t>(input)].shape[static_cast<size_t>(axis)];
    const int64_t is = inputs[static_cast<size_t>(input)].shape(axis);
    if (is == was) continue;
    throw std::invalid_argument(fmt::format(
        "[ImportedFunction] Axis {} of input {} has size {} where the export had {}: the function "
        "computes a number from it that does not follow it. Export the function at this size too, "
        "with an exporter that is not shapeless, or compute the number with arrays.",
        axis, input, is, was));
  }
}

}  // namespace

ImportedFunction::Result ImportedFunction::call(const Arrays& args,
                                                const NamedArguments& named) const {
  Arguments given(args, named);
  const FunctionFile& file = state_->file;
  for (size_t k = 0; k < file.functions.size(); k++) {
    const TracedFunction& f = file.functions[k];
    if (!fits(f, given, file.shapeless)) continue;
    if (!file.shapeless) return {replay(state_->programs[k], given.arrays, false), f.structure};
    check_fixed(f, given.arrays);
    return {io::build(f, given.arrays, false, [](const io::Record&, const std::string&) {}),
            f.structure};
  }
  std::string message =
      "[import_function::call] No imported function found which matches the given positional and "
      "keyword "
      "arguments. Possible functions include:\n";
  for (size_t k = 0; k < file.functions.size(); k++) {
    const TracedFunction& f = file.functions[k];
    Avals inputs(f.slots.begin(), f.slots.begin() + f.input_count);
    message +=
        fmt::format(" {}. Function with {}{}", k + 1, counts(inputs.size(), f.keywords.size()),
                    listing(inputs, f.keywords, "   "));
  }
  Avals called;
  for (const Array& a : given.arrays) called.push_back({a.shape(), a.dtype()});
  message += fmt::format("\nCalled with {}{}", counts(called.size(), given.keywords.size()),
                         listing(called, given.keywords, "  "));
  throw std::invalid_argument(message);
}

const std::string& ImportedFunction::metadata() const { return state_->file.metadata; }
const std::string& ImportedFunction::version() const { return state_->file.version; }
bool ImportedFunction::shapeless() const { return state_->file.shapeless; }

}  // namespace heddle
