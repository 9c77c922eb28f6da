// export_function, import_function, exporter, export_to_dot.
#include <fmt/format.h>

#include <map>

#include "bind.h"
#include "convert/trace.h"
#include "file_object.h"
#include "interrupt.h"
#include "io/file.h"
#include "structure.h"
#include "tree.h"

namespace heddle::python {
namespace {

constexpr const char* input_forms =
    "Inputs can either be a variable number of positional and keyword arrays or a single tuple "
    "and/or "
    "dictionary of arrays.";

struct Inputs {
  Arrays args;
  NamedArguments named;
};

// Arrays as f(a, b, x=c) or f((a, b), {"x": c}).
Inputs inputs_of(const char* op, const nb::args& args, const nb::kwargs& kwargs) {
  Inputs out;
  auto refuse = [&] { throw std::invalid_argument(fmt::format("[{}] {}", op, input_forms)); };
  auto add = [&](nb::handle h) {
    if (!is_array(h)) refuse();
    out.args.push_back(array_of(h));
  };
  auto add_named = [&](nb::handle name, nb::handle h) {
    if (!is_array(h) || !nb::isinstance<nb::str>(name)) refuse();
    out.named[nb::cast<std::string>(name)] = array_of(h);
  };
  size_t n = args.size();
  auto is_sequence = [&](size_t i) {
    return PyTuple_Check(args[i].ptr()) || PyList_Check(args[i].ptr());
  };
  if (n == 0 || is_array(args[0])) {
    for (nb::handle a : args) add(a);
    for (auto [name, a] : kwargs) add_named(name, a);
    return out;
  }
  bool sequence_first = is_sequence(0), dict_last = PyDict_Check(args[n - 1].ptr());
  if (n > 2 || kwargs.size() > 0 || (n == 2 && !(sequence_first && dict_last)) ||
      !(sequence_first || dict_last)) {
    refuse();
  }
  if (sequence_first) {
    for (nb::handle a : nb::borrow<nb::object>(args[0])) add(a);
  }
  if (dict_last) {
    for (auto [name, a] : nb::borrow<nb::dict>(args[n - 1])) add_named(name, a);
  }
  return out;
}

std::optional<std::string> path_if_any(nb::handle file) {
  return is_path(file) ? std::optional(path_of(file)) : std::nullopt;
}

bool keeps_structure(const std::string& path) { return path.ends_with(".heddle"); }

nb::tuple tuple_of(const Arrays& arrays) {
  nb::list out;
  for (const Array& a : arrays) out.append(wrap(a));
  return nb::tuple(out);
}

// A Python function as the engine calls it, without the GIL; the structure of what it returned
// last.
class Traced {
 public:
  Traced(nb::object fun, bool keep) : fun_(std::move(fun)), keep_(keep) {}

  ExportedFunction function() {
    return [this](const Arrays& args, const NamedArguments& named) {
      AcquireGil gil;
      nb::dict keywords;
      for (const auto& [name, array] : named) keywords[nb::str(name.c_str())] = wrap(array);
      return passing_interrupts(
          [&] { return arrays_of(call_python(fun_, tuple_of(args), keywords)); });
    };
  }
  const std::string& structure() const { return structure_; }

 private:
  Arrays arrays_of(nb::handle result) {
    if (keep_) {
      structure_ = structure_of("export_function", result);
      return arrays_of_tree(result);
    }
    Arrays out;
    auto add = [&](nb::handle h) {
      if (!is_array(h)) {
        throw std::invalid_argument(
            "[export_function] Outputs can be either a single array, a tuple, or a list of "
            "arrays.");
      }
      out.push_back(array_of(h));
    };
    if (PyTuple_Check(result.ptr()) || PyList_Check(result.ptr())) {
      for (nb::handle item : nb::borrow<nb::object>(result)) add(item);
    } else {
      add(result);
    }
    return out;
  }

  nb::object fun_;
  bool keep_;
  std::string structure_;
};

class Exporter {
 public:
  Exporter(std::string path, nb::object fun, bool shapeless, std::string metadata)
      : keep_(keeps_structure(path)),
        fun_(std::move(fun)),
        exporter_(std::move(path), nullptr, {shapeless, std::move(metadata)}) {}

  void add(const nb::args& args, const nb::kwargs& kwargs) {
    Inputs inputs = inputs_of("export_function", args, kwargs);
    Traced traced(fun_, keep_);
    tracing([&] {
      exporter_.add(traced.function(), inputs.args, inputs.named,
                    [&] { return traced.structure(); });
    });
  }
  void close() {
    ReleaseGil release;
    exporter_.close();
  }
  nb::handle fun() const { return fun_; }
  void clear() { fun_ = nb::none(); }

 private:
  bool keep_;
  nb::object fun_;
  FunctionExporter exporter_;
};

// The garbage collector looks for cycles through the function.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (nb::inst_ready(self)) {
    nb::handle fun = nb::inst_ptr<Exporter>(self)->fun();
    Py_VISIT(fun.ptr());
  }
  return 0;
}
int clear(PyObject* self) {
  nb::inst_ptr<Exporter>(self)->clear();
  return 0;
}
PyType_Slot exporter_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
                                {Py_tp_clear, reinterpret_cast<void*>(&clear)},
                                {0, nullptr}};

