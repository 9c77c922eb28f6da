// The parser of index expressions, and the functions and methods of indexing.
#include "index.h"

#include <fmt/format.h>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "signature.h"

namespace heddle::python {
namespace {

// What to do instead of reading by a mask: how many elements it selects depends on its values, and
// shapes do not.
constexpr const char* no_mask =
    "[index] boolean indices are not yet supported where elements are read: the size of the result "
    "would depend on values. Use where(mask, a, b), or positions, as in a[positions] with "
    "positions = array([i for i, m in enumerate(mask.tolist()) if m]).";

bool is_numpy(nb::handle value);

[[noreturn]] void refuse(nb::handle value) {
  const std::string type = nb::cast<std::string>(value.type().attr("__name__"));
  if (PyBool_Check(value.ptr()) ||
      (is_numpy(value) && nb::hasattr(value, "dtype") &&
       nb::cast<std::string>(value.attr("dtype").attr("kind")) == "b")) {
    throw std::invalid_argument(no_mask);
  }
  throw std::invalid_argument(
      fmt::format("[index] Cannot index mlx array using the given type, {}: an int, a slice, None, "
                  "..., an array "
                  "or a list of integers is wanted{}.",
                  type, nb::hasattr(value, "__array__") ? " (write a[mx.array(index)])" : ""));
}

// An integer of Python or numpy. Out of 32 bits, the nearest that is not: as a bound or a step of a
// slice it means the same, because no axis is longer.
struct Index {
  int64_t value;
  bool cut;
};
Index to_index(nb::handle value) {
  nb::object number = nb::steal(PyNumber_Index(value.ptr()));
  if (!number.is_valid()) throw nb::python_error();
  int overflow = 0;
  long long i = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow > 0 || i > INT32_MAX) return {INT32_MAX, true};
  if (overflow < 0 || i < INT32_MIN) return {INT32_MIN, true};
  return {i, false};
}

int64_t position(nb::handle value) {
  const Index i = to_index(value);
  if (i.cut) {
    throw std::invalid_argument(
        fmt::format("[index] Index {} is out of range: no axis is longer than 2147483647.",
                    nb::str(value).c_str()));
  }
  return i.value;
}

bool is_numpy(nb::handle value) {
  return nb::cast<std::string>(value.type().attr("__module__")) == "numpy";
}

// numpy's scalars, and its arrays without dimensions.
bool is_integer_like(nb::handle value) {
  if (PyLong_Check(value.ptr())) return !PyBool_Check(value.ptr());
  if (is_array(value) || !PyIndex_Check(value.ptr())) return false;
  if (!nb::hasattr(value, "ndim")) return true;
  return nb::cast<int>(value.attr("ndim")) == 0 &&
         nb::cast<std::string>(value.attr("dtype").attr("kind")) != "b";
}

bool is_truth_value(nb::handle value) {
  if (PyBool_Check(value.ptr())) return true;
  return is_numpy(value) && nb::hasattr(value, "dtype") &&
         nb::cast<std::string>(value.attr("dtype").attr("kind")) == "b";
}

int64_t bound(nb::handle value, int64_t missing) {
  if (value.is_none()) return missing;
  if (!is_integer_like(value)) {
    throw std::invalid_argument(
        fmt::format("[index] Slice indices must be integers or None, got {}.",
                    nb::cast<std::string>(value.type().attr("__name__"))));
  }
  return to_index(value).value;
}

IndexItem parse_slice(nb::handle value) {
  auto* s = reinterpret_cast<PyObject*>(value.ptr());
  nb::object start = nb::getattr(s, "start"), stop = nb::getattr(s, "stop"),
             step = nb::getattr(s, "step");
  IndexItem item =
      IndexItem::slice(bound(start, slice_end), bound(stop, slice_end), bound(step, 1));
  if (item.step == 0) throw std::invalid_argument("[index] Slice step cannot be zero.");
  return item;
}

IndexItem parse_item(nb::handle value, bool assigned) {
  if (value.is_none()) return IndexItem::new_axis();
  if (value.ptr() == Py_Ellipsis) return IndexItem::ellipsis();
  if (is_array(value)) return IndexItem::of(array_of(value));
  if (PySlice_Check(value.ptr())) return parse_slice(value);
  if (is_integer_like(value)) return IndexItem::integer(position(value));
  if (PyList_Check(value.ptr())) return IndexItem::of(to_array(value));
  if (assigned && is_truth_value(value)) return IndexItem::of(to_array(value, Dtype::bool_));
  refuse(value);
}

template <Combine combine>
Array update_at(const ArrayAt& at, nb::handle value, Array (*prepare)(const Array&)) {
  if (!at.index.is_valid()) {
    throw std::invalid_argument("Must give indices to array.at (e.g. `x.at[0].add(4)`).");
  }
  Array v = astype(to_operand(value, at.array.dtype()), at.array.dtype());
  return set_items(at.array, parse_index(at.index, false), prepare ? prepare(v) : v, combine);
}

}  // namespace

