// Arrays of nested lists and tuples.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "foreign_memory.h"
#include "heddle/ops/shape.h"
#include "numbers.h"

namespace heddle::python {
namespace {

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

// Deeper than anybody's array, and far from the end of the stack.
constexpr size_t deepest = 1000;

[[noreturn]] void refuse_depth() {
  PyErr_SetString(PyExc_RecursionError,
                  "[array] The lists are nested without end, or more than 1000 deep.");
  nb::raise_python_error();
}

// Reads a rectangular nest of scalars into row-major memory.
class ListReader {
 public:
  // False if some leaf is an array, so that the nest has to be stacked instead.
  bool measure(PyObject* list) {
    for (PyObject* o = list; is_sequence(o);) {
      shape_.push_back(length_of(o));
      if (shape_.size() > deepest) refuse_depth();
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
      if (last && PyFloat_CheckExact(e)) {
        any_ = floating_ = true;
        continue;
      }
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

  // The value of an int of at most 63 bits, which most are.
  static bool plain_integer(PyObject* e, long long& value) {
    int overflow;
    value = PyLong_AsLongLongAndOverflow(e, &overflow);
    return overflow == 0;
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
    if (long long v; PyLong_CheckExact(e) && plain_integer(e, v)) {
      const Integer n{v, false};
      if (n < least_) least_ = n;
      if (largest_ < n) largest_ = n;
      return;
    }
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
    if (long long v; PyLong_CheckExact(e) && plain_integer(e, v)) return static_cast<T>(v);
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
      if (PyFloat_CheckExact(e)) return static_cast<T>(PyFloat_AsDouble(e));
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
  InlineVector<Py_ssize_t, 6> path_;  // of the element that is measured
  bool any_ = false, integer_ = false, floating_ = false, complex_ = false;
  Integer least_, largest_;  // of the ints and 0
  nb::object huge_;          // an int of more than 64 bits, if there is one
  Dtype integers_ = int64;   // what read_integers makes
};

// A list with arrays among its leaves: the elements become arrays and are stacked.
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

}  // namespace

bool is_sequence(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }

Array from_list(PyObject* list, std::optional<Dtype> dtype) {
  TreeLevel level;  // lists of arrays are read list by list
  ListReader reader;
  if (!reader.measure(list)) return stack_list(list, dtype);
  return reader.read(list, dtype);
}

}  // namespace heddle::python
