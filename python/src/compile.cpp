// compile: arrays among the arguments are inputs of the program, all else belongs to its key.
#include "transforms/compile.h"

#include <fmt/format.h>

#include <memory>

#include "bind.h"
#include "tree.h"
#include "wrapper.h"

namespace heddle::python {
namespace {

// Describes a tree of arrays and constants as numbers, so that equal numbers mean the same program.
class Key {
 public:
  std::vector<uint64_t> numbers;

  void add(nb::handle h) {
    if (is_array(h)) {
      numbers.push_back(array_leaf);
    } else if (PyList_Check(h.ptr()) || PyTuple_Check(h.ptr())) {
      numbers.push_back(PyList_Check(h.ptr()) ? list : tuple);
      numbers.push_back(nb::len(h));
      for (nb::handle item : h) add(item);
    } else if (PyDict_Check(h.ptr())) {
      numbers.push_back(dict);
      numbers.push_back(nb::len(h));
      for (auto [key, value] : nb::borrow<nb::dict>(h)) {
        add_hash(key);
        add(value);
      }
    } else if (h.is_none()) {
      numbers.push_back(none);
    } else if (PyLong_Check(h.ptr()) || PyFloat_Check(h.ptr()) || PyUnicode_Check(h.ptr())) {
      numbers.push_back(reinterpret_cast<uint64_t>(h.type().ptr()));
      add_hash(h);
    } else {
      throw std::invalid_argument(
          fmt::format("[compile] Function arguments must be trees of arrays or constants (floats, "
                      "ints, strings, or "
                      "None), but received type {}.",
                      nb::type_name(h.type()).c_str()));
    }
  }

 private:
  enum : uint64_t { array_leaf = 1, list, tuple, dict, none };
  void add_hash(nb::handle h) {
    numbers.push_back(static_cast<uint64_t>(nb::hash(h)));
    // Hashes of long texts may collide: their length tells most of those apart.
    if (PyUnicode_Check(h.ptr())) numbers.push_back(nb::len(h));
  }
};

// What a trace returned: the tree of the result, and how many arrays of captured state follow.
struct Traced {
  nb::object result;
  size_t result_arrays;
};

class CompiledFunction {
 public:
  // `inputs` and `outputs` are kept by the wrapper, which the garbage collector looks into.
  CompiledFunction(nb::handle inputs, nb::handle outputs, bool shapeless)
      : inputs_(inputs), outputs_(outputs), compiled_(shapeless) {}

  nb::object operator()(nb::handle fun, const nb::args& args, const nb::kwargs& kwargs) {
    if (!compile_enabled()) return call_python(fun, args, kwargs);
    Key key;
    key.add(args);
    key.add(kwargs);
    Arrays arrays = arrays_of_tree(args);
    for (const Array& a : arrays_of_tree(kwargs)) arrays.push_back(a);
    Arrays state = inputs_.is_none() ? Arrays{} : arrays_of_tree(inputs_);
    arrays.insert(arrays.end(), state.begin(), state.end());

    auto trace = [&](const Arrays& traced) {
      size_t next = 0;
      nb::object positional = rebuild_tree(args, traced, next);
      nb::object keywords = rebuild_tree(kwargs, traced, next);
      // Captured state is traced in its place and restored, whatever happens.
      struct Restore {
        CompiledFunction& self;
        const Arrays& state;
        ~Restore() {
          if (!self.inputs_.is_none()) {
            try {
              size_t next = 0;
              if (arrays_of_tree(self.inputs_).size() == state.size()) {
                fill_tree(self.inputs_, state, next);
              }
            } catch (...) {
              PyErr_Clear();
            }
          }
        }
      } restore{*this, state};
      if (!inputs_.is_none()) fill_tree(inputs_, traced, next);
      nb::object result =
          call_python(fun, nb::borrow<nb::tuple>(positional), nb::borrow<nb::dict>(keywords));
      Arrays outputs = arrays_of_tree(result);
      size_t result_arrays = outputs.size();
      if (!outputs_.is_none()) {
        for (const Array& a : arrays_of_tree(outputs_)) outputs.push_back(a);
      }
      auto extra =
          std::shared_ptr<const void>(new Traced{result, result_arrays},
                                      [](const void* p) { delete static_cast<const Traced*>(p); });
      return Compiled::Result{std::move(outputs), std::move(extra)};
    };
    Compiled::Result result = compiled_(trace, arrays, key.numbers);
    const auto& traced = *static_cast<const Traced*>(result.extra.get());
    if (!outputs_.is_none()) {
      size_t next = traced.result_arrays;
      fill_tree(outputs_, result.outputs, next);
    }
    size_t next = 0;
    return rebuild_tree(traced.result, result.outputs, next);
  }

 private:
  nb::handle inputs_, outputs_;
  Compiled compiled_;
};

}  // namespace

void bind_compile(nb::module_& m) {
  m.def(
      "compile",
      [](nb::object fun, nb::object inputs, nb::object outputs, bool shapeless) {
        require_callable("compile", fun);
        auto compiled = std::make_shared<CompiledFunction>(inputs, outputs, shapeless);
        return Wrapper(fun,
                       [compiled](nb::handle f, nb::args args, nb::kwargs kwargs) {
                         return (*compiled)(f, args, kwargs);
                       },
                       {inputs, outputs});
      },
      "fun"_a, "inputs"_a = nb::none(), "outputs"_a = nb::none(), "shapeless"_a = false,
      nb::sig("def compile(fun: Callable[P, R], inputs: Optional[object] = None, outputs: "
              "Optional[object] = None, shapeless: bool = False) -> Callable[P, R]"),
      R"(A function that traces ``fun`` once per kind of arguments and then replays its program.

No compiler is started: the program's graph is simplified, and its pointwise runs are executed by
the engine's tile interpreter, as they are in graphs that are built lazily.

Args:
  fun: takes trees of arrays and constants (numbers, strings, None); a new combination of shapes,
    dtypes or constants traces again.
  inputs: lists or dicts of arrays that ``fun`` reads besides its arguments.
  outputs: lists or dicts of arrays that ``fun`` updates.
  shapeless: trace once per rank and dtype, whatever the sizes.

Raises:
  ValueError: arguments that are neither arrays nor constants, or values evaluated inside ``fun``.)");
  m.def("enable_compile", &enable_compile, "Turns compilation on (the default).");
  m.def("disable_compile", &disable_compile,
        "Turns compilation off for the process: compiled functions run as plain ones. The "
        "environment "
        "variable ``MLX_DISABLE_COMPILE`` does the same at start.");
}

}  // namespace heddle::python
