// One line for a call that no signature takes. nanobind answers it with a page of signatures that
// does not say which argument is wrong; heddle._call_errors reads that page and the arguments, and
// says it.
//
// nanobind has no hook for this, so the functions of the module are called through a function of
// ours that looks at a failure only. Where a function keeps its entry is not assumed but found, and
// checked with Python's own PyVectorcall_Function: with another layout nanobind's page stands.
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "bind.h"

extern "C" {
using heddle_entry = PyObject* (*)(PyObject*, PyObject* const*, size_t, PyObject*);
// In the stable ABI since 3.12, exported by 3.11 as well.
heddle_entry PyVectorcall_Function(PyObject* callable);
}

namespace heddle::python {
namespace {

using Entry = heddle_entry;

constexpr int max_entries = 16;  // nanobind has about eight, by kind of signature
Entry entries[max_entries];

// nanobind sets two flags in the highest bits of the number of arguments.
constexpr size_t count_mask = ~size_t{0} >> 2;

bool is_page(const std::string& message) {
  return message.find(
             "(): incompatible function arguments. The following argument types are "
             "supported:") != std::string::npos;
}

// The error in flight, in one line if it is a page about this call. Only an error that was just
// made here has no traceback: one that came out of a function that was called keeps its text.
void explain(PyObject* const* args, size_t count, PyObject* names) noexcept {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;
  nb::python_error error;
  try {
    std::string page = nb::str(error.value()).c_str();
    if (error.traceback().is_valid() || !is_page(page)) {
      error.restore();
      return;
    }
    if (memory_ended()) {
      PyErr_NoMemory();
      return;
    }
    nb::list positional;
    nb::dict keywords;
    for (size_t i = 0; i < count; i++) positional.append(nb::handle(args[i]));
    if (names) {
      for (nb::handle name : nb::borrow<nb::tuple>(names))
        keywords[name] = nb::handle(args[count++]);
    }
    nb::object line =
        nb::module_::import_("heddle._call_errors").attr("explain")(page, positional, keywords);
    PyErr_SetObject(PyExc_TypeError, line.ptr());
  } catch (...) {
    error.restore();
  }
}

template <int k>
PyObject* call(PyObject* self, PyObject* const* args, size_t count, PyObject* names) {
  memory_ended() = false;
  PyObject* result = entries[k](self, args, count, names);
  if (result) [[likely]]
    return result;
  explain(args, count & count_mask, names);
  return nullptr;
}

template <int... k>
constexpr std::array<Entry, max_entries> make_calls(std::integer_sequence<int, k...>) {
  return {call<k>...};
}
constexpr auto calls = make_calls(std::make_integer_sequence<int, max_entries>{});

// Where in a function of this type its entry lies: the only word that holds it. 0 if there is none.
size_t entry_offset(PyObject* function) {
  const auto size = nb::cast<size_t>(nb::handle(function).type().attr("__basicsize__"));
  const Entry entry = PyVectorcall_Function(function);
  size_t found = 0;
  for (size_t at = sizeof(PyObject); entry && at + sizeof entry <= size; at += sizeof entry) {
    if (std::memcmp(reinterpret_cast<char*>(function) + at, &entry, sizeof entry) != 0) continue;
    if (found) return 0;
    found = at;
  }
  return found;
}

void replace_entry(PyObject* function) {
  const Entry entry = PyVectorcall_Function(function);
  const size_t at = entry_offset(function);
  if (at == 0) return;
  int k = 0;
  while (k < max_entries && entries[k] && entries[k] != entry) {
    if (calls[static_cast<size_t>(k)] == entry) return;  // under two names
    k++;
  }
  if (k == max_entries || calls[static_cast<size_t>(k)] == entry) return;
  entries[k] = entry;
  char* place = reinterpret_cast<char*>(function) + at;
  std::memcpy(place, &calls[static_cast<size_t>(k)], sizeof(Entry));
  if (PyVectorcall_Function(function) != calls[static_cast<size_t>(k)]) {
    std::memcpy(place, &entry, sizeof entry);
  }
}

bool is_function(nb::handle value) {
  const std::string type = nb::cast<std::string>(value.type().attr("__name__"));
  return type == "nb_func" || type == "nb_method";
}

void replace_all(nb::handle scope, const std::string& module) {
  for (nb::handle value : nb::list(scope.attr("__dict__").attr("values")())) {
    if (is_function(value)) {
      replace_entry(value.ptr());
      continue;
    }
    const bool inside =
        nb::cast<std::string>(nb::str(nb::getattr(value, "__module__", nb::str("")))) == module ||
        PyModule_Check(value.ptr());
    const bool holds = PyModule_Check(value.ptr()) || PyType_Check(value.ptr());
    if (!holds || !inside || value.is(scope)) continue;
    const std::string name =
        PyModule_Check(value.ptr()) ? nb::cast<std::string>(value.attr("__name__")) : module;
    if (name.rfind("heddle.core", 0) == 0) replace_all(value, name);
  }
}

}  // namespace

bool& memory_ended() {
  static bool ended = false;
  return ended;
}

void explain_calls(nb::module_& m) { replace_all(m, nb::cast<std::string>(m.attr("__name__"))); }

}  // namespace heddle::python
