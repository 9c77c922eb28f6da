// The class `array`: construction, properties, conversion to Python values, protocols.
#include <fmt/format.h>

#include "array_type.h"
#include "bind.h"
#include "core/node.h"
#include "heddle/ops/arithmetic.h"
#include "ops/following.h"

namespace heddle::python {
namespace {

PyTypeObject* array_type = nullptr;
PyObject* array_at_type = nullptr;

struct ArrayIterator {
  Array array;
  int64_t next = 0;
};

// Any object that has __mlx_array__; a name for annotations.
struct ArrayLike {};

template <class T>
PyObject* python_value(T v) {
  if constexpr (std::is_same_v<T, bool>) return PyBool_FromLong(v);
  else if constexpr (std::is_same_v<T, complex64_t>)
    return PyComplex_FromDoubles(v.real(), v.imag());
  else if constexpr (std::is_unsigned_v<T>) return PyLong_FromUnsignedLongLong(v);
  else if constexpr (std::is_integral_v<T>) return PyLong_FromLongLong(v);
  else return PyFloat_FromDouble(static_cast<double>(v));
}

nb::object item(const Array& a) {
  if (a.size() != 1) {
    throw std::invalid_argument(fmt::format(
        "[convert] Only length-1 arrays can be converted to Python scalars, this one has "
        "shape {}. Use tolist() for all elements.",
        to_string(a.shape())));
  }
  evaluate(a);
  return visit_dtype(a.dtype(), [&](auto tag) {
    return nb::steal(python_value(*a.data<typename decltype(tag)::type>()));
  });
}

template <class T>
nb::object nested_list(const T* data, const Shape& shape, const Strides& strides, size_t depth) {
  if (depth == shape.size()) return nb::steal(python_value(*data));
  PyObject* list = PyList_New(shape[depth]);
  if (!list) nb::raise_python_error();
  nb::object result = nb::steal(list);
  for (int64_t i = 0; i < shape[depth]; i++) {
    nb::object e = nested_list(data + i * strides[depth], shape, strides, depth + 1);
    PyList_SetItem(list, i, e.release().ptr());
  }
  return result;
}

nb::object to_list(const Array& a) {
  evaluate(a);
  return visit_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return nested_list(static_cast<const T*>(a.raw_data()), a.shape(), a.strides(), 0);
  });
}

nb::object format(const Array& a, nb::handle spec) {
  if (a.ndim() == 0) return item(a).attr("__format__")(spec);
  if (nb::len(spec) == 0) return nb::repr(nb::find(a));
  throw nb::type_error("unsupported format string passed to mx.array.__format__");
}

PyObject* get_item(PyObject* self, PyObject* index) {
  if (array_slots().getitem) return array_slots().getitem(self, index);
  PyErr_SetString(PyExc_TypeError, "This build has no indexing.");
  return nullptr;
}

