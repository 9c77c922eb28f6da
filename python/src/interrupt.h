// KeyboardInterrupt, SystemExit and what else is no Exception, on its way through the engine from a
// Python function that is traced. That tries functions at other sizes, and goes on where they throw
// a std::exception, which an Interrupt is not.
#pragma once

#include <utility>

#include "bind.h"

namespace heddle::python {

struct Interrupt {
  nb::python_error error;
};

// Calls f, which calls a Python function for the engine.
template <class F>
auto passing_interrupts(F&& f) {
  try {
    return f();
  } catch (nb::python_error& e) {
    if (e.matches(PyExc_Exception)) throw;
    throw Interrupt{std::move(e)};
  }
}

// Calls f, in which the engine calls such functions, without the GIL.
template <class F>
auto tracing(F&& f) {
  ReleaseGil release;
  try {
    return f();
  } catch (Interrupt& interrupt) {
    throw std::move(interrupt.error);
  }
}

}  // namespace heddle::python
