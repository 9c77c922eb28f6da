// compile: arrays among the arguments are inputs of the program, all else belongs to its key.
#include "transforms/compile.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <unordered_map>

#include "bind.h"
#include "constants.h"
#include "core/node.h"
#include "tree.h"
#include "wrapper.h"

namespace heddle::python {
namespace {

// What a trace returned: the trees of its result and of the captured state, with some array in the
// place of each, and how many arrays belong to the result.
struct Traced {
  nb::object result, state;
  size_t result_arrays;
  std::vector<nb::object> identities;  // see Constants
};

// The tree without the arrays of the trace, which would keep its graph.
nb::object form_of(nb::handle tree) {
  nb::object some = wrap(Array(0));
  return map_tree(
      tree, [&](nb::handle leaf) { return is_array(leaf) ? some : nb::borrow(leaf); },
      Containers::own);
}

// The trees of captured state in their places: as they were again at the end, whatever happens.
class CapturedTrees {
 public:
  CapturedTrees(nb::handle inputs, nb::handle outputs) {
    remember(inputs);
    remember(outputs);
  }
  ~CapturedTrees() {
    if (key_) random::state() = *key_;
    for (auto& [place, before] : containers_) {
      try {
        restore(place, before);
      } catch (nb::python_error& e) {
        e.discard_as_unraisable("heddle: state of a compiled function could not be put back");
      }
    }
  }
  CapturedTrees(const CapturedTrees&) = delete;
  CapturedTrees& operator=(const CapturedTrees&) = delete;

 private:
  void remember(nb::handle tree) {
    PyObject* o = tree.ptr();
    if (is_random_state(tree)) {
      key_ = random::state();
    } else if (PyTuple_Check(o)) {
      TreeLevel level;
      for (Py_ssize_t i = 0; i < PyTuple_Size(o); i++) remember(PyTuple_GetItem(o, i));
    } else if (PyList_Check(o) || PyDict_Check(o)) {
      if (!known_.emplace(o, true).second) return;
      TreeLevel level;
      nb::object items = plain_copy(tree);
      containers_.emplace_back(nb::borrow(tree), items);
      if (PyList_Check(o)) {
        for (nb::handle item : items) remember(item);
      } else {
        for (auto [key, value] : nb::borrow<nb::dict>(items)) remember(value);
      }
    }
  }

  static void restore(nb::handle place, nb::handle before) {
    auto check = [](int status) {
      if (status < 0) nb::raise_python_error();
    };
    if (PyList_Check(place.ptr())) {
      check(PyList_SetSlice(place.ptr(), 0, PyList_Size(place.ptr()), before.ptr()));
      return;
    }
    auto items = nb::borrow<nb::dict>(before), now = nb::borrow<nb::dict>(plain_copy(place));
    for (auto [key, value] : now) {
      if (!items.contains(key)) check(PyObject_DelItem(place.ptr(), key.ptr()));
    }
    for (auto [key, value] : items) {
      check(now.contains(key) ? PyDict_SetItem(place.ptr(), key.ptr(), value.ptr())
                              : PyObject_SetItem(place.ptr(), key.ptr(), value.ptr()));
    }
  }

  std::vector<std::pair<nb::object, nb::object>> containers_;
  std::unordered_map<PyObject*, bool> known_;
  std::optional<Array> key_;  // of random.state
};

// Arrays that the function returned inside an object that no one looks into would stay those of the
// trace.
void refuse_hidden_arrays(nb::handle leaf) {
  if (!nb::hasattr(leaf, "__dict__") || PyCallable_Check(leaf.ptr())) return;
  nb::object values = leaf.attr("__dict__");
  if (!PyDict_Check(values.ptr())) return;
  for (auto [name, value] : nb::borrow<nb::dict>(values)) {
    if (!is_array(value) || !array_of(value).node()->tracer) continue;
    throw std::invalid_argument(
        fmt::format("[compile] The function returned an array inside an object of type {} "
                    "(attribute {}), where compile cannot replace it at later calls: return arrays "
                    "in tuples, lists or dicts.",
                    nb::type_name(leaf.type()).c_str(), nb::str(name).c_str()));
  }
}

class CompiledFunction {
 public:
  // `inputs` and `outputs` are kept by the wrapper, which the garbage collector looks into.
  CompiledFunction(nb::handle inputs, nb::handle outputs, bool shapeless)
      : inputs_(inputs), outputs_(outputs), compiled_(shapeless) {}

  nb::object operator()(nb::handle fun, const nb::args& args, const nb::kwargs& kwargs) {
    if (!compile_enabled()) return call_python(fun, args, kwargs);
    Constants key;
    key.add(args);
    key.add(kwargs);
    if (!inputs_.is_none()) key.add_state(inputs_);
    Arrays arrays;
    auto collect = [&](const Array& a) { arrays.push_back(a); };
    visit_arrays(args, collect);
    visit_arrays(kwargs, collect);
    if (!inputs_.is_none()) visit_arrays(inputs_, collect);

    auto trace = [&](const Arrays& traced) {
      size_t next = 0;
      nb::object positional = rebuild_tree(args, traced, next, Containers::own);
      nb::object keywords = rebuild_tree(kwargs, traced, next, Containers::own);
      CapturedTrees state(inputs_, outputs_);
      if (!inputs_.is_none()) fill_tree(inputs_, traced, next);
      nb::object result =
          call_python(fun, nb::borrow<nb::tuple>(positional), nb::borrow<nb::dict>(keywords));
      visit_tree(result, [](nb::handle leaf) {
        if (!is_array(leaf)) refuse_hidden_arrays(leaf);
      });
      Arrays outputs = arrays_of_tree(result);
      auto* extra = new Traced{form_of(result), nb::none(), outputs.size(), key.identities};
      auto kept = std::shared_ptr<const void>(
          extra, [](const void* p) { delete static_cast<const Traced*>(p); });
      if (!outputs_.is_none()) {
        for (const Array& a : arrays_of_tree(outputs_)) outputs.push_back(a);
        extra->state = form_of(outputs_);
      }
      return Compiled::Result{std::move(outputs), std::move(kept)};
    };
    Compiled::Result result = compiled_(trace, arrays, key.numbers);
    const auto& traced = *static_cast<const Traced*>(result.extra.get());
    if (!outputs_.is_none()) {
      size_t next = traced.result_arrays;
      write_tree(outputs_, traced.state, result.outputs, next);
    }
    size_t next = 0;
    return rebuild_tree(traced.result, result.outputs, next, Containers::own);
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
    dtypes or constants traces again. Constants are told apart by class and value, containers by
    class, keys and attributes. It gets copies of lists and dicts, of their own class.
  inputs: lists or dicts of arrays that ``fun`` reads besides its arguments.
  outputs: lists or dicts of arrays that ``fun`` updates.
  shapeless: trace once per rank and dtype, whatever the sizes, where the program can serve them
    all: not if ``fun`` asks for a size (``x.shape``), for Python may compute anything from it.

The last 256 traces are kept, or fewer where what was made while tracing takes more than 128 MiB.

Raises:
  ValueError: arguments that are neither arrays nor constants, or values evaluated inside ``fun``.)");
  m.def("enable_compile", &enable_compile, "Turns compilation on (the default).");
  m.def("disable_compile", &disable_compile,
        "Turns compilation off for the process: compiled functions run as plain ones. The "
        "environment "
        "variable ``MLX_DISABLE_COMPILE`` does the same at start.");
}

}  // namespace heddle::python
