// Element types: the class Dtype and its 14 values, categories, type queries, finfo and iinfo.
#include <fmt/format.h>

#include <array>

#include "bind.h"
#include "heddle/type_info.h"

namespace heddle::python {
namespace {

// A Python Dtype. There is one object for each value, so that `is` works as well as `==`.
struct DtypeBox {
  Dtype value;
};

PyObject* dtype_type = nullptr;
std::array<PyObject*, dtype_count> dtype_objects;

// The name under which the module holds it.
std::string attribute_name(Dtype t) {
  return t == Dtype::bool_ ? "bool_" : std::string(name_of(t));
}

Dtype dtype_of_array_or_dtype(nb::handle x, const char* message) {
  if (auto t = dtype_from(x)) return *t;
  if (is_array(x)) return array_of(x).dtype();
  throw std::invalid_argument(message);
}

bool subtype(nb::handle a, nb::handle b) {
  auto category = [](nb::handle x, const char* which) {
    DtypeCategory c;
    if (!nb::try_cast(x, c, false)) {
      throw std::invalid_argument(
          fmt::format("[issubdtype] Received invalid type for {} input.", which));
    }
    return c;
  };
  auto x = dtype_from(a), y = dtype_from(b);
  if (x && y) return issubdtype(*x, *y);
  if (x) return issubdtype(*x, category(b, "second"));
  DtypeCategory c = category(a, "first");
  return !y && issubdtype(c, category(b, "second"));
}

// The array API's kinds of dtypes.
bool is_kind(Dtype t, const std::string& kind) {
  if (kind == "bool") return is_bool(t);
  if (kind == "signed integer") return is_signed(t);
  if (kind == "unsigned integer") return is_unsigned(t);
  if (kind == "integral") return is_integer(t);
  if (kind == "real floating") return is_floating(t);
  if (kind == "complex floating") return is_complex(t);
  if (kind == "numeric") return !is_bool(t);
  throw std::invalid_argument(fmt::format("[isdtype] Unknown data type kind: '{}'.", kind));
}

bool matches(Dtype t, nb::handle kind) {
  if (auto other = dtype_from(kind)) return t == *other;
  if (nb::isinstance<nb::str>(kind)) return is_kind(t, nb::cast<std::string>(kind));
  if (nb::isinstance<nb::tuple>(kind)) {
    bool any = false;
    for (nb::handle k : nb::borrow<nb::tuple>(kind)) any |= matches(t, k);
    return any;
  }
  throw nb::type_error("[isdtype] kind must be a string, a Dtype or a tuple of these.");
}

void bind_class(nb::module_& m) {
  nb::class_<DtypeBox> c(m, "Dtype", nb::is_weak_referenceable(), R"(
The type of an array's elements, such as ``mlx.core.float32``.

There is one object for each type; compare with ``==`` or ``is``.)");
  dtype_type = c.ptr();
  c.def_prop_ro(
       "size", [](const DtypeBox& t) { return size_of(t.value); }, "Bytes of one element.")
      .def("__repr__",
           [](const DtypeBox& t) { return fmt::format("mlx.core.{}", name_of(t.value)); })
      .def(
          "__eq__",
          [](const DtypeBox& t, nb::handle o) {
            auto other = dtype_from(o);
            return other && *other == t.value;
          },
          nb::arg().none(), nb::sig("def __eq__(self, other: object, /) -> bool"))
      .def(
          "__ne__",
          [](const DtypeBox& t, nb::handle o) {
            auto other = dtype_from(o);
            return !other || *other != t.value;
          },
          nb::arg().none(), nb::sig("def __ne__(self, other: object, /) -> bool"))
      .def("__hash__", [](const DtypeBox& t) { return static_cast<int64_t>(t.value); })
      .def("__copy__", [](nb::handle self) { return nb::borrow(self); })
      .def(
          "__deepcopy__", [](nb::handle self, nb::handle) { return nb::borrow(self); }, "memo"_a)
      // Pickled by name: what is read is the one object of the type again.
      .def("__reduce__", [](const DtypeBox& t) { return attribute_name(t.value); });
  for (int i = 0; i < dtype_count; i++) {
    Dtype t = static_cast<Dtype>(i);
    nb::object o = nb::inst_alloc(c);
    new (nb::inst_ptr<DtypeBox>(o)) DtypeBox{t};
    nb::inst_mark_ready(o);
    m.attr(attribute_name(t).c_str()) = o;
    dtype_objects[static_cast<size_t>(i)] = o.release().ptr();
  }
}

void bind_categories(nb::module_& m) {
  nb::enum_<DtypeCategory> e(m, "DtypeCategory", R"(
A set of dtypes, for :func:`issubdtype`: ``generic`` holds all, ``number`` all but bool; below it are
``integer`` (``signedinteger``, ``unsignedinteger``) and ``inexact`` (``floating``, ``complexfloating``).)");
  for (int i = 0; i <= static_cast<int>(DtypeCategory::generic); i++) {
    auto category = static_cast<DtypeCategory>(i);
    e.value(std::string(name_of(category)).c_str(), category);
  }
  e.export_values();
}

void bind_info(nb::module_& m) {
  nb::class_<finfo>(m, "finfo", "The limits of a floating type; of its parts for complex64.")
      .def(nb::init<Dtype>(), "dtype"_a, "Raises ValueError for a dtype that is not inexact.")
      .def_ro("dtype", &finfo::dtype, "The :class:`Dtype`.")
      .def_ro("bits", &finfo::bits, "Bits of one element.")
      .def_ro("min", &finfo::min, "The smallest finite value.")
      .def_ro("max", &finfo::max, "The largest finite value.")
      .def_ro("eps", &finfo::eps, "The distance from 1.0 to the next larger value.")
      .def_ro("smallest_normal", &finfo::smallest_normal,
              "The smallest positive value of full precision.")
      .def("__repr__", [](const finfo& f) {
        return fmt::format("finfo(min={:g}, max={:g}, dtype={})", f.min, f.max, name_of(f.dtype));
      });
  nb::class_<iinfo>(m, "iinfo", "The limits of an integer type.")
      .def(nb::init<Dtype>(), "dtype"_a,
           "Raises ValueError for a dtype that is not an integer type.")
      .def_ro("dtype", &iinfo::dtype, "The :class:`Dtype`.")
      .def_ro("bits", &iinfo::bits, "Bits of one element.")
      .def_ro("min", &iinfo::min, "The smallest value.")
      .def_ro("max", &iinfo::max, "The largest value.")
      .def("__repr__", [](const iinfo& i) {
        return fmt::format("iinfo(min={}, max={}, dtype={})", i.min, i.max, name_of(i.dtype));
      });
}

void bind_queries(nb::module_& m) {
  m.def("issubdtype", &subtype, "arg1"_a, "arg2"_a,
        nb::sig("def issubdtype(arg1: Dtype | DtypeCategory, arg2: Dtype | DtypeCategory) -> bool"),
        R"(
Whether a dtype or category lies in another.

A dtype lies in itself and in the categories above it; no category lies in a dtype.
Raises ValueError for anything that is neither.)");
  m.def(
      "result_type",
      [](const nb::args& inputs) {
        if (inputs.size() == 0) {
          throw std::invalid_argument("[result_type] At least one array or dtype is required.");
        }
        Dtype result = Dtype::bool_;
        for (nb::handle x : inputs) {
          result = promote_types(
              result, dtype_of_array_or_dtype(x, "[result_type] Inputs must be arrays or dtypes."));
        }
        return result;
      },
      nb::sig("def result_type(*arrays_and_dtypes: array | Dtype) -> Dtype"), R"(
The dtype to which arrays and dtypes are promoted together.

Raises ValueError without inputs or for one that is neither an array nor a dtype.)");
  m.def(
      "can_cast",
      [](nb::handle from, Dtype to) {
        Dtype t = dtype_of_array_or_dtype(from, "[can_cast] `from_` must be an array or a dtype.");
        return promote_types(t, to) == to;
      },
      "from_"_a, "to"_a, nb::sig("def can_cast(from_: array | Dtype, to: Dtype) -> bool"), R"(
Whether promotion takes `from_` to `to`.

Raises ValueError if `from_` is neither an array nor a dtype.)");
  m.def("isdtype", &matches, "dtype"_a, "kind"_a,
        nb::sig("def isdtype(dtype: Dtype, kind: str | Dtype | tuple) -> bool"), R"(
Whether a dtype is of a kind.

`kind` is a dtype, one of ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
``"real floating"``, ``"complex floating"``, ``"numeric"``, or a tuple of these.
Raises ValueError for another string.)");
}

}  // namespace

nb::handle dtype_object(Dtype dtype) { return dtype_objects[static_cast<size_t>(dtype)]; }

std::optional<Dtype> dtype_from(nb::handle object) {
  if (Py_TYPE(object.ptr()) != reinterpret_cast<PyTypeObject*>(dtype_type)) return std::nullopt;
  return nb::inst_ptr<DtypeBox>(object)->value;
}

void bind_dtype(nb::module_& m) {
  bind_class(m);
  bind_categories(m);
  bind_info(m);
  bind_queries(m);
}

}  // namespace heddle::python