// Properties and conversions. Everything else comes from the op families.
void bind_members(nb::class_<Array>& c) {
  c.def(
      "__init__",
      [](Array* self, nb::handle val, std::optional<Dtype> dtype) {
        new (self) Array(to_array(val, dtype));
      },
      "val"_a, "dtype"_a = nb::none(),
      nb::sig(
          "def __init__(self, val: bool | int | float | complex | list | tuple | array | object, "
          "dtype: Dtype | None = None)"),
      R"(
Makes an array of a number, nested lists or tuples, a buffer, a DLPack tensor or another array.

The elements are copied. Without `dtype`: floats give float32, ints int32 (int64 if one needs it), NumPy
float64 gives float32 and complex128 complex64; a mix gives what holds all.
Raises ValueError for ragged lists, for types that are no array and for numbers that do not fit an integer
`dtype`, OverflowError for ints beyond 64 bits.)");
  auto sized = [](const Array& a) -> const Array& {
    size_read(a);  // Python may compute anything from it
    return a;
  };
  c.def_prop_ro(
       "size", [sized](const Array& a) { return sized(a).size(); }, "The number of elements.")
      .def_prop_ro("ndim", &Array::ndim, "The number of dimensions.")
      .def_prop_ro("itemsize", &Array::itemsize, "Bytes of one element.")
      .def_prop_ro(
          "nbytes", [sized](const Array& a) { return sized(a).nbytes(); }, "Bytes of all elements.")
      .def_prop_ro(
          "shape", [sized](const Array& a) { return from_shape(sized(a).shape()); },
          nb::sig("def shape(self) -> tuple[int, ...]"), "The dimensions as a tuple.")
      .def_prop_ro("dtype", &Array::dtype, "The :class:`Dtype` of the elements.")
      .def_prop_ro(
          "real", [](const Array& a) { return real(a); },
          "The real part; the array itself if it is not complex.")
      .def_prop_ro(
          "imag", [](const Array& a) { return imag(a); },
          "The imaginary part; zeros if the array is not complex.")
      .def_prop_ro(
          "device", [](const Array&) { return default_device(); },
          "The :class:`Device` that holds the elements.")
      .def_prop_ro(
          "at",
          [](const Array& a) {
            return ArrayAt{a, nb::object()};
          },
          R"(
Updates at indices: ``x.at[i].add(v)`` is x with v added at i, where repeated indices add up.)");
  c.def("item", &item, nb::sig("def item(self) -> bool | int | float | complex"),
        "The only element as a Python number. Raises ValueError unless there is exactly one.")
      .def("tolist", &to_list, nb::sig("def tolist(self) -> list | bool | int | float | complex"),
           "The elements as nested lists of Python numbers; a number for 0 dimensions.")
      .def(
          "astype", [](const Array& a, Dtype t, StreamOrDevice s) { return astype(a, t, s); },
          "dtype"_a, "stream"_a = nb::none(), R"(
The elements converted to another dtype. Floats are truncated to integers, integers wrap.)")
      .def(
          "to_device",
          [](const Array& a, const StreamOrDevice& d, nb::handle) {
            to_stream(d);
            return a;
          },
          "device"_a, nb::kw_only(), "stream"_a = nb::none(),
          nb::sig(
              "def to_device(self, device: Device | DeviceType, *, stream: object | None = None) "
              "-> array"),
          "The array on a device. Raises ValueError for one that this build does not have.")
      .def(
          "__int__", [](const Array& a) { return nb::steal(PyNumber_Long(item(a).ptr())); },
          nb::sig("def __int__(self) -> int"))
      .def(
          "__complex__",
          [](const Array& a) {
            return nb::borrow(nb::handle(reinterpret_cast<PyObject*>(&PyComplex_Type)))(item(a));
          },
          nb::sig("def __complex__(self) -> complex"))
      .def("__format__", &format, nb::sig("def __format__(self, arg: str, /) -> str"))
      .def("__copy__", [](const Array& a) { return a; })
      .def(
          "__deepcopy__", [](const Array& a, nb::handle) { return a; }, "memo"_a);
}

void bind_companions(nb::module_& m) {
  nb::class_<ArrayAt> at(m, "ArrayAt", "Updates of an array at indices, see :attr:`array.at`.");
  array_at_type = at.ptr();
  at.def(
      "__getitem__",
      [](const ArrayAt& self, nb::object index) {
        return ArrayAt{self.array, index};
      },
      nb::arg().none(), nb::sig("def __getitem__(self, indices: object | None, /) -> ArrayAt"));
  nb::class_<ArrayIterator>(m, "ArrayIterator", "Goes over the first axis of an array.")
      .def(
          "__iter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __iter__(self) -> ArrayIterator"))
      .def(
          "__next__",
          [](ArrayIterator& it) {
            if (it.next >= it.array.shape()[0]) throw nb::stop_iteration();
            nb::object self = wrap(it.array), index = nb::int_(it.next++);
            PyObject* e = get_item(self.ptr(), index.ptr());
            if (!e) nb::raise_python_error();
            return nb::steal(e);
          },
          nb::sig("def __next__(self) -> array"));
  nb::class_<ArrayLike>(m, "ArrayLike",
                        "Any object with a method ``__mlx_array__`` that returns an array.");
}

nb::object new_iterator(const Array& a) {
  if (a.ndim() == 0) throw nb::type_error("iter() 0-dimensional array.");
  return nb::cast(ArrayIterator{a});
}

// ---------------------------------------------------------------------------------------------
// Slots of the C API that are no operators.

const Array& self_of(PyObject* o) { return *nb::inst_ptr<Array>(o); }

PyObject* iterate(PyObject* self) {
  size_read(self_of(self));
  return guarded([&] { return new_iterator(self_of(self)); });
}

Py_ssize_t length(PyObject* self) {
  const Array& a = self_of(self);
  size_read(a);
  if (a.ndim() > 0) return static_cast<Py_ssize_t>(a.shape()[0]);
  PyErr_SetString(PyExc_TypeError, "len() 0-dimensional array.");
  return -1;
}