nb::dict to_python(const ExportRecord& r) {
  nb::dict out;
  auto named = [](const std::vector<ExportRecord::Named>& values) {
    nb::list list;
    for (const auto& v : values) list.append(nb::make_tuple(v.name, from_shape(v.shape), v.dtype));
    return list;
  };
  auto pairs = [](const auto& values) {
    nb::list list;
    for (const auto& [name, value] : values) list.append(nb::make_tuple(name, value));
    return list;
  };
  out["type"] = r.type;
  if (r.type == "inputs") out["inputs"] = named(r.inputs);
  if (r.type == "keyword_inputs") out["keywords"] = pairs(r.keywords);
  if (r.type == "outputs") out["outputs"] = named(r.outputs);
  if (r.type == "constants") out["constants"] = pairs(r.constants);
  if (r.type == "primitive") {
    out["name"] = r.name;
    out["inputs"] = named(r.inputs);
    out["outputs"] = named(r.outputs);
    nb::list arguments;
    for (const ExportValue& v : r.arguments) arguments.append(from_attribute(v));
    out["arguments"] = arguments;
  }
  return out;
}

void export_with_callback(nb::object callback, nb::object fun, const Inputs& inputs,
                          bool shapeless) {
  Traced traced(std::move(fun), false);
  ExportCallback call = [&](const ExportRecord& r) {
    AcquireGil gil;
    call_python(callback, nb::make_tuple(to_python(r)));
  };
  tracing([&] { export_function(call, traced.function(), inputs.args, inputs.named, shapeless); });
}

nb::object import_from(nb::handle file, bool return_metadata) {
  std::optional<std::string> path = path_if_any(file);
  if (!path) throw nb::type_error("[import_function] The file must be a path.");
  ImportedFunction imported = [&] {
    ReleaseGil release;
    return import_function(*path);
  }();
  auto structures = std::make_shared<std::map<std::string, nb::object>>();
  nb::object call = nb::cpp_function(
      [imported, structures](nb::args args, nb::kwargs kwargs) -> nb::object {
        Inputs inputs = inputs_of("import_function::call", args, kwargs);
        ImportedFunction::Result result = imported.call(inputs.args, inputs.named);
        if (result.structure.empty()) return tuple_of(result.arrays);
        nb::object& structure = (*structures)[result.structure];
        if (!structure) structure = parsed_structure(result.structure);
        return rebuild(structure, result.arrays);
      },
      nb::sig("def imported_function(*args, **kwargs)"), "A function read from a file.");
  if (!return_metadata) return call;
  const std::string& metadata = imported.metadata();
  return nb::make_tuple(call, nb::str(metadata.data(), metadata.size()));
}

void write_dot(nb::object file, const nb::args& args, const nb::kwargs& kwargs) {
  std::optional<std::string> path = path_if_any(file);
  if (!path && !nb::hasattr(file, "write")) {
    throw std::invalid_argument(
        "[export_to_dot] Accepts file-like objects or strings to be used as filenames.");
  }
  Arrays outputs = arrays_of_tree(args, true);
  NodeNames names;
  for (auto [name, value] : kwargs) {
    if (!is_array(value)) {
      throw std::invalid_argument("[tree_flatten] The argument should contain only arrays");
    }
    names[array_of(value).id()] = nb::cast<std::string>(name);
    outputs.push_back(array_of(value));
  }
  std::string text = export_to_dot(outputs, names);
  if (!path) {
    call_python(file.attr("write"), nb::make_tuple(nb::str(text.data(), text.size())));
    return;
  }
  try {
    ReleaseGil release;
    io::write_atomically("export_to_dot", *path,
                         [&](const WriteFunction& sink) { sink(text.data(), text.size()); });
  } catch (const FileError& error) {
    raise_os_error(error);  // as from MLX, which opens it in Python
  }
}

// For `heddle inspect`: what a file of functions holds, each record a dict as export_function's
// callback gets it.
nb::dict describe_function(nb::handle file, nb::object callback) {
  const std::string path = path_of(file);
  ReleaseGil release;
  const convert::FunctionFile read = convert::describe_function(path, [&](const ExportRecord& r) {
    AcquireGil gil;
    call_python(callback, nb::make_tuple(to_python(r)));
  });
  AcquireGil gil;
  nb::dict out;
  out["version"] = read.version;
  out["shapeless"] = read.shapeless;
  out["metadata"] = nb::bytes(read.metadata.data(), read.metadata.size());
  return out;
}

}  // namespace

