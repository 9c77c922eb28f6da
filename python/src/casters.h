// Strings and vectors from Python. nanobind's own casters fill them in functions that are noexcept,
// so that memory that ends there ends the process. These take no value then, as for an object of
// another type, and the call that fails reports what memory_ended() says (call_errors.cpp).
//
// In place of <nanobind/stl/string.h> and <nanobind/stl/vector.h>.
#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace heddle::python {

// Whether a conversion of the call in progress lacked memory. Guarded by Python's lock.
bool& memory_ended();

// What f gives; false where it ran out of memory or of what a vector can hold.
template <class F>
bool converted(F&& f) noexcept {
  try {
    return f();
  } catch (const std::exception&) {
    memory_ended() = true;
    return false;
  }
}

}  // namespace heddle::python

namespace nanobind::detail {

template <>
struct type_caster<std::string> {
  NB_TYPE_CASTER(std::string, const_name("str"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    if (!PyUnicode_Check(src.ptr())) return false;
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(src.ptr(), &size);
    if (!text) {
      PyErr_Clear();
      return false;
    }
    return heddle::python::converted([&] {
      value.assign(text, static_cast<size_t>(size));
      return true;
    });
  }
  static handle from_cpp(const std::string& text, rv_policy, cleanup_list*) noexcept {
    return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  }
};

template <class T>
struct type_caster<std::vector<T>> {
  using Caster = make_caster<T>;
  NB_TYPE_CASTER(std::vector<T>, io_name("collections.abc.Sequence", "list") + const_name("[") +
                                     Caster::Name + const_name("]"))
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    size_t size = 0;
    PyObject* held = nullptr;  // what keeps the items, where src does not
    PyObject** items = NB_CALL(seq_get)(src.ptr(), &size, &held);
    const bool done =
        items && heddle::python::converted([&] {
          value.clear();
          value.reserve(size);
          Caster caster;
          for (size_t i = 0; i < size; i++) {
            if (!caster.from_python(items[i], flags_for_local_caster<T>(flags), cleanup) ||
                !caster.template can_cast<T>()) {
              return false;
            }
            value.push_back(caster.operator cast_t<T>());
          }
          return true;
        });
    Py_XDECREF(held);
    return done;
  }
  template <class V>
  static handle from_cpp(V&& values, rv_policy policy, cleanup_list* cleanup) noexcept {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(values.size()));
    Py_ssize_t i = 0;
    for (auto&& item : values) {
      if (!list) break;
      handle object = Caster::from_cpp(forward_like_<V>(item), policy, cleanup);
      if (object.is_valid()) {
        PyList_SetItem(list, i++, object.ptr());
      } else {
        Py_CLEAR(list);
      }
    }
    return list;
  }
};

}  // namespace nanobind::detail