int truth(PyObject* self) {
  nb::object o = nb::steal(guarded([&] {
    const Array& a = self_of(self);
    if (a.size() != 1) {
      throw std::invalid_argument(
          fmt::format("[convert] Only length-1 arrays have a truth value, this one has shape {}. "
                      "Use any() or all(), or array_equal(a, b) to compare arrays.",
                      to_string(a.shape())));
    }
    return item(a);
  }));
  return o.is_valid() ? PyObject_IsTrue(o.ptr()) : -1;
}

PyObject* to_float(PyObject* self) {
  return guarded([&] {
    nb::object o = item(self_of(self));
    return nb::steal(PyNumber_Float(o.ptr()));
  });
}

PyObject* to_index(PyObject* self) {
  return guarded([&] {
    const Array& a = self_of(self);
    if (a.ndim() != 0 || !is_integer(a.dtype())) {
      throw nb::type_error(
          fmt::format("[convert] Only 0-dimensional integer arrays can be converted to an index, "
                      "this one has shape {} and dtype {}.",
                      to_string(a.shape()), name_of(a.dtype()))
              .c_str());
    }
    return item(a);
  });
}

// By identity: arrays compare elementwise, so equal arrays need no equal hash.
Py_hash_t identity_hash(PyObject* self) {
  auto address = reinterpret_cast<uintptr_t>(self);
  auto hash = static_cast<Py_hash_t>(address >> 4 | address << (8 * sizeof address - 4));
  return hash == -1 ? -2 : hash;
}

// For the sequence protocol (reversed, old-style iteration), which ends at an IndexError.
PyObject* get_nth(PyObject* self, Py_ssize_t i) {
  const Array& a = self_of(self);
  if (a.ndim() == 0 || i < 0 || i >= a.shape()[0]) {
    PyErr_SetString(PyExc_IndexError, "The index is out of range.");
    return nullptr;
  }
  return guarded([&] { return nb::steal(get_item(self, nb::int_(i).ptr())); });
}

int set_item(PyObject* self, PyObject* index, PyObject* value) {
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "Elements of an array cannot be deleted.");
    return -1;
  }
  if (array_slots().setitem) return array_slots().setitem(self, index, value);
  PyErr_SetString(PyExc_TypeError, "This build has no indexing.");
  return -1;
}

template <class F>
PyType_Slot slot(int id, F* f) {
  return {id, reinterpret_cast<void*>(f)};
}

std::vector<PyType_Slot>& slots() {
  static std::vector<PyType_Slot> all = [] {
    std::vector<PyType_Slot> s = {
        slot(Py_tp_iter, iterate),       slot(Py_mp_length, length),
        slot(Py_sq_length, length),      slot(Py_sq_item, get_nth),
        slot(Py_nb_bool, truth),         slot(Py_nb_float, to_float),
        slot(Py_nb_index, to_index),     slot(Py_tp_hash, identity_hash),
        slot(Py_mp_subscript, get_item), slot(Py_mp_ass_subscript, set_item)};
    add_operator_slots(s);
    add_buffer_slots(s);
    s.push_back({0, nullptr});
    return s;
  }();
  return all;
}

}  // namespace

bool is_array(nb::handle value) {
  PyTypeObject* t = Py_TYPE(value.ptr());
  return t == array_type || PyType_IsSubtype(t, array_type);
}

Array& array_of(nb::handle value) { return *nb::inst_ptr<Array>(value); }

nb::object wrap(Array array) {
  nb::object o = nb::inst_alloc(reinterpret_cast<PyObject*>(array_type));
  new (nb::inst_ptr<Array>(o)) Array(std::move(array));
  nb::inst_mark_ready(o);
  return o;
}

nb::class_<Array> array_class() {
  return nb::borrow<nb::class_<Array>>(reinterpret_cast<PyObject*>(array_type));
}

nb::class_<ArrayAt> array_at_class() { return nb::borrow<nb::class_<ArrayAt>>(array_at_type); }

ArraySlots& array_slots() {
  static ArraySlots s;
  return s;
}

void bind_array(nb::module_& m) {
  nb::class_<Array> c(
      m, "array", nb::type_slots(slots().data()), nb::is_weak_referenceable(),
      "An array of any number of dimensions, computed when it is needed.\n\n"
      "Reads by an index array are clamped: an index beyond the axis reads its last "
      "or first element, as in JAX, and raises nothing. An int beyond it raises "
      "IndexError, a slice is cut, as everywhere in Python.");
  array_type = reinterpret_cast<PyTypeObject*>(c.ptr());
  bind_members(c);
  bind_operator_names(c);
  bind_companions(m);
}

}  // namespace heddle::python
