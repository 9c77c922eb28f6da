// Arrays, shapes and axes from Python values.
#include <fmt/format.h>

#include <cmath>
#include <complex>
#include <memory>

#include "bind.h"
#include "foreign.h"
#include "heddle/type_info.h"

namespace heddle::python {
namespace {

std::string type_name_of(nb::handle value) {
  return nb::cast<std::string>(value.type().attr("__name__"));
}

[[noreturn]] void refuse_type(nb::handle value) {
  throw std::invalid_argument(
      fmt::format("[array] Invalid type {} received in array initialization: a number, a list or "
                  "tuple of numbers, a buffer, a DLPack tensor or an array is wanted.",
                  type_name_of(value)));
}

// A Python int as the widest integers hold it: `big` where only uint64 does.
struct Integer {
  int64_t value = 0;
  bool big = false;
  uint64_t bits() const { return static_cast<uint64_t>(value); }
  bool operator<(const Integer& o) const {
    if (big != o.big) return o.big;
    return big ? bits() < o.bits() : value < o.value;
  }
};

// Nothing if it takes more than 64 bits.
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

// The same number in an integer dtype, or ValueError; bool is != 0.
Array exact_integer(const Integer& v, Dtype t) {
  if (is_integer(t) && !fits(v, t)) refuse_overflow(text_of(v), t);
  return scalar(v, t);
}

// A float without its fraction, as converting arrays has it, but refused where it does not fit.
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

// An int in a floating or complex dtype, rounded once.
Array inexact_integer(PyObject* value, Dtype t) {
  auto v = integer_of(value);
  return v ? scalar(*v, t) : Array(to_double(value), t);
}

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

complex64_t to_complex(PyObject* value) {
  return {static_cast<float>(PyComplex_RealAsDouble(value)),
          static_cast<float>(PyComplex_ImagAsDouble(value))};
}

// ---------------------------------------------------------------------------------------------
// Numbers of other classes: fractions.Fraction, decimal.Decimal, user-made ones.

bool is_other_number(PyObject* o) {
  if (PyType_Check(o) || is_array(o)) return false;
  return PyIndex_Check(o) || PyObject_HasAttrString(o, "__float__") ||
         PyObject_HasAttrString(o, "__complex__");
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
  if (Leaf leaf = numpy_leaf(o); leaf != Leaf::other) return leaf;
  if (is_array(o) || PyObject_HasAttrString(o, "__mlx_array__") || is_foreign(o)) {
    return Leaf::other;
  }
  if (PyIndex_Check(o)) return Leaf::integer;
  if (PyType_Check(o)) return Leaf::other;
  if (PyObject_HasAttrString(o, "__float__")) return Leaf::floating;
  return PyObject_HasAttrString(o, "__complex__") ? Leaf::complex : Leaf::other;
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
    if (dtype && is_half(*dtype) && integer_ && !floating_ && !huge_.is_valid() && !largest_.big) {
      return read_as<int64_t>(list, *dtype);  // rounded once
    }
    const bool numbers = integer_ || floating_;
    if (dtype && is_integer(*dtype) && numbers) return read_integers(list, *dtype);
    if (floating_ || (dtype && !is_integer(*dtype) && integer_)) {
      Dtype t = dtype.value_or(float32);
      // A half is rounded from all digits, an int of 64 bits too.
      return t == float32 || is_complex(t) ? read_as<float>(list, t) : read_as<double>(list, t);
    }
    if (integer_) return read_integers(list, integer_dtype());
    return read_as<bool>(list, dtype.value_or(bool_));
  }

 private:
  bool measure(PyObject* o, size_t depth) {
    if (!is_sequence(o) || length_of(o) != shape_[depth]) refuse_ragged(o, depth);
    bool last = depth + 1 == shape_.size();
    path_.push_back(0);
    for (Py_ssize_t i = 0; i < shape_[depth]; i++) {
      PyObject* e = element(o, i);
      if (!e) nb::raise_python_error();
      path_.back() = i;
      if (!last) {
        if (!is_sequence(e) && is_arraylike(e)) return false;
        if (!measure(e, depth + 1)) return false;
      } else if (!note(e)) {
        return false;
      }
    }
    path_.pop_back();
    return true;
  }

  static bool is_arraylike(PyObject* e) {
    return is_array(e) || PyObject_HasAttrString(e, "__mlx_array__") || is_foreign(e);
  }

  // "[1][0]"
  std::string place() const {
    std::string text;
    for (Py_ssize_t i : path_) text += fmt::format("[{}]", i);
    return text;
  }
  std::string first_place() const {
    std::string text;
    for (size_t k = 0; k < path_.size(); k++) text += "[0]";
    return text;
  }