void bind_export(nb::module_& m) {
  nb::class_<Exporter>(m, "FunctionExporter", nb::type_slots(exporter_slots),
                       "Writes several traces of one function to a file; made by :func:`exporter`.")
      .def("__call__", &Exporter::add, nb::sig("def __call__(self, *args, **kwargs) -> None"),
           "Traces the function for one more kind of arguments.")
      .def("close", &Exporter::close, "Writes the file.")
      .def(
          "__enter__", [](nb::object self) { return self; },
          nb::sig("def __enter__(self) -> FunctionExporter"))
      .def(
          "__exit__", [](Exporter& e, nb::handle, nb::handle, nb::handle) { e.close(); },
          "exc_type"_a = nb::none(), "exc_value"_a = nb::none(), "traceback"_a = nb::none());

  m.def(
      "export_function",
      [](nb::object file, nb::object fun, nb::args args, bool shapeless,
         std::optional<std::string> metadata, nb::kwargs kwargs) {
        if (!PyCallable_Check(fun.ptr())) {
          throw nb::type_error("[export_function] The second argument must be a function.");
        }
        std::optional<std::string> path = path_if_any(file);
        if (!path && !PyCallable_Check(file.ptr())) {
          throw nb::type_error(
              "[export_function] The first argument must be a path or a callback.");
        }
        if (path) {
          Exporter e(*path, fun, shapeless, metadata.value_or(""));
          e.add(args, kwargs);
          e.close();
          return;
        }
        if (metadata) {
          throw std::invalid_argument(
              "[export_function] The metadata argument is only supported when exporting to a file, "
              "not when "
              "using a callback.");
        }
        export_with_callback(file, fun, inputs_of("export_function", args, kwargs), shapeless);
      },
      "file_or_callback"_a, "fun"_a, "args"_a, "shapeless"_a = false, "metadata"_a = nb::none(),
      "kwargs"_a,
      nb::sig("def export_function(file_or_callback: str | Callable, fun: Callable, *args, "
              "shapeless: bool = "
              "False, metadata: str | None = None, **kwargs) -> None"),
      R"(Writes a function to a file.

The function is traced with the example arrays, and its graph is written: ``.mlxfn`` files, which
MLX reads as well, or with the suffix ``.heddle`` heddle's own files, which hold every operation as
it is and the structure of the results (dicts, nested lists) beside them.

Args:
  file_or_callback: a path, or a function that is called with a dict for each part of the graph:
    inputs, keyword inputs, outputs, constants, then every primitive.
  fun: takes arrays and returns an array, or a tuple or list of arrays.
  args: example arrays, or one tuple or list of them, which a dict of named arrays may follow.
  shapeless: the function may be called with other sizes; a call is refused by name where an
    operation may hold a size of the example.
  metadata: a text to keep in the file.
  kwargs: named example arrays.

Raises:
  ValueError: an operation that the file cannot hold, outputs of another kind, or an example that
    the function reads by another way than its arguments.
  RuntimeError: the file cannot be written.)");
  m.def(
      "exporter",
      [](nb::object file, nb::object fun, bool shapeless, std::optional<std::string> metadata) {
        std::optional<std::string> path = path_if_any(file);
        if (!path || !PyCallable_Check(fun.ptr())) {
          throw nb::type_error("[exporter] The arguments must be a path and a function.");
        }
        return new Exporter(*path, fun, shapeless, metadata.value_or(""));
      },
      "file"_a, "fun"_a, nb::kw_only(), "shapeless"_a = false, "metadata"_a = nb::none(),
      nb::rv_policy::take_ownership,
      nb::sig("def exporter(file: str, fun: Callable, *, shapeless: bool = False, metadata: str | "
              "None = None) "
              "-> FunctionExporter"),
      R"(Writes several traces of a function to one file.

Call the result with example arrays for each kind of arguments; the file is written when it is
closed, or when the ``with`` block that it opens ends.

Args:
  file: a path, as for :func:`export_function`.
  fun: the function.
  shapeless: the function may be called with other sizes; a call is refused by name where an
    operation may hold a size of the example.
  metadata: a text to keep in the file.)");
  m.def("import_function", &import_from, "file"_a, "return_metadata"_a = false,
        nb::sig("def import_function(file: str, return_metadata: bool = False) -> Callable | "
                "tuple[Callable, "
                "str]"),
        R"(Reads a function from a ``.mlxfn`` or ``.heddle`` file.

The result is called as the function was traced: ``f(a, b, x=c)`` or ``f((a, b), {"x": c})``. It
returns a tuple of arrays, from ``.heddle`` files what the function returned. Constants stay in the
file, which is mapped, as far as their alignment allows. Work recorded for a GPU runs on the CPU.

Args:
  file: the path.
  return_metadata: also return the text that was kept in the file.

Raises:
  RuntimeError: the file cannot be opened.
  ValueError: an unknown operation, or (as ``heddle.UnsafeFileError``) a file that contradicts
    itself; the message names file, offset and field.)");
  m.def(
      "_describe_function", &describe_function, "file"_a, "callback"_a,
      nb::sig("def _describe_function(file: object, callback: Callable[[dict], object]) -> dict"));
  m.def("export_to_dot", &write_dot, "file"_a, "args"_a, "kwargs"_a,
        nb::sig("def export_to_dot(file: object, *args, **kwargs) -> None"),
        R"(Draws the graph that leads to arrays, as far as it is lazy, in Graphviz's language.

Args:
  file: a path, or a file object opened for text.
  args: the arrays.
  kwargs: further arrays, each with a name of its own.)");
}

}  // namespace heddle::python
