#include "constants.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace heddle::python {
namespace {

enum Tag : uint64_t {
  array_leaf = 1,
  none,
  boolean,
  integer,
  long_integer,
  floating,
  text,
  list,
  tuple,
  dict,
  set,
  attributes,
  subclass,
  identity,
  random_state,
};

}  // namespace

void Constants::add(nb::handle tree) { add(tree, Part::argument); }
void Constants::add_state(nb::handle tree) { add(tree, Part::state); }

void Constants::add(nb::handle h, Part part) {
  PyObject* o = h.ptr();
  if (is_array(h)) {
    numbers.push_back(array_leaf);
    if (part != Part::attribute) return;
    numbers.push_back(array_of(h).id());  // it becomes a constant of the trace
    identities.push_back(wrap(array_of(h)));
  } else if (PyList_Check(o)) {
    TreeLevel level;
    add_class(h, PyList_CheckExact(o), list);
    numbers.push_back(static_cast<uint64_t>(PyList_Size(o)));
    for (Py_ssize_t i = 0; i < PyList_Size(o); i++) add(PyList_GetItem(o, i), part);
    if (!PyList_CheckExact(o)) add_attributes(h, part);
  } else if (PyTuple_Check(o)) {
    TreeLevel level;
    add_class(h, PyTuple_CheckExact(o), tuple);
    numbers.push_back(static_cast<uint64_t>(PyTuple_Size(o)));
    for (Py_ssize_t i = 0; i < PyTuple_Size(o); i++) add(PyTuple_GetItem(o, i), part);
    if (!PyTuple_CheckExact(o)) add_attributes(h, part);
  } else if (PyDict_Check(o)) {
    TreeLevel level;
    add_class(h, PyDict_CheckExact(o), dict);
    numbers.push_back(static_cast<uint64_t>(PyDict_Size(o)));
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(o, &at, &key, &value)) {
      add_key(key);
      add(value, part);
    }
    if (!PyDict_CheckExact(o)) add_attributes(h, part);
  } else if (is_random_state(h)) {
    numbers.push_back(random_state);
  } else if (add_constant(h)) {
  } else if (part == Part::argument) {
    throw std::invalid_argument(
        fmt::format("[compile] Function arguments must be trees of arrays or constants (floats, "
                    "ints, strings, or "
                    "None), but received type {}.",
                    nb::type_name(h.type()).c_str()));
  } else if (part == Part::attribute && PyAnySet_Check(o)) {
    add_set(h);
  } else {
    add_identity(h);
  }
}

// Classes are told by identity as well; the plain ones by their tag alone.
void Constants::add_class(nb::handle h, bool plain, uint64_t tag) {
  numbers.push_back(tag);
  if (plain) return;
  numbers.push_back(subclass);
  add_identity(h.type());
}

void Constants::add_attributes(nb::handle h, Part part) {
  // Made once: a string for each look-up takes longer than all else here.
  static PyObject* const own_attributes = PyUnicode_InternFromString("__dict__");
  static PyObject* const training = PyUnicode_InternFromString("_training");
  PyObject* found = PyObject_GetAttr(h.ptr(), own_attributes);
  if (!found) {
    PyErr_Clear();
    return;
  }
  nb::object values = nb::steal(found);
  if (!PyDict_Check(values.ptr()) || PyDict_Size(values.ptr()) == 0) return;
  numbers.push_back(attributes);
  if (part == Part::state) {
    PyObject* mode = PyDict_GetItemWithError(values.ptr(), training);
    if (mode) add(mode, Part::attribute);
    else if (PyErr_Occurred()) nb::raise_python_error();
    return;
  }
  TreeLevel level;
  numbers.push_back(static_cast<uint64_t>(PyDict_Size(values.ptr())));
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(values.ptr(), &at, &key, &value)) {
    add_key(key);
    add(value, Part::attribute);
  }
}

bool Constants::add_constant(nb::handle h) {
  PyObject* o = h.ptr();
  if (h.is_none()) {
    numbers.push_back(none);
  } else if (PyBool_Check(o)) {
    numbers.push_back(boolean);
    numbers.push_back(o == Py_True);
  } else if (PyLong_Check(o)) {
    add_class(h, PyLong_CheckExact(o), integer);
    add_integer(h);
    if (!PyLong_CheckExact(o)) add_attributes(h, Part::attribute);
  } else if (PyFloat_Check(o)) {
    add_class(h, PyFloat_CheckExact(o), floating);
    numbers.push_back(std::bit_cast<uint64_t>(PyFloat_AsDouble(o)));
    if (!PyFloat_CheckExact(o)) add_attributes(h, Part::attribute);
  } else if (PyUnicode_Check(o)) {
    add_class(h, PyUnicode_CheckExact(o), text);
    add_text(h);
    if (!PyUnicode_CheckExact(o)) add_attributes(h, Part::attribute);
  } else {
    return false;
  }
  return true;
}

void Constants::add_integer(nb::handle h) {
  int overflow;
  const long long value = PyLong_AsLongLongAndOverflow(h.ptr(), &overflow);
  if (value == -1 && PyErr_Occurred()) nb::raise_python_error();
  if (!overflow) {
    numbers.push_back(static_cast<uint64_t>(value));
    return;
  }
  numbers.push_back(long_integer);
  PyObject* digits = PyNumber_ToBase(h.ptr(), 16);
  if (!digits) nb::raise_python_error();
  add_text(nb::steal(digits));
}

void Constants::add_text(nb::handle h) {
  Py_ssize_t size;
  if (const char* data = PyUnicode_AsUTF8AndSize(h.ptr(), &size)) {
    add_bytes(data, static_cast<size_t>(size));
    return;
  }
  PyErr_Clear();  // half a surrogate pair
  PyObject* encoded = PyUnicode_AsEncodedString(h.ptr(), "utf-8", "surrogatepass");
  if (!encoded) nb::raise_python_error();
  nb::object bytes = nb::steal(encoded);
  add_bytes(PyBytes_AsString(encoded), static_cast<size_t>(PyBytes_Size(encoded)));
}

void Constants::add_bytes(const char* data, size_t size) {
  numbers.push_back(size);
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, data + i, std::min(sizeof word, size - i));
    numbers.push_back(word);
  }
}

void Constants::add_key(nb::handle key) {
  if (PyTuple_CheckExact(key.ptr())) {
    TreeLevel level;
    numbers.push_back(tuple);
    numbers.push_back(static_cast<uint64_t>(PyTuple_Size(key.ptr())));
    for (Py_ssize_t i = 0; i < PyTuple_Size(key.ptr()); i++) add_key(PyTuple_GetItem(key.ptr(), i));
  } else if (!add_constant(key)) {
    add_identity(key);
  }
}

// In an order of its own: that of a set depends on hashes.
void Constants::add_set(nb::handle h) {
  std::vector<std::vector<uint64_t>> members;
  for (nb::handle member : nb::list(h)) {
    std::vector<uint64_t> before = std::exchange(numbers, {});
    add_key(member);
    members.push_back(std::exchange(numbers, std::move(before)));
  }
  std::sort(members.begin(), members.end());
  add_class(h, PyAnySet_CheckExact(h.ptr()), set);
  numbers.push_back(members.size());
  for (const auto& m : members) numbers.insert(numbers.end(), m.begin(), m.end());
}

void Constants::add_identity(nb::handle h) {
  numbers.push_back(identity);
  numbers.push_back(reinterpret_cast<uint64_t>(h.ptr()));
  identities.push_back(nb::borrow(h));
}

}  // namespace heddle::python
