#include "numbers.h"

#include <fmt/format.h>

#include <cmath>

#include "heddle/type_info.h"

namespace heddle::python {

std::string type_name_of(nb::handle value) {
  return nb::cast<std::string>(value.type().attr("__name__"));
}

[[noreturn]] void refuse_type(nb::handle value) {
  throw std::invalid_argument(
      fmt::format("[array] Invalid type {} received in array initialization: a number, a list or "
                  "tuple of numbers, a buffer, a DLPack tensor or an array is wanted.",
                  type_name_of(value)));
}

std::optional<Integer> integer_of(PyObject* value) {
  int overflow;
  long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (v == -1 && PyErr_Occurred()) nb::raise_python_error();
  if (!overflow) return Integer{v, false};
  if (overflow > 0) {
    unsigned long long u = PyLong_AsUnsignedLongLong(value);
    if (u != static_cast<unsigned long long>(-1) || !PyErr_Occurred()) {
      return Integer{static_cast<int64_t>(u), true};
    }
    PyErr_Clear();
  }
  return std::nullopt;
}

[[noreturn]] void refuse_beyond_64_bits(PyObject* value) {
  throw std::overflow_error(fmt::format(
      "[array] The Python int {} has more than 64 bits and does not fit any integer dtype.",
      nb::str(nb::handle(value)).c_str()));
}

Integer to_integer(PyObject* value) {
  if (auto v = integer_of(value)) return *v;
  refuse_beyond_64_bits(value);
}

Dtype dtype_for(const Integer& v) {
  if (v.big) return uint64;
  return v.value >= INT32_MIN && v.value <= INT32_MAX ? int32 : int64;
}

Array scalar(const Integer& v, Dtype dtype) {
  return v.big ? Array(v.bits(), dtype) : Array(v.value, dtype);
}

bool fits(const Integer& v, Dtype t) {
  if (t == uint64) return v.big || v.value >= 0;
  if (is_unsigned(t)) return !v.big && v.value >= 0 && v.value >> (8 * size_of(t)) == 0;
  if (v.big) return false;
  if (t == int64) return true;
  int64_t limit = int64_t{1} << (8 * size_of(t) - 1);
  return v.value >= -limit && v.value < limit;
}

[[noreturn]] void refuse_overflow(const std::string& value, Dtype t) {
  const iinfo limits(t);
  throw std::invalid_argument(
      fmt::format("[array] Converting {} to {} would result in overflow: it holds {} to {}.", value,
                  name_of(t), limits.min, limits.max));
}

std::string text_of(const Integer& v) {
  return v.big ? std::to_string(v.bits()) : std::to_string(v.value);
}

Array exact_integer(const Integer& v, Dtype t) {
  if (is_integer(t) && !fits(v, t)) refuse_overflow(text_of(v), t);
  return scalar(v, t);
}

Integer truncated(double value, Dtype t) {
  const double whole = std::trunc(value);
  const bool big = whole >= 0x1p63;
  const bool held = big ? whole < 0x1p64 : whole >= -0x1p63;  // not for NaN
  Integer v{
      held ? big ? static_cast<int64_t>(static_cast<uint64_t>(whole)) : static_cast<int64_t>(whole)
           : 0,
      big};
  if (!held || !fits(v, t)) refuse_overflow(fmt::format("{}", value), t);
  return v;
}

double to_double(PyObject* value) {
  double d = PyFloat_AsDouble(value);
  if (d == -1.0 && PyErr_Occurred()) nb::raise_python_error();
  return d;
}

Array inexact_integer(PyObject* value, Dtype t) {
  auto v = integer_of(value);
  return v ? scalar(*v, t) : Array(to_double(value), t);
}

complex64_t to_complex(PyObject* value) {
  return {static_cast<float>(PyComplex_RealAsDouble(value)),
          static_cast<float>(PyComplex_ImagAsDouble(value))};
}

// Numbers of other classes.
bool is_other_number(PyObject* o) {
  if (PyType_Check(o) || is_array(o)) return false;
  return PyIndex_Check(o) || PyObject_HasAttrString(o, "__float__") ||
         PyObject_HasAttrString(o, "__complex__");
}

nb::object as_number(nb::handle value) {
  PyObject* o = value.ptr();
  if (!is_other_number(o)) return {};
  PyObject* number = nullptr;
  if (PyIndex_Check(o)) {
    number = PyNumber_Index(o);
  } else if (PyObject_HasAttrString(o, "__float__")) {
    number = PyNumber_Float(o);
    // What has an imaginary part has no float.
    if (!number && PyErr_ExceptionMatches(PyExc_TypeError) &&
        PyObject_HasAttrString(o, "__complex__")) {
      PyErr_Clear();
      return nb::handle(o).attr("__complex__")();
    }
  } else {
    return nb::handle(o).attr("__complex__")();
  }
  if (!number) nb::raise_python_error();
  return nb::steal(number);
}

}  // namespace heddle::python
