// The scopes in which a thread gives away or takes Python's interpreter lock (the GIL). They know
// whether the thread has it, which Python's stable interface does not tell.
//
// When an interpreter ends while threads of it still run (daemon threads), Python up to 3.13 ends
// each one that asks for the lock, by unwinding its stack: through frames that hold the engine's
// lock, and into functions that are noexcept, where C++ ends the process. Later versions let the
// thread sleep. Here it sleeps in all of them: in these scopes, and in what is called through
// call_python() or inside calling().
#pragma once

#include <cxxabi.h>
#include <nanobind/nanobind.h>

#include <utility>

namespace heddle::python {

// Threads that Python calls the engine on have it to begin with; others ask only inside AcquireGil.
inline thread_local bool holds_gil = true;

// True from when the interpreter starts to end (its atexit functions have run by then).
bool interpreter_ends();

// For a thread whose interpreter has ended.
[[noreturn]] void sleep_for_ever();

// Runs f, which calls Python code: that gives the lock away and takes it again now and then.
template <class F>
decltype(auto) calling(F&& f) {
  try {
    return f();
  } catch (abi::__forced_unwind&) {
    sleep_for_ever();
  }
}

// A call of a function of the user's.
inline nanobind::object call_python(nanobind::handle function, const nanobind::tuple& args,
                                    const nanobind::dict& kwargs = {}) {
  PyObject* result =
      calling([&] { return PyObject_Call(function.ptr(), args.ptr(), kwargs.ptr()); });
  if (!result) nanobind::raise_python_error();
  return nanobind::steal(result);
}

class ReleaseGil {
 public:
  ReleaseGil() = default;
  // The thread may sleep for ever then: it is to hold no lock that others want.
  ~ReleaseGil() {
    calling([&] { PyEval_RestoreThread(state_); });
    holds_ = before_;
  }
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

 private:
  bool& holds_ = holds_gil;  // looked up once
  bool before_ = std::exchange(holds_, false);
  PyThreadState* state_ = PyEval_SaveThread();
};

// Nested use is fine.
class AcquireGil {
 public:
  AcquireGil() = default;
  ~AcquireGil() {
    holds_gil = before_;
    PyGILState_Release(state_);
  }
  AcquireGil(const AcquireGil&) = delete;
  AcquireGil& operator=(const AcquireGil&) = delete;

 private:
  PyGILState_STATE state_ = calling([] { return PyGILState_Ensure(); });
  bool before_ = std::exchange(holds_gil, true);
};

// Runs f, which lets go of something that is Python's, with the lock; or not at all if the
// interpreter is ending or gone: what it owned is gone with it, and nobody may wait for it then.
template <class F>
void release_to_python(F&& f) {
  if (!holds_gil && interpreter_ends()) return;
  AcquireGil gil;
  f();
}

}  // namespace heddle::python
