// eval and async_eval, and how evaluation gets along with Python's signals, forks and end.
#include <atomic>
#include <chrono>
#include <stdexcept>

#include "bind.h"
#include "core/graph_lock.h"
#include "eval/async.h"

namespace heddle::python {
namespace {

Arrays arrays_of(nb::handle trees) {
  Arrays arrays;
  visit_arrays(trees, [&](const Array& a) { arrays.push_back(a); });
  return arrays;
}

std::atomic<unsigned long> main_thread{0};
std::atomic<bool> python_ended{false};

// Ctrl-C during a long evaluation: runs Python's signal handlers, and stops if one raised. Python
// runs them on the main thread alone, so others do not ask for its lock.
void check_signals() {
  if (PyThread_get_thread_ident() == main_thread) {
    AcquireGil gil;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  } else if (python_ended) {
    throw std::runtime_error("[eval] Python has ended.");
  }
}

// Another thread, which is waited for, may want the GIL. Threads of the engine's own have none.
void wait_without_gil(void (*wait)(void*), void* context) {
  if (!holds_gil || !PyGILState_GetThisThreadState()) return wait(context);
  ReleaseGil release;
  wait(context);
}

// When Python has ended and the process is about to: threads that still evaluate stop where they
// are, before what they work with is destroyed. The engine is then kept locked.
void stop_evaluation() {
  python_ended = true;
  holds_gil = false;
  lock_quiet_graph(std::chrono::seconds(1));  // a thread may have ended amid an evaluation
}

// At exit the piece of work in flight is finished while Python still stands; a fork waits for it.
void at_exit_and_fork() {
  Py_AtExit(stop_evaluation);
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
      "after_in_child"_a = nb::cpp_function([] {
        main_thread = PyThread_get_thread_ident();
        restart_after_fork_in_child();
      }));
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
  // Other threads than the first come from `threading`; it takes as long to import as the engine.
  nb::dict modules = nb::module_::import_("sys").attr("modules");
  main_thread =
      modules.contains("threading")
          ? nb::cast<unsigned long>(modules["threading"].attr("main_thread")().attr("ident"))
          : PyThread_get_thread_ident();
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
