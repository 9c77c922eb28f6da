// export_function and exporter: from traces to files and callbacks.
#include "heddle/export.h"

#include <unistd.h>

#include "convert/mlxfn/file.h"
#include "convert/mlxfn/primitives.h"
#include "convert/native/dialect.h"
#include "convert/native/file.h"
#include "convert/trace.h"
#include "io/reader.h"

namespace heddle {

using convert::Calls;
using convert::Dialect;

constexpr const char* op = "export_function";

struct FunctionExporter::State {
  std::string path;
  ExportedFunction fun;
  convert::FunctionFile file;
  bool closed = false;

  bool is_native() const { return path.ends_with(convert::native::suffix); }
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
  convert::Arguments given(args, named);
  for (const Calls& f : state_->file.functions) {
    if (convert::fits(f, given, state_->file.shapeless)) {
      throw std::runtime_error(
          "[export_function] Attempting to export a function twice with the same signature is not "
          "allowed.");
    }
  }
  const Dialect& dialect =
      state_->is_native() ? convert::native::dialect() : convert::mlxfn::dialect();
  state_->file.functions.push_back(
      convert::trace(fun, args, named, dialect, {state_->file.shapeless, nullptr, structure}));
}

void FunctionExporter::close() {
  if (state_->closed) return;
  state_->closed = true;
  io::write_atomically(op, state_->path, [&](const WriteFunction& sink) {
    (state_->is_native() ? convert::native::write : convert::mlxfn::write)(state_->file, sink);
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
  explicit Naming(const Calls& f) : f_(f), names_(f.slots.size()) {}

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
  const Calls& f_;
  std::vector<std::string> names_;
  size_t next_ = 0;
};

}  // namespace

void convert::tell(const Calls& f, const Dialect& dialect, const ExportCallback& callback) {
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
  for (const convert::Call& c : f.calls) {
    ExportRecord primitive;
    primitive.type = "primitive";
    primitive.name = c.name;
    for (int i : c.inputs) primitive.inputs.push_back(naming.named(i));
    for (int k = 0; k < c.output_count; k++)
      primitive.outputs.push_back(naming.named(c.first_output + k));
    // What .mlxfn files never hold is not told either.
    const auto* row = dialect.reader(c.name) == convert::mlxfn::dialect().reader(c.name)
                          ? convert::mlxfn::find_primitive(c.name)
                          : nullptr;
    for (size_t i = 0; i < c.attributes.size(); i++) {
      if (row && row->fields[i].only_heddle) continue;
      primitive.arguments.push_back(c.attributes[i].second);
    }
    callback(primitive);
  }
}

void export_function(const ExportCallback& callback, const ExportedFunction& fun,
                     const Arrays& args, const NamedArguments& named, bool shapeless) {
  const Dialect& dialect = convert::mlxfn::dialect();
  convert::tell(convert::trace(fun, args, named, dialect, {shapeless}), dialect, callback);
}

}  // namespace heddle