IndexItems parse_index(nb::handle index, bool assigned) {
  IndexItems items;
  if (PyTuple_Check(index.ptr())) {
    for (nb::handle item : nb::borrow<nb::tuple>(index))
      items.push_back(parse_item(item, assigned));
    bool mask = false;
    for (const IndexItem& item : items) {
      mask |= item.kind == IndexItem::Kind::array && is_bool(item.array.dtype());
    }
    if (mask && items.size() > 1) {
      throw std::invalid_argument(
          "[index] boolean indices are not yet supported together with other indices. Use "
          "where(mask, a, b), or positions instead of the mask.");
    }
  } else {
    items.push_back(parse_item(index, assigned));
  }
  return items;
}

Array get_item(const Array& a, nb::handle index) { return get_items(a, parse_index(index, false)); }

void set_item(Array& a, nb::handle index, nb::handle value) {
  if (!is_operand(value)) {
    throw std::invalid_argument(fmt::format(
        "[setitem] A {} cannot be assigned to a part of an array: an array or a number is "
        "wanted{}.",
        nb::cast<std::string>(value.type().attr("__name__")),
        PyList_Check(value.ptr()) || PyTuple_Check(value.ptr()) ? " (write mx.array(...))" : ""));
  }
  a = set_items(a, parse_index(index, true), to_operand(value, a.dtype()));
}

