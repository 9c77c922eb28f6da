#include "gil.h"

#include <dlfcn.h>
#include <unistd.h>

namespace heddle::python {

bool interpreter_ends() {
  // Public since Python 3.13, exported before under another name, never in the stable interface.
  static const auto ends = [] {
    void* found = dlsym(RTLD_DEFAULT, "Py_IsFinalizing");
    if (!found) found = dlsym(RTLD_DEFAULT, "_Py_IsFinalizing");
    return reinterpret_cast<int (*)()>(found);
  }();
  return !Py_IsInitialized() || (ends && ends() != 0);
}

void sleep_for_ever() {
  for (;;) pause();
}

}  // namespace heddle::python
