// import_function: files of functions become programs.
#include "convert/format.h"
#include "convert/program.h"
#include "convert/trace.h"
#include "core/node.h"
#include "io/reader.h"
#include "transforms/graph.h"

namespace heddle {

struct ImportedFunction::State : convert::Imported {};

namespace convert {
namespace {

// Every call is built once, on the inputs of the trace, and its results compared with what the file
// says.
void verify(const Calls& f, const Dialect& dialect, const std::string& label) {
  TracingScope tracing;
  Arrays inputs;
  for (int i = 0; i < f.input_count; i++) {
    const Aval& a = f.slots[static_cast<size_t>(i)];
    inputs.push_back(placeholder(a.shape, a.dtype));
  }
  Building how{.verify = true};
  how.refuse = [&](const Call& c, const std::string& problem) {
    throw UnsafeFileError(fmt::format("[import_function] {}: offset {}, primitive {}: {}", label,
                                      c.offset, c.name, problem));
  };
  build(f, dialect, inputs, how);
}

Imported imported(FunctionFile file, const std::string& label) {
  // Constants that are fetched when they are first needed are fetched by any thread.
  static const Stream anyones = new_thread_unsafe_stream(Device{});
  Imported out;
  for (Calls& f : file.functions) {
    for (const auto& [slot, constant] : f.constants) {
      if (!constant.is_available()) constant.node()->stream = anyones.index;
    }
    if (!f.results_recorded) {
      out.programs.push_back(program_of(std::move(f), *file.dialect, file.shapeless));
      continue;
    }
    verify(f, *file.dialect, label);
    const int calls = static_cast<int>(f.calls.size());
    out.programs.push_back(
        Program(std::make_shared<Program::State>(std::move(f), *file.dialect, file.shapeless,
                                                 Report{file.dialect->name(), calls, calls, {}})));
  }
  file.functions.clear();
  out.file = std::move(file);
  return out;
}

Imported imported(const Source& source) {
  const Format* format = format_of(source.bytes);
  if (!format) {
    std::string kinds;
    for (const Format& f : formats()) {
      if (f.read) kinds += fmt::format("{}{}", kinds.empty() ? "" : " or ", f.suffix);
    }
    throw UnsafeFileError(
        fmt::format("[import_function] {}: offset 0, version: the {} bytes are no {} file.",
                    source.label, source.bytes.size, kinds));
  }
  return imported(format->read(source), source.label);
}

}  // namespace

Imported import_file(const std::string& path) {
  return imported({io::map_file("import_function", path), path, io::shown_path(path)});
}
Imported import_memory(const void* data, size_t bytes, const std::string& label) {
  return imported(
      {{BufferRef(), static_cast<const char*>(data), bytes}, "", io::shown_path(label)});
}

FunctionFile describe_function(const std::string& path, const ExportCallback& callback) {
  const Imported read = import_file(path);
  for (const Program& p : read.programs) tell(p.state().calls, *read.file.dialect, callback);
  return read.file;
}

}  // namespace convert

namespace {

ImportedFunction function_of(convert::Imported imported) {
  return ImportedFunction(std::make_shared<const ImportedFunction::State>(
      ImportedFunction::State{std::move(imported)}));
}

// Sizes that have to stay, for a number of the file was computed from them.
void check_fixed(const convert::Calls& f, const Arrays& inputs) {
  for (auto [input, axis] : f.fixed) {
    const int64_t was = f.slots[static_cast<size_t>(input)].shape[static_cast<size_t>(axis)];
    const int64_t is = inputs[static_cast<size_t>(input)].shape(axis);
    if (is == was) continue;
    throw std::invalid_argument(fmt::format(
        "[ImportedFunction] Axis {} of input {} has size {} where the export had {}: the function "
        "does not run at other sizes than those of the export there, for it computes a number from "
        "it that does not follow it. Export the function at this size too, with an exporter that "
        "is not shapeless, or compute the number with arrays.",
        axis, input, is, was));
  }
}

}  // namespace

ImportedFunction import_function(const std::string& path) {
  return function_of(convert::import_file(path));
}
ImportedFunction import_function(const void* data, size_t bytes, const std::string& label) {
  return function_of(convert::import_memory(data, bytes, label));
}

ImportedFunction::Result ImportedFunction::call(const Arrays& args,
                                                const NamedArguments& named) const {
  const convert::Arguments given(args, named);
  for (const Program& program : state_->programs) {
    const Program::State& p = program.state();
    if (!convert::fits(p.calls, given, p.shapeless)) continue;
    check_fixed(p.calls, given.arrays);
    return {p.run(given.arrays), p.calls.structure};
  }
  std::string message =
      "[import_function::call] No imported function found which matches the given positional and "
      "keyword "
      "arguments. Possible functions include:\n";
  for (size_t k = 0; k < state_->programs.size(); k++) {
    const convert::Calls& f = state_->programs[k].state().calls;
    const Avals inputs(f.slots.begin(), f.slots.begin() + f.input_count);
    message +=
        fmt::format(" {}. Function with {}", k + 1, convert::listing(inputs, f.keywords, "   "));
  }
  Avals called;
  for (const Array& a : given.arrays) called.push_back({a.shape(), a.dtype()});
  message += fmt::format("\nCalled with {}", convert::listing(called, given.keywords, "  "));
  throw std::invalid_argument(message);
}

const std::string& ImportedFunction::metadata() const { return state_->file.metadata; }
const std::string& ImportedFunction::version() const { return state_->file.version; }
bool ImportedFunction::shapeless() const { return state_->file.shapeless; }

}  // namespace heddle
