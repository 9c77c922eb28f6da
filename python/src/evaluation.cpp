// eval and async_eval.
#include "bind.h"
#include "eval/async.h"
#include "eval/eval.h"

namespace heddle::python {
namespace {

Arrays arrays_of(nb::handle trees) {
  Arrays arrays;
  visit_arrays(trees, [&](const Array& a) { arrays.push_back(a); });
  return arrays;
}

// Ctrl-C during a long evaluation: runs Python's signal handlers, and stops if one raised.
void check_signals() {
  AcquireGil gil;
  if (gil.is_valid() && PyErr_CheckSignals() != 0) throw nb::python_error();
}

// Evaluation, maybe on another thread, has the engine's lock and may want the GIL.
void wait_without_gil(void (*wait)()) {
  if (!holds_gil) return wait();
  ReleaseGil release;
  wait();
}

// At exit the work in flight is finished while Python still stands; a fork waits for it.
void at_exit_and_fork() {
  auto without_gil = [](void (*f)()) {
    return nb::cpp_function([f] {
      ReleaseGil release;
      f();
    });
  };
  nb::module_::import_("atexit").attr("register")(without_gil(stop_async));
  nb::module_::import_("os").attr("register_at_fork")(
      "before"_a = without_gil(lock_for_fork),
      "after_in_parent"_a = nb::cpp_function(unlock_after_fork_in_parent),
      "after_in_child"_a = nb::cpp_function(restart_after_fork_in_child));
}

}  // namespace

void evaluate(const Array& array) {
  if (array.is_available()) return;
  Array held = array;  // another thread may rebind the object meanwhile
  ReleaseGil release;
  held.eval();
}

void evaluate(const Arrays& arrays) {
  ReleaseGil release;
  eval(arrays);
}

void bind_evaluation(nb::module_& m) {
  set_interrupt_check(check_signals);
  set_wait_hook(wait_without_gil);
  m.def(
      "eval",
      [](const nb::args& args) {
        if (args.size() == 1 && is_array(args[0])) {
          evaluate(array_of(args[0]));
        } else {
          evaluate(arrays_of(args));
        }
      },
      nb::sig("def eval(*args: object) -> None"), R"(
Computes arrays.

Each argument is an array or a tree of lists, tuples and dicts with arrays as leaves; other leaves are
passed over. Raises RuntimeError for work of another thread's stream, ValueError inside `compile` or
`vmap`.)");
  m.def(
      "async_eval",
      [](const nb::args& args) {
        Arrays arrays = arrays_of(args);
        ReleaseGil release;
        async_eval(arrays);
      },
      nb::sig("def async_eval(*args: object) -> None"), R"(
Starts computing arrays in the background and returns.

Takes what :func:`eval` takes. An error surfaces as RuntimeError at the next eval, item or synchronize
that waits for the work. Raises ValueError inside `compile` or `vmap`.)");
  at_exit_and_fork();
}

}  // namespace heddle::python
