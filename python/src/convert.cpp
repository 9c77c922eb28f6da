// Arrays, shapes and axes from Python values.
#include <fmt/format.h>

#include <cmath>
#include <complex>
#include <memory>

#include "bind.h"
#include "foreign.h"

namespace heddle::python {
namespace {

std::string type_name_of(nb::handle value) {
  return nb::cast<std::string>(value.type().attr("__name__"));
}

[[noreturn]] void refuse_type(nb::handle value) {
  throw std::invalid_argument(
      fmt::format("Invalid type {} received in array initialization.", type_name_of(value)));
}

// A Python int as the widest integers hold it: `big` where only uint64 does.
struct Integer {
  int64_t value = 0;
  bool big = false;
  uint64_t bits() const { return static_cast<uint64_t>(value); }
};

Integer to_integer(PyObject* value) {
  int overflow;
  long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (v == -1 && PyErr_Occurred()) nb::raise_python_error();
  if (!overflow) return {v, false};
  if (overflow > 0) {
    unsigned long long u = PyLong_AsUnsignedLongLong(value);
    if (u != static_cast<unsigned long long>(-1) || !PyErr_Occurred()) {
      return {static_cast<int64_t>(u), true};
    }
    PyErr_Clear();
  }
  throw std::overflow_error("[array] A Python int beyond 64 bits does not fit any dtype.");
}

Dtype dtype_for(const Integer& v) {
  if (v.big) return uint64;
  return v.value >= INT32_MIN && v.value <= INT32_MAX ? int32 : int64;
}

Array scalar(const Integer& v, Dtype dtype) {
  return v.big ? Array(v.bits(), dtype) : Array(v.value, dtype);
}

bool fits(const Integer& v, Dtype t) {
  if (t == uint64) return true;  // negative ones wrap, as in MLX: x + (-1) is x - 1
  if (is_unsigned(t)) return !v.big && v.value >= 0 && v.value >> (8 * size_of(t)) == 0;
  if (v.big) return false;
  if (t == int64) return true;
  int64_t limit = int64_t{1} << (8 * size_of(t) - 1);
  return v.value >= -limit && v.value < limit;
}

// A weak int beside an array of dtype t.
Array weak_integer(PyObject* value, std::optional<Dtype> t) {
  if (t && is_inexact(*t)) {
    double d = PyLong_AsDouble(value);
    if (d == -1.0 && PyErr_Occurred()) nb::raise_python_error();
    return Array(d, *t);
  }
  Integer v = to_integer(value);
  if (!t) return scalar(v, dtype_for(v));
  if (is_bool(*t)) return scalar(v, int32);
  if (!fits(v, *t)) {
    throw std::invalid_argument(fmt::format("Converting {} to {} would result in overflow.",
                                            nb::str(nb::handle(value)).c_str(), name_of(*t)));
  }
  return scalar(v, *t);
}

Array weak_float(double value, std::optional<Dtype> t) {
  return Array(value, t && is_floating(*t) ? *t : float32);
}

complex64_t to_complex(PyObject* value) {
  return {static_cast<float>(PyComplex_RealAsDouble(value)),
          static_cast<float>(PyComplex_ImagAsDouble(value))};
}

// ---------------------------------------------------------------------------------------------
// Nested lists and tuples.

bool is_sequence(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }

Py_ssize_t length_of(PyObject* o) { return PyList_Check(o) ? PyList_Size(o) : PyTuple_Size(o); }

// A borrowed element.
PyObject* element(PyObject* o, Py_ssize_t i) {
  return PyList_Check(o) ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i);
}

enum class Leaf : uint8_t { boolean, integer, floating, complex, other };

// What a numpy scalar is, by its dtype's kind.
Leaf numpy_leaf(PyObject* o) {
  nb::object dtype = nb::getattr(nb::handle(o), "dtype", nb::none());
  nb::object shape = nb::getattr(nb::handle(o), "shape", nb::none());
  if (!nb::isinstance<nb::tuple>(shape) || nb::len(shape) != 0) return Leaf::other;
  nb::object kind = nb::getattr(dtype, "kind", nb::none());
  if (!nb::isinstance<nb::str>(kind)) return Leaf::other;
  switch (nb::cast<std::string>(kind)[0]) {
    case 'b':
      return Leaf::boolean;
    case 'i':
    case 'u':
      return Leaf::integer;
    case 'f':
      return Leaf::floating;
    case 'c':
      return Leaf::complex;
    default:
      return Leaf::other;
  }
}

Leaf leaf_of(PyObject* o) {
  // Exact types first: with the stable ABI a check of subclasses is a call.
  if (PyFloat_CheckExact(o)) return Leaf::floating;
  if (PyLong_CheckExact(o)) return Leaf::integer;
  if (PyFloat_Check(o)) return Leaf::floating;
  if (PyBool_Check(o)) return Leaf::boolean;
  if (PyLong_Check(o)) return Leaf::integer;
  if (PyComplex_Check(o)) return Leaf::complex;
  return numpy_leaf(o);
}

// Reads a rectangular nest of scalars into row-major memory.
class ListReader {
 public:
  // False if some leaf is an array, so that the nest has to be stacked instead.
  bool measure(PyObject* list) {
    for (PyObject* o = list; is_sequence(o);) {
      shape_.push_back(length_of(o));
      if (shape_.back() == 0) break;
      o = element(o, 0);
      if (!o) nb::raise_python_error();
    }
    check_shape("array", shape_);
    return measure(list, 0);
  }

