// Arrays, shapes and axes from Python values.
#include <fmt/format.h>

#include "foreign_memory.h"
#include "heddle/ops/arithmetic.h"
#include "numbers.h"

namespace heddle::python {
namespace {

// A weak int beside an array of dtype t.
Array weak_integer(PyObject* value, std::optional<Dtype> t) {
  if (t && is_inexact(*t)) return inexact_integer(value, *t);
  Integer v = to_integer(value);
  if (!t) return scalar(v, dtype_for(v));
  if (is_bool(*t)) return scalar(v, fits(v, int32) ? int32 : dtype_for(v));
  return exact_integer(v, *t);
}

Array weak_float(double value, std::optional<Dtype> t) {
  return Array(value, t && is_floating(*t) ? *t : float32);
}

// The array of an object with __mlx_array__, if it is one.
std::optional<Array> from_protocol(nb::handle value) {
  if (!PyObject_HasAttrString(value.ptr(), "__mlx_array__")) return std::nullopt;
  nb::object given = value.attr("__mlx_array__")();
  if (!is_array(given)) {
    throw nb::type_error("__mlx_array__ has to return an array.");
  }
  return array_of(given);
}

}  // namespace

bool is_operand(nb::handle value) {
  PyObject* o = value.ptr();
  return is_array(value) || PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o) ||
         is_foreign(value) || PyObject_HasAttrString(o, "__mlx_array__") || is_other_number(o);
}

Array to_operand(nb::handle value, std::optional<Dtype> beside) {
  PyObject* o = value.ptr();
  if (PyFloat_CheckExact(o)) return weak_float(PyFloat_AsDouble(o), beside);
  if (PyLong_CheckExact(o)) return weak_integer(o, beside);
  if (is_array(value)) return array_of(value);
  if (PyFloat_Check(o)) return weak_float(PyFloat_AsDouble(o), beside);
  if (PyBool_Check(o)) return Array(o == Py_True);
  if (PyLong_Check(o)) return weak_integer(o, beside);
  if (PyComplex_Check(o)) return Array(to_complex(o));
  if (value.is_none()) throw nb::type_error("An array or a number is wanted, None was given.");
  if (auto a = from_protocol(value)) return *a;
  if (is_foreign(value)) return from_foreign_beside(value, beside);
  if (nb::object number = as_number(o)) return to_operand(number, beside);
  refuse_type(value);
}

std::pair<Array, Array> to_operands(nb::handle a, nb::handle b) {
  if (is_array(a)) return {array_of(a), to_operand(b, array_of(a).dtype())};
  if (is_array(b)) return {to_operand(a, array_of(b).dtype()), array_of(b)};
  // An array by protocol counts as an array; of two weak scalars each keeps its own dtype.
  auto stands_alone = [](nb::handle v) {
    PyObject* o = v.ptr();
    return !PyFloat_Check(o) && !PyLong_Check(o) && !PyComplex_Check(o) &&
           (is_foreign(v) || PyObject_HasAttrString(o, "__mlx_array__") || !is_other_number(o));
  };
  if (stands_alone(a)) {
    Array x = to_operand(a);
    return {x, to_operand(b, x.dtype())};
  }
  if (stands_alone(b)) {
    Array y = to_operand(b);
    return {to_operand(a, y.dtype()), y};
  }
  return {to_operand(a), to_operand(b)};
}

Array to_array(nb::handle value, std::optional<Dtype> dtype) {
  PyObject* o = value.ptr();
  if (is_array(value)) {
    const Array& a = array_of(value);
    return dtype ? astype(a, *dtype) : a;
  }
  if (is_sequence(o)) return from_list(o, dtype);
  if (PyFloat_Check(o)) {
    double d = PyFloat_AsDouble(o);
    return dtype && is_integer(*dtype) ? scalar(truncated(d, *dtype), *dtype)
                                       : Array(d, dtype.value_or(float32));
  }
  if (PyBool_Check(o)) return Array(o == Py_True, dtype.value_or(bool_));
  if (PyLong_Check(o)) {
    if (dtype && is_inexact(*dtype)) return inexact_integer(o, *dtype);
    Integer v = to_integer(o);
    return exact_integer(v, dtype.value_or(dtype_for(v)));
  }
  if (PyComplex_Check(o)) return Array(to_complex(o), dtype.value_or(complex64));
  if (value.is_none()) throw nb::type_error("An array cannot be made of None.");
  if (auto a = from_protocol(value)) return dtype ? astype(*a, *dtype) : *a;
  if (is_foreign(value)) return from_foreign(value, dtype, Copy::always);
  if (nb::object number = as_number(o)) return to_array(number, dtype);
  refuse_type(value);
}

Shape to_shape(nb::handle value) {
  Shape shape;
  auto add = [&](nb::handle item) {
    int overflow;
    if (PyLong_CheckExact(item.ptr())) [[likely]] {
      const long long d = PyLong_AsLongLongAndOverflow(item.ptr(), &overflow);
      if (!overflow && d <= max_dimension && d >= -max_dimension) return shape.push_back(d);
    }
    if (!PyIndex_Check(item.ptr())) {
      throw nb::type_error(fmt::format("[shape] A dimension has to be an int, got {} ({}).",
                                       nb::str(item).c_str(), type_name_of(item))
                               .c_str());
    }
    PyObject* index = PyNumber_Index(item.ptr());
    if (!index) nb::raise_python_error();
    nb::object number = nb::steal(index);
    long long d = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow || d > max_dimension || d < -max_dimension) {
      throw std::overflow_error(
          fmt::format("[shape] Shape dimension {} is larger than the largest allowed, {}.",
                      nb::str(number).c_str(), max_dimension));
    }
    shape.push_back(d);
  };
  if (PyIndex_Check(value.ptr())) {
    add(value);
  } else if (is_sequence(value.ptr())) {
    for (nb::handle item : nb::borrow<nb::object>(value)) add(item);
  } else {
    throw nb::type_error(
        fmt::format("[shape] A shape has to be an int or a sequence of ints, got {}.",
                    type_name_of(value))
            .c_str());
  }
  return shape;
}

nb::tuple from_shape(const Shape& shape) {
  PyObject* t = PyTuple_New(static_cast<Py_ssize_t>(shape.size()));
  for (size_t i = 0; i < shape.size(); i++) {
    PyTuple_SetItem(t, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
  }
  return nb::steal<nb::tuple>(t);
}

std::vector<int> to_axes(const AxisArg& axis, int ndim) {
  if (auto one = std::get_if<int>(&axis)) return {*one};
  if (auto many = std::get_if<std::vector<int>>(&axis)) return *many;
  std::vector<int> all(static_cast<size_t>(ndim));
  for (int i = 0; i < ndim; i++) all[static_cast<size_t>(i)] = i;
  return all;
}

}  // namespace heddle::python
