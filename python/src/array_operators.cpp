// Operators as type slots: array with array and array with number take a short way to the op.
#include <fmt/format.h>

#include "array_type.h"
#include "bind.h"
#include "foreign_memory.h"
#include "heddle/ops/arithmetic.h"

namespace heddle::python {
namespace {

using BinaryOp = Array (*)(const Array&, const Array&, StreamOrDevice);

// What an operator is called in messages, and whether it is one on bits.
struct Verb {
  BinaryOp op;
  const char* name;
  bool bits = false;
};

constexpr Verb addition{add, "addition"};
constexpr Verb subtraction{subtract, "subtraction"};
constexpr Verb multiplication{multiply, "multiplication"};
constexpr Verb division{divide, "division"};
constexpr Verb floor_division{floor_divide, "floor division"};
constexpr Verb modulus{remainder, "modulus"};
constexpr Verb raising{power, "power"};
constexpr Verb conjunction{bitwise_and, "bitwise and", true};
constexpr Verb disjunction{bitwise_or, "bitwise or", true};
constexpr Verb exclusion{bitwise_xor, "bitwise xor", true};
constexpr Verb shift_left{left_shift, "left shift", true};
constexpr Verb shift_right{right_shift, "right shift", true};

[[noreturn]] void refuse_operand(const char* prefix, const char* name, nb::handle other) {
  const bool list = PyList_Check(other.ptr()) || PyTuple_Check(other.ptr());
  throw std::invalid_argument(fmt::format(
      "[array] Cannot perform {}{} on an mlx.core.array and {}: an array or a number is wanted{}.",
      prefix, name, nb::cast<std::string>(other.type().attr("__name__")),
      list ? " (write mx.array(...))" : ""));
}

// The other operand; nothing for None, which no operator takes.
std::optional<Array> other_operand(nb::handle other, Dtype beside, const char* prefix,
                                   const char* name) {
  if (PyFloat_CheckExact(other.ptr()) || PyLong_CheckExact(other.ptr())) {
    return to_operand(other, beside);
  }
  if (other.is_none()) return std::nullopt;
  if (!is_operand(other)) refuse_operand(prefix, name, other);
  return to_operand(other, beside);
}

void check_bits(const Verb& verb, const Array& a, const Array& b) {
  if (verb.bits && (is_inexact(a.dtype()) || is_inexact(b.dtype()))) {
    throw std::invalid_argument(
        fmt::format("Floating point types not allowed with {}.", verb.name));
  }
}

PyObject* not_implemented() {
  Py_INCREF(Py_NotImplemented);
  return Py_NotImplemented;
}

template <const Verb& verb>
PyObject* binary(PyObject* a, PyObject* b) {
  try {
    bool left = is_array(a), right = is_array(b);
    Array result;
    if (left && right) {
      const Array &x = array_of(a), &y = array_of(b);
      check_bits(verb, x, y);
      result = verb.op(x, y, {});
    } else {
      const Array& mine = array_of(left ? a : b);
      // MLX has no reflected operators on bits; for what is no operand Python's own message stands.
      if (verb.bits && !left && !is_operand(a)) return not_implemented();
      auto other = other_operand(left ? b : a, mine.dtype(), "", verb.name);
      if (!other) return not_implemented();
      check_bits(verb, mine, *other);
      result = left ? verb.op(mine, *other, {}) : verb.op(*other, mine, {});
    }
    return wrap(std::move(result)).release().ptr();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

// Rebinds the contents of the left operand, which is always the array.
template <const Verb& verb>
PyObject* in_place(PyObject* a, PyObject* b) {
  try {
    Array& mine = array_of(a);
    auto other = other_operand(b, mine.dtype(), "inplace ", verb.name);
    if (!other) return not_implemented();
    if (verb.op == division.op && !is_inexact(mine.dtype())) {
      throw std::invalid_argument("In place division cannot cast to non-floating point type.");
    }
    check_bits(verb, mine, *other);
    mine.overwrite(verb.op(mine, *other, {}));
    Py_INCREF(a);
    return a;
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

PyObject* raise_to(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) {
    PyErr_SetString(PyExc_TypeError, "pow() of an array takes no modulus.");
    return nullptr;
  }
  return binary<raising>(a, b);
}

PyObject* raise_in_place(PyObject* a, PyObject* b, PyObject*) { return in_place<raising>(a, b); }

// Both operands of @ are arrays or convertible to one; numbers are not.
PyObject* matrix_product(PyObject* a, PyObject* b) {
  auto fits = [](PyObject* o) {
    return is_array(o) || PyObject_HasAttrString(o, "__mlx_array__") ||
           (is_foreign(o) && !PyFloat_Check(o) && !PyComplex_Check(o));
  };
  if (!array_slots().matmul || !fits(a) || !fits(b)) return not_implemented();
  return array_slots().matmul(a, b);
}

PyObject* matrix_product_in_place(PyObject* a, PyObject* b) {
  PyObject* product = matrix_product(a, b);
  if (!product || product == Py_NotImplemented) return product;
  array_of(a).overwrite(array_of(product));
  Py_DECREF(product);
  Py_INCREF(a);
  return a;
}

using UnaryOp = Array (*)(const Array&, StreamOrDevice);

template <UnaryOp op>
PyObject* unary(PyObject* a) {
  return guarded([&] { return wrap(op(array_of(a), {})); });
}

PyObject* invert(PyObject* a) {
  return guarded([&] {
    const Array& x = array_of(a);
    if (is_inexact(x.dtype())) {
      throw std::invalid_argument("Floating point types not allowed with bitwise inversion.");
    }
    return wrap(bitwise_invert(x));
  });
}

PyObject* positive(PyObject* a) {
  return guarded([&] { return wrap(array_of(a)); });
}

PyObject* compare(PyObject* a, PyObject* b, int which) {
  struct Comparison {
    BinaryOp op;
    const char* name;
  };
  static constexpr Comparison comparisons[] = {
      {less, "less than"},       {less_equal, "less than or equal"},
      {equal, "equal"},          {not_equal, "not equal"},
      {greater, "greater than"}, {greater_equal, "greater than or equal"}};
  return guarded([&]() -> nb::object {
    const Comparison& c = comparisons[which];
    const Array& mine = array_of(a);
    if (is_array(b)) return wrap(c.op(mine, array_of(b), {}));
    if (b == Py_None) {
      throw nb::type_error("An array cannot be compared with None; use `is None`.");
    }
    if (!is_operand(b)) {
      if (which == Py_EQ) return nb::bool_(false);
      if (which == Py_NE) return nb::bool_(true);
      refuse_operand("", c.name, b);
    }
    return wrap(c.op(mine, to_operand(b, mine.dtype()), {}));
  });
}

template <class F>
PyType_Slot slot(int id, F* f) {
  return {id, reinterpret_cast<void*>(f)};
}

}  // namespace

void add_operator_slots(std::vector<PyType_Slot>& slots) {
  slots.insert(slots.end(), {slot(Py_nb_add, binary<addition>),
                             slot(Py_nb_subtract, binary<subtraction>),
                             slot(Py_nb_multiply, binary<multiplication>),
                             slot(Py_nb_true_divide, binary<division>),
                             slot(Py_nb_floor_divide, binary<floor_division>),
                             slot(Py_nb_remainder, binary<modulus>),
                             slot(Py_nb_power, raise_to),
                             slot(Py_nb_matrix_multiply, matrix_product),
                             slot(Py_nb_and, binary<conjunction>),
                             slot(Py_nb_or, binary<disjunction>),
                             slot(Py_nb_xor, binary<exclusion>),
                             slot(Py_nb_lshift, binary<shift_left>),
                             slot(Py_nb_rshift, binary<shift_right>),
                             slot(Py_nb_inplace_add, in_place<addition>),
                             slot(Py_nb_inplace_subtract, in_place<subtraction>),
                             slot(Py_nb_inplace_multiply, in_place<multiplication>),
                             slot(Py_nb_inplace_true_divide, in_place<division>),
                             slot(Py_nb_inplace_floor_divide, in_place<floor_division>),
                             slot(Py_nb_inplace_remainder, in_place<modulus>),
                             slot(Py_nb_inplace_power, raise_in_place),
                             slot(Py_nb_inplace_matrix_multiply, matrix_product_in_place),
                             slot(Py_nb_inplace_and, in_place<conjunction>),
                             slot(Py_nb_inplace_or, in_place<disjunction>),
                             slot(Py_nb_inplace_xor, in_place<exclusion>),
                             slot(Py_nb_inplace_lshift, in_place<shift_left>),
                             slot(Py_nb_inplace_rshift, in_place<shift_right>),
                             slot(Py_nb_negative, unary<negative>),
                             slot(Py_nb_positive, positive),
                             slot(Py_nb_absolute, unary<abs>),
                             slot(Py_nb_invert, invert),
                             slot(Py_tp_richcompare, compare)});
}

void bind_operator_names(nb::class_<Array>& c) {
  c.def(
       "__div__",
       [](nb::handle a, nb::handle b) { return nb::steal(binary<division>(a.ptr(), b.ptr())); },
       nb::sig("def __div__(self, other: array | bool | int | float | complex, /) -> array"))
      .def(
          "__rdiv__",
          [](nb::handle a, nb::handle b) { return nb::steal(binary<division>(b.ptr(), a.ptr())); },
          nb::sig("def __rdiv__(self, other: array | bool | int | float | complex, /) -> array"));
}

}  // namespace heddle::python