  Array read(PyObject* list, std::optional<Dtype> dtype) {
    if (!any_) return read_as<float>(list, dtype.value_or(float32));
    if (complex_) return read_as<complex64_t>(list, dtype.value_or(complex64));
    if (floating_) {
      return dtype == float64 ? read_as<double>(list, float64)
                              : read_as<float>(list, dtype.value_or(float32));
    }
    if (integer_) {
      if (big_) return read_as<uint64_t>(list, dtype.value_or(uint64));
      return wide_ || dtype ? read_as<int64_t>(list, dtype.value_or(int64))
                            : read_as<int32_t>(list, int32);
    }
    return read_as<bool>(list, dtype.value_or(bool_));
  }

 private:
  bool measure(PyObject* o, size_t depth) {
    if (!is_sequence(o) || length_of(o) != shape_[depth]) {
      throw std::invalid_argument("Initialization encountered non-uniform length.");
    }
    bool last = depth + 1 == shape_.size();
    for (Py_ssize_t i = 0; i < shape_[depth]; i++) {
      PyObject* e = element(o, i);
      if (!e) nb::raise_python_error();
      if (!last) {
        if (!is_sequence(e) && is_arraylike(e)) return false;
        if (!measure(e, depth + 1)) return false;
      } else if (!note(e)) {
        return false;
      }
    }
    return true;
  }

  static bool is_arraylike(PyObject* e) {
    return is_array(e) || PyObject_HasAttrString(e, "__mlx_array__");
  }

  bool note(PyObject* e) {
    any_ = true;
    switch (leaf_of(e)) {
      case Leaf::boolean:
        break;
      case Leaf::floating:
        floating_ = true;
        break;
      case Leaf::complex:
        complex_ = true;
        break;
      case Leaf::integer:
        integer_ = true;
        if (!wide_ || !big_) {
          Integer v =
              PyLong_CheckExact(e) || PyLong_Check(e) ? to_integer(e) : to_integer(as_int(e).ptr());
          wide_ |= dtype_for(v) != int32;
          big_ |= v.big;
        }
        break;
      case Leaf::other:
        if (is_sequence(e)) {
          throw std::invalid_argument("Initialization encountered extra dimension.");
        }
        if (is_arraylike(e)) return false;
        refuse_type(e);
    }
    return true;
  }

  static nb::object as_int(PyObject* e) {
    PyObject* i = PyNumber_Index(e);
    if (!i) nb::raise_python_error();
    return nb::steal(i);
  }

  template <class T>
  static T value_of(PyObject* e) {
    if constexpr (std::is_same_v<T, bool>) {
      int truth = PyObject_IsTrue(e);
      if (truth < 0) nb::raise_python_error();
      return truth != 0;
    } else if constexpr (std::is_integral_v<T>) {
      if (PyLong_CheckExact(e) || PyLong_Check(e)) return static_cast<T>(to_integer(e).value);
      if (leaf_of(e) == Leaf::boolean) return static_cast<T>(value_of<bool>(e));
      return static_cast<T>(to_integer(as_int(e).ptr()).value);
    } else if constexpr (std::is_same_v<T, complex64_t>) {
      if (leaf_of(e) != Leaf::complex) return T(value_of<float>(e), 0);
      if (PyComplex_Check(e)) return to_complex(e);
      return to_complex(nb::handle(e).attr("__complex__")().ptr());
    } else {
      double d = PyFloat_AsDouble(e);
      if (d == -1.0 && PyErr_Occurred()) nb::raise_python_error();
      return static_cast<T>(d);
    }
  }