  [[noreturn]] void refuse_ragged(PyObject* o, size_t depth) const {
    throw std::invalid_argument(fmt::format(
        "[array] Initialization encountered non-uniform length: element {} {}, {} has a length of "
        "{}. All lists of a level have to be equally long.",
        place(),
        is_sequence(o) ? fmt::format("has a length of {}", length_of(o))
                       : fmt::format("is a {}", type_name_of(o)),
        first_place(), shape_[depth]));
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
        note_integer(e);
        break;
      case Leaf::other:
        if (is_sequence(e)) {
          throw std::invalid_argument(fmt::format(
              "[array] Initialization encountered extra dimension: element {} is a {}, {} is a "
              "number.",
              place(), type_name_of(e), first_place()));
        }
        if (is_arraylike(e)) return false;
        refuse_type(e);
    }
    return true;
  }

  void note_integer(PyObject* e) {
    integer_ = true;
    nb::object number = PyLong_Check(e) ? nb::borrow(e) : as_int(e);
    auto v = integer_of(number.ptr());
    if (!v) {
      huge_ = number;
    } else if (*v < least_) {
      least_ = *v;
    } else if (largest_ < *v) {
      largest_ = *v;
    }
  }

  // The dtype of a list of ints; those of bools among them are 0 and 1.
  Dtype integer_dtype() const {
    if (huge_.is_valid()) refuse_beyond_64_bits(huge_.ptr());
    if (!largest_.big) return promote_types(dtype_for(least_), dtype_for(largest_));
    if (least_.value < 0) {
      throw std::overflow_error(fmt::format("[array] No integer dtype holds both {} and {}.",
                                            text_of(least_), text_of(largest_)));
    }
    return uint64;
  }

  // In an integer dtype, exactly or not at all.
  Array read_integers(PyObject* list, Dtype t) {
    if (huge_.is_valid()) refuse_beyond_64_bits(huge_.ptr());
    for (const Integer& v : {least_, largest_}) {
      if (!fits(v, t)) refuse_overflow(text_of(v), t);
    }
    integers_ = t;
    if (t == uint64) return read_as<uint64_t>(list, t);
    return t == int32 && !floating_ ? read_as<int32_t>(list, t) : read_as<int64_t>(list, t);
  }

  static nb::object as_int(PyObject* e) {
    PyObject* i = PyNumber_Index(e);
    if (!i) nb::raise_python_error();
    return nb::steal(i);
  }

  template <class T>
  T integer_value(PyObject* e) const {
    if (PyLong_Check(e)) return static_cast<T>(to_integer(e).value);
    switch (leaf_of(e)) {
      case Leaf::boolean:
        return static_cast<T>(value_of<bool>(e));
      case Leaf::floating:
        return static_cast<T>(truncated(to_double(e), integers_).value);
      default:
        return static_cast<T>(to_integer(as_int(e).ptr()).value);
    }
  }

  template <class T>
  T value_of(PyObject* e) const {
    if constexpr (std::is_same_v<T, bool>) {
      int truth = PyObject_IsTrue(e);
      if (truth < 0) nb::raise_python_error();
      return truth != 0;
    } else if constexpr (std::is_integral_v<T>) {
      return integer_value<T>(e);
    } else if constexpr (std::is_same_v<T, complex64_t>) {
      if (leaf_of(e) != Leaf::complex) return T(value_of<float>(e), 0);
      if (PyComplex_Check(e)) return to_complex(e);
      return to_complex(nb::handle(e).attr("__complex__")().ptr());
    } else {
      if (std::is_same_v<T, float> && PyLong_Check(e)) {
        if (auto v = integer_of(e)) {
          return v->big ? static_cast<T>(v->bits()) : static_cast<T>(v->value);
        }
      }
      return static_cast<T>(to_double(e));
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
  std::vector<Py_ssize_t> path_;  // of the element that is measured
  bool any_ = false, integer_ = false, floating_ = false, complex_ = false;
  Integer least_, largest_;  // of the ints and 0
  nb::object huge_;          // an int of more than 64 bits, if there is one
  Dtype integers_ = int64;   // what read_integers makes
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
    parts.push_back(to_array(item, dtype));
    if (!(parts.back().shape() == parts[0].shape())) {
      throw std::invalid_argument(fmt::format(
          "[array] Initialization encountered non-uniform length: element [{}] has the shape {}, "
          "[0] has {}.",
          parts.size() - 1, to_string(parts.back().shape()), to_string(parts[0].shape())));
    }
  }
  return stack(parts, 0);
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
    if (!PyIndex_Check(item.ptr())) {
      throw nb::type_error(fmt::format("[shape] A dimension has to be an int, got {} ({}).",
                                       nb::str(item).c_str(), type_name_of(item))
                               .c_str());
    }
    PyObject* index = PyNumber_Index(item.ptr());
    if (!index) nb::raise_python_error();
    nb::object number = nb::steal(index);
    int overflow;
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