namespace {

PyObject* getitem_slot(PyObject* self, PyObject* index) {
  return guarded([&] { return wrap(get_item(array_of(self), index)); });
}

int setitem_slot(PyObject* self, PyObject* index, PyObject* value) {
  try {
    set_item(array_of(self), index, value);
    return 0;
  } catch (...) {
    set_python_error();
    return -1;
  }
}

void bind_at() {
  auto method = [](const char* name, auto f, const char* doc) {
    array_at_class().def(
        name, f, "value"_a,
        nb::sig(keep(std::string("def ") + name +
                     "(self, value: array | bool | int | float | complex) -> array")),
        doc);
  };
  method(
      "add",
      [](const ArrayAt& at, nb::handle v) { return update_at<Combine::sum>(at, v, nullptr); },
      "The array with the value added at the indices, once for each time that an index occurs.");
  method(
      "subtract",
      [](const ArrayAt& at, nb::handle v) {
        return update_at<Combine::sum>(at, v, [](const Array& x) { return negative(x); });
      },
      "The array with the value subtracted at the indices.");
  method(
      "multiply",
      [](const ArrayAt& at, nb::handle v) { return update_at<Combine::prod>(at, v, nullptr); },
      "The array with the elements at the indices multiplied by the value.");
  method(
      "divide",
      [](const ArrayAt& at, nb::handle v) {
        return update_at<Combine::prod>(at, v, [](const Array& x) { return reciprocal(x); });
      },
      "The array with the elements at the indices multiplied by the reciprocal of the value.");
  method(
      "maximum",
      [](const ArrayAt& at, nb::handle v) { return update_at<Combine::max>(at, v, nullptr); },
      "The array with the larger of element and value at the indices.");
  method(
      "minimum",
      [](const ArrayAt& at, nb::handle v) { return update_at<Combine::min>(at, v, nullptr); },
      "The array with the smaller of element and value at the indices.");
}

// Shapes where MLX takes a sequence only.
Shape sizes(nb::handle value) {
  if (PyLong_Check(value.ptr())) throw nb::next_overload();
  return to_shape(value);
}

void bind_functions(nb::module_& m) {
  m.def(
      "take",
      [](const Array& a, int64_t index, std::optional<int> axis, const StreamOrDevice& s) {
        return axis ? take(a, index, *axis, s) : take(a, index, s);
      },
      nb::arg(), "indices"_a, "axis"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      signature("take", "a: array, /, indices: int, axis: int | None = None"));
  m.def(
      "take",
      [](const Array& a, const Array& indices, std::optional<int> axis, const StreamOrDevice& s) {
        return axis ? take(a, indices, *axis, s) : take(a, indices, s);
      },
      nb::arg(), "indices"_a, "axis"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      signature("take", "a: array, /, indices: array, axis: int | None = None"), R"(
Elements of `a` at the indices along an axis; of the flattened array without an axis.

The axes of `indices` stand in the place of the axis. Negative indices count from the end; indices of an
array that are out of range are clamped, an int out of range raises IndexError.
Raises ValueError for indices that are not integers and for an empty axis.)");
  m.def(
      "take_along_axis",
      [](const Array& a, const Array& indices, std::optional<int> axis, const StreamOrDevice& s) {
        return axis ? take_along_axis(a, indices, *axis, s)
                    : take_along_axis(flatten(a, 0, -1, s), indices, 0, s);
      },
      nb::arg(), "indices"_a, nb::arg("axis").none() = -1, nb::kw_only(), "stream"_a = nb::none(),
      signature("take_along_axis", "a: array, /, indices: array, axis: int | None = -1"), R"(
One element of `a` for each index, taken along an axis.

`indices` has as many dimensions as `a` and broadcasts with it but for the axis. With None the array is
flattened first. Indices out of range are clamped. Raises ValueError for other numbers of dimensions.)");
  m.def(
      "put_along_axis",
      [](const Array& a, const Array& indices, const Array& values, std::optional<int> axis,
         const StreamOrDevice& s) {
        if (axis) return put_along_axis(a, indices, values, *axis, s);
        return reshape(put_along_axis(flatten(a, 0, -1, s), indices, values, 0, s), a.shape(), s);
      },
      nb::arg(), "indices"_a, "values"_a, "axis"_a = nb::none(), nb::kw_only(),
      "stream"_a = nb::none(),
      signature("put_along_axis",
                "a: array, /, indices: array, values: array, axis: int | None = None"),
      R"(
`a` with the values in place of the elements at the indices along an axis.

`indices` has as many dimensions as `a`, the values broadcast to it; where an index occurs twice the last
value stays. With None the array is flattened for it. Evaluating raises IndexError for an index out of range.)");
  m.def(
      "slice",
      [](const Array& a, const Array& start, const std::vector<int>& axes, nb::object size,
         const StreamOrDevice& s) { return dynamic_slice(a, start, axes, sizes(size), s); },
      "a"_a, "start_indices"_a, "axes"_a, "slice_size"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("slice",
                "a: array, start_indices: array, axes: Sequence[int], slice_size: Sequence[int]"),
      R"(
A part of `slice_size` that begins at `start_indices` along `axes`, and at 0 along the others.

The start is an array, so it may depend on computed values. A part that would leave the array is moved back
into it. Raises ValueError for sizes larger than the array and starts that are not integers.)");
  m.def(
      "slice_update",
      [](const Array& a, const Array& update, const Array& start, const std::vector<int>& axes,
         const StreamOrDevice& s) { return dynamic_slice_update(a, update, start, axes, s); },
      "a"_a, "update"_a, "start_indices"_a, "axes"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("slice_update",
                "a: array, update: array, start_indices: array, axes: Sequence[int]"),
      R"(
`a` with `update` in place of the part that begins at `start_indices` along `axes`.

Evaluating raises IndexError for a part that leaves the array. Raises ValueError for an update that is larger.)");
}

}  // namespace

void bind_index(nb::module_& m) {
  array_slots().getitem = getitem_slot;
  array_slots().setitem = setitem_slot;
  bind_at();
  bind_functions(m);
}

}  // namespace heddle::python