  template <class T>
  Array read_as(PyObject* list, Dtype dtype) {
    size_t n = static_cast<size_t>(element_count(shape_));
    std::unique_ptr<T[]> values(new T[n]);
    T* next = values.get();
    if (n) fill(list, 0, next);
    return Array::from_memory(values.get(), dtype_of<T>, shape_, dtype);
  }

  template <class T>
  void fill(PyObject* o, size_t depth, T*& next) {
    bool last = depth + 1 == shape_.size();
    // Reading a leaf may run Python code that changes the list.
    if (length_of(o) != shape_[depth]) {
      throw std::invalid_argument("[array] The list changed while it was read.");
    }
    for (Py_ssize_t i = 0; i < shape_[depth]; i++) {
      PyObject* plain = element(o, i);
      if (!plain) nb::raise_python_error();
      if (last && (PyFloat_CheckExact(plain) || PyLong_CheckExact(plain))) {
        *next++ = value_of<T>(plain);  // runs no Python code
        continue;
      }
      nb::object e = nb::borrow(plain);
      if (last) {
        *next++ = value_of<T>(e.ptr());
      } else {
        fill(e.ptr(), depth + 1, next);
      }
    }
  }

  Shape shape_;
  bool any_ = false, integer_ = false, floating_ = false, complex_ = false;
  bool wide_ = false, big_ = false;
};

// A list with arrays among its leaves: the elements become arrays and are stacked.
Array stack_list(PyObject* list, std::optional<Dtype> dtype);

Array from_list(PyObject* list, std::optional<Dtype> dtype) {
  ListReader reader;
  if (!reader.measure(list)) return stack_list(list, dtype);
  return reader.read(list, dtype);
}

Array stack_list(PyObject* list, std::optional<Dtype> dtype) {
  Arrays parts;
  for (nb::handle item : nb::borrow<nb::object>(list)) {
    parts.push_back(to_array(item));
    if (!(parts.back().shape() == parts[0].shape())) {
      throw std::invalid_argument("Initialization encountered non-uniform length.");
    }
  }
  Array stacked = stack(parts, 0);
  return dtype ? astype(stacked, *dtype) : stacked;
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
         is_foreign(value) || PyObject_HasAttrString(o, "__mlx_array__");
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
  if (is_foreign(value)) return from_foreign(value, beside, Copy::always);
  refuse_type(value);
}

std::pair<Array, Array> to_operands(nb::handle a, nb::handle b) {
  if (is_array(a)) return {array_of(a), to_operand(b, array_of(a).dtype())};
  if (is_array(b)) return {to_operand(a, array_of(b).dtype()), array_of(b)};
  // An array by protocol counts as an array; of two weak scalars each keeps its own dtype.
  auto stands_alone = [](nb::handle v) {
    PyObject* o = v.ptr();
    return !PyFloat_Check(o) && !PyLong_Check(o) && !PyComplex_Check(o);
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
  if (PyFloat_Check(o)) return Array(PyFloat_AsDouble(o), dtype.value_or(float32));
  if (PyBool_Check(o)) return Array(o == Py_True, dtype.value_or(bool_));
  if (PyLong_Check(o)) {
    if (dtype && is_inexact(*dtype)) return weak_integer(o, dtype);
    Integer v = to_integer(o);
    return scalar(v, dtype.value_or(dtype_for(v)));
  }
  if (PyComplex_Check(o)) return Array(to_complex(o), dtype.value_or(complex64));
  if (value.is_none()) throw nb::type_error("An array cannot be made of None.");
  if (auto a = from_protocol(value)) return dtype ? astype(*a, *dtype) : *a;
  if (is_foreign(value)) return from_foreign(value, dtype, Copy::always);
  refuse_type(value);
}

Shape to_shape(nb::handle value) {
  Shape shape;
  auto add = [&](nb::handle item) {
    PyObject* index = PyNumber_Index(item.ptr());
    if (!index) nb::raise_python_error();
    int overflow;
    long long d = PyLong_AsLongLongAndOverflow(index, &overflow);
    Py_DECREF(index);
    if (overflow || d > max_dimension || d < -max_dimension) {
      throw std::overflow_error("[shape] A dimension is beyond 2^31 - 1.");
    }
    shape.push_back(d);
  };
  if (PyIndex_Check(value.ptr())) {
    add(value);
  } else if (is_sequence(value.ptr())) {
    for (nb::handle item : nb::borrow<nb::object>(value)) add(item);
  } else {
    throw nb::type_error("A shape has to be an int or a sequence of ints.");
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
