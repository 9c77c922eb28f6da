// The scopes in which a thread gives away or takes Python's interpreter lock (the GIL). They know
// whether the thread has it, which Python's stable interface does not tell.
#pragma once

#include <nanobind/nanobind.h>

#include <utility>

namespace heddle::python {

// Threads that Python calls the engine on have it to begin with; others ask only inside AcquireGil.
inline thread_local bool holds_gil = true;

class ReleaseGil {
 public:
  ReleaseGil() = default;
  ~ReleaseGil() { holds_gil = before_; }
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

 private:
  nanobind::gil_scoped_release scope_;
  bool before_ = std::exchange(holds_gil, false);
};

class AcquireGil {
 public:
  AcquireGil() = default;
  ~AcquireGil() { holds_gil = before_; }
  AcquireGil(const AcquireGil&) = delete;
  AcquireGil& operator=(const AcquireGil&) = delete;

  bool is_valid() const { return scope_.is_valid(); }  // false when the interpreter is gone

 private:
  nanobind::gil_scoped_acquire scope_;
  bool before_ = std::exchange(holds_gil, true);
};

}  // namespace heddle::python
