// Functions and array methods that rearrange elements.
#include "heddle/ops/shape.h"

#include "signature.h"

namespace heddle::python {
namespace {

// Shapes where MLX takes a sequence only.
Shape sizes(nb::handle value) {
  if (PyLong_Check(value.ptr())) throw nb::next_overload();
  return to_shape(value);
}

// The arguments of x.reshape(2, 3) and x.reshape((2, 3)).
nb::object one_sequence(const nb::args& args) {
  if (args.size() == 1 && !PyIndex_Check(nb::handle(args[0]).ptr())) return nb::borrow(args[0]);
  return nb::borrow<nb::object>(args);
}

Arrays operands(nb::handle values) {
  Arrays out;
  for (nb::handle v : nb::borrow<nb::object>(values)) out.push_back(to_operand(v));
  return out;
}

nb::tuple as_tuple(const Arrays& arrays) {
  nb::list items;
  for (const Array& a : arrays) items.append(wrap(a));
  return nb::steal<nb::tuple>(PyList_AsTuple(items.ptr()));
}

Array squeeze_axes(const Array& a, const AxisArg& axis, const StreamOrDevice& s) {
  if (axis.index() == 0) return squeeze(a, s);
  return squeeze(a, to_axes(axis, a.ndim()), s);
}

Array permute(const Array& a, const std::optional<std::vector<int>>& axes,
              const StreamOrDevice& s) {
  return axes ? transpose(a, *axes, s) : transpose(a, s);
}

using Sections = std::variant<int, std::vector<int64_t>>;
Arrays split_by(const Array& a, const Sections& how, int axis, const StreamOrDevice& s) {
  if (auto n = std::get_if<int>(&how)) return split(a, *n, axis, s);
  return split(a, Shape(std::get<1>(how)), axis, s);
}

// int, (int), (before, after) or one such pair for each axis.
PadWidths pad_widths(nb::handle value) {
  auto number = [](nb::handle v) -> int64_t {
    if (!PyLong_Check(v.ptr()) && !(PyIndex_Check(v.ptr()) && !is_array(v))) {
      throw nb::next_overload();
    }
    return nb::cast<int64_t>(nb::steal(PyNumber_Index(v.ptr())));
  };
  auto sequence = [](nb::handle v) { return PyList_Check(v.ptr()) || PyTuple_Check(v.ptr()); };
  auto pair = [&](nb::handle v) {
    if (!sequence(v) || nb::len(v) != 2) throw nb::next_overload();
    return std::pair{number(v[0]), number(v[1])};
  };
  if (!sequence(value)) return {{number(value), number(value)}};
  size_t n = nb::len(value);
  if (n == 1 && !sequence(value[0])) return {{number(value[0]), number(value[0])}};
  if (n == 2 && !sequence(value[0])) return {pair(value)};
  PadWidths out;
  for (nb::handle v : nb::borrow<nb::object>(value)) out.push_back(pair(v));
  return out;
}

void bind_reshaping(nb::module_& m) {
  auto stream = "stream"_a = nb::none();
  m.def(
      "reshape",
      [](const Array& a, nb::handle shape, const StreamOrDevice& s) {
        return reshape(a, sizes(shape), s);
      },
      nb::arg(), "shape"_a, nb::kw_only(), stream,
      signature("reshape", "a: array, /, shape: Sequence[int]"), R"(
The elements in row-major order in another shape, of which one dimension may be -1.
Raises ValueError if the sizes differ.)");
  m.def(
      "flatten",
      [](const Array& a, int start, int end, const StreamOrDevice& s) {
        return flatten(a, start, end, s);
      },
      nb::arg(), "start_axis"_a = 0, "end_axis"_a = -1, nb::kw_only(), stream,
      signature("flatten", "a: array, /, start_axis: int = 0, end_axis: int = -1"), R"(
The axes from `start_axis` to `end_axis` as one. Axes that the array does not have are clamped.)");
  m.def(
      "unflatten",
      [](const Array& a, int axis, nb::handle shape, const StreamOrDevice& s) {
        return unflatten(a, axis, sizes(shape), s);
      },
      nb::arg(), "axis"_a, "shape"_a, nb::kw_only(), stream,
      signature("unflatten", "a: array, /, axis: int, shape: Sequence[int]"), R"(
One axis as several, of which one dimension may be -1.)");
  m.def("squeeze", &squeeze_axes, nb::arg(), "axis"_a = nb::none(), nb::kw_only(), stream,
        signature("squeeze", "a: array, /, axis: int | Sequence[int] | None = None"), R"(
The array without the given axes of size one; without all of them, if none is given.
Raises ValueError for an axis that is longer.)");
  m.def(
      "expand_dims",
      [](const Array& a, const std::variant<int, std::vector<int>>& axis, const StreamOrDevice& s) {
        if (auto one = std::get_if<int>(&axis)) return expand_dims(a, *one, s);
        return expand_dims(a, std::get<1>(axis), s);
      },
      nb::arg(), "axis"_a, nb::kw_only(), stream,
      signature("expand_dims", "a: array, /, axis: int | Sequence[int]"), R"(
The array with axes of size one put in, at these places of the result.)");
  auto at_least = [&](const char* name, Array (*f)(const Array&, StreamOrDevice), const char* doc) {
    m.def(
        name,
        [f](const nb::args& arys, const StreamOrDevice& s) -> nb::object {
          Arrays out;
          for (const Array& a : operands(arys)) out.push_back(f(a, s));
          return out.size() == 1 ? wrap(out[0]) : nb::cast(out);
        },
        "arys"_a, stream, signature(name, "*arys: array", "array | list[array]"), doc);
  };
  at_least("atleast_1d", atleast_1d, R"(
The arrays with at least one dimension: one array, or a list of several.)");
  at_least("atleast_2d", atleast_2d, R"(
The arrays with at least two dimensions: one array, or a list of several.)");
  at_least("atleast_3d", atleast_3d, R"(
The arrays with at least three dimensions: one array, or a list of several.)");
  m.def(
      "as_strided",
      [](const Array& a, std::optional<nb::object> shape,
         std::optional<std::vector<int64_t>> strides, size_t offset, const StreamOrDevice& s) {
        std::optional<Strides> steps;
        if (strides) steps = Strides(*strides);
        return as_strided(a, shape ? sizes(*shape) : a.shape(), steps, static_cast<int64_t>(offset),
                          s);
      },
      nb::arg(), "shape"_a = nb::none(), "strides"_a = nb::none(), "offset"_a = 0, nb::kw_only(),
      stream,
      signature("as_strided",
                "a: array, /, shape: Sequence[int] | None = None, strides: Sequence[int] | None = "
                "None, offset: int = 0"),
      R"(
A view of the elements, taken in row-major order, with any shape, strides and offset, in elements.
Raises ValueError if it would leave the array.)");
  m.def(
      "contiguous",
      [](const Array& a, bool columns, const StreamOrDevice& s) {
        return contiguous(a, columns, s);
      },
      nb::arg(), "allow_col_major"_a = false, nb::kw_only(), stream,
      signature("contiguous", "a: array, /, allow_col_major: bool = False"), R"(
The array in row-major (or, if allowed, column-major) order in memory; a copy only where it is not.)");
  m.def(
      "view",
      [](nb::handle a, Dtype dtype, const StreamOrDevice& s) {
        return view(to_operand(a), dtype, s);
      },
      "a"_a, "dtype"_a, stream,
      signature("view", "a: array | bool | int | float, dtype: Dtype", "array",
                StreamArg::positional),
      R"(
The bytes of the elements as another dtype; the last axis grows or shrinks where the sizes differ.
Raises ValueError if it does not divide.)");
}

void bind_reordering(nb::module_& m) {
  auto stream = "stream"_a = nb::none();
  for (const char* name : {"transpose", "permute_dims"}) {
    m.def(name, &permute, nb::arg(), "axes"_a = nb::none(), nb::kw_only(), stream,
          signature(name, "a: array, /, axes: Sequence[int] | None = None"), R"(
The array with its axes in another order, or reversed if none is given.
Raises ValueError unless each axis occurs once.)");
  }
  m.def(
      "matrix_transpose",
      [](const Array& a, const StreamOrDevice& s) { return matrix_transpose(a, s); }, nb::arg(),
      nb::kw_only(), stream, signature("matrix_transpose", "a: array, /"), R"(
The last two axes exchanged. Raises ValueError for fewer than two.)");
  m.def(
      "moveaxis",
      [](const Array& a, int from, int to, const StreamOrDevice& s) {
        return moveaxis(a, from, to, s);
      },
      nb::arg(), "source"_a, "destination"_a, nb::kw_only(), stream,
      signature("moveaxis", "a: array, /, source: int, destination: int"),
      "\nOne axis in another place.");
  m.def(
      "swapaxes",
      [](const Array& a, int x, int y, const StreamOrDevice& s) { return swapaxes(a, x, y, s); },
      nb::arg(), "axis1"_a, "axis2"_a, nb::kw_only(), stream,
      signature("swapaxes", "a: array, /, axis1: int, axis2: int"), "\nTwo axes exchanged.");
  m.def(
      "flip",
      [](const Array& a, const AxisArg& axis, const StreamOrDevice& s) {
        return axis.index() == 0 ? flip(a, s) : flip(a, to_axes(axis, a.ndim()), s);
      },
      nb::arg(), "axis"_a = nb::none(), nb::kw_only(), stream,
      signature("flip", "a: array, /, axis: int | Sequence[int] | None = None"), R"(
The elements in reverse order along the given axes, or along all.)");
  m.def(
      "roll",
      [](const Array& a, const std::variant<int64_t, std::vector<int64_t>>& shift,
         const AxisArg& axis, const StreamOrDevice& s) {
        Shape shifts;
        if (auto one = std::get_if<int64_t>(&shift)) {
          shifts.push_back(*one);
        } else {
          shifts = Shape(std::get<1>(shift));
        }
        if (axis.index() == 0) {
          int64_t total = 0;
          for (int64_t x : shifts) total += x;
          return roll(a, total, s);
        }
        std::vector<int> axes = to_axes(axis, a.ndim());
        bool one = shift.index() == 0;
        if (one) shifts.resize(axes.size(), shifts[0]);
        // Several shifts of one axis add up.
        if (axis.index() == 1 && !one) {
          int64_t total = 0;
          for (int64_t x : shifts) total += x;
          shifts = Shape{total};
        }
        return roll(a, shifts, axes, s);
      },
      "a"_a, "shift"_a, "axis"_a = nb::none(), nb::kw_only(), stream,
      signature(
          "roll",
          "a: array, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None"),
      R"(
The elements moved along the axes; those that leave at one end come in at the other.

Without an axis the array is flattened for it. An int moves all axes given.
Raises ValueError for fewer shifts than axes.)");
}

void bind_joining(nb::module_& m) {
  auto stream = "stream"_a = nb::none();
  for (const char* name : {"concatenate", "concat"}) {
    m.def(
        name,
        [](const Arrays& arrays, std::optional<int> axis, const StreamOrDevice& s) {
          return axis ? concatenate(arrays, *axis, s) : concatenate(arrays, s);
        },
        nb::arg(), nb::arg("axis").none() = 0, nb::kw_only(), stream,
        signature(name, "arrays: list[array], /, axis: int | None = 0"), R"(
The arrays one after the other along an axis, promoted to one dtype; flattened first if it is None.
Raises ValueError for shapes that differ elsewhere.)");
  }
  m.def(
      "stack",
      [](const Arrays& arrays, std::optional<int> axis, const StreamOrDevice& s) {
        return stack(arrays, axis.value_or(0), s);
      },
      nb::arg(), nb::arg("axis").none() = 0, nb::kw_only(), stream,
      signature("stack", "arrays: list[array], /, axis: int | None = 0"), R"(
The arrays one after the other along a new axis. Raises ValueError unless the shapes are equal.)");
  m.def(
      "unstack",
      [](const Array& x, int axis, const StreamOrDevice& s) {
        return as_tuple(unstack(x, axis, s));
      },
      nb::arg(), nb::kw_only(), "axis"_a = 0, stream,
      signature("unstack", "x: array, /, *, axis: int = 0", "tuple[array, ...]"), R"(
A tuple of the parts of the array along an axis, which they lack.)");
  m.def("split", &split_by, nb::arg(), "indices_or_sections"_a, "axis"_a = 0, nb::kw_only(), stream,
        signature("split", "a: array, /, indices_or_sections: int | Sequence[int], axis: int = 0",
                  "list[array]"),
        R"(
A list of equal sections of the array along an axis, or of the parts between indices.
Raises ValueError if the sections do not come out equal.)");
  m.def(
      "broadcast_to",
      [](nb::handle a, nb::handle shape, const StreamOrDevice& s) {
        return broadcast_to(to_operand(a), sizes(shape), s);
      },
      nb::arg(), "shape"_a, nb::kw_only(), stream,
      signature("broadcast_to", "a: array | bool | int | float | complex, /, shape: Sequence[int]"),
      R"(
The array repeated along axes of size one, and along new ones in front, to have this shape.
Raises ValueError if it cannot.)");
  m.def(
      "broadcast_arrays",
      [](const nb::args& arrays, const StreamOrDevice& s) {
        return broadcast_arrays(operands(arrays), s);
      },
      "arrays"_a, stream, signature("broadcast_arrays", "*arrays: array", "list[array]"), R"(
A list of the arrays, broadcast against each other.)");
  m.def(
      "broadcast_shapes",
      [](const nb::args& shapes) {
        std::vector<Shape> all;
        for (nb::handle shape : shapes) {
          if (PyLong_Check(shape.ptr())) {
            throw nb::type_error("broadcast_shapes(): a shape has to be a sequence of ints.");
          }
          all.push_back(to_shape(shape));
        }
        return from_shape(broadcast_shapes(all));
      },
      "shapes"_a, nb::sig("def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]"), R"(
The shape to which arrays of these shapes broadcast. Raises ValueError if there is none.)");
  m.def(
      "repeat",
      [](const Array& a, int repeats, std::optional<int> axis, const StreamOrDevice& s) {
        return axis ? repeat(a, repeats, *axis, s) : repeat(a, repeats, s);
      },
      nb::arg(), "repeats"_a, "axis"_a = nb::none(), nb::kw_only(), stream,
      signature("repeat", "array: array, /, repeats: int, axis: int | None = None"), R"(
Each element repeated along an axis; of the flattened array without one.)");
  m.def(
      "tile",
      [](const Array& a, const std::variant<int64_t, std::vector<int64_t>>& reps,
         const StreamOrDevice& s) {
        auto one = std::get_if<int64_t>(&reps);
        return tile(a, one ? Shape{*one} : Shape(std::get<1>(reps)), s);
      },
      nb::arg(), nb::arg(), nb::kw_only(), stream,
      signature("tile", "a: array, reps: int | Sequence[int], /"), R"(
The whole array repeated along each axis.)");
  m.def(
      "pad",
      [](const Array& a, nb::handle widths, const std::string& mode, nb::handle value,
         const StreamOrDevice& s) {
        return pad(a, pad_widths(widths), to_operand(value, a.dtype()), mode, s);
      },
      "a"_a, "pad_width"_a, "mode"_a = "constant", "constant_values"_a = nb::int_(0), nb::kw_only(),
      stream,
      signature(
          "pad",
          "a: array, pad_width: int | tuple[int] | tuple[int, int] | list[tuple[int, int]], "
          "mode: str = 'constant', constant_values: bool | int | float | complex | array = 0"),
      R"(
The array with elements around it: (before, after) for each axis, one pair or one int for all.

Modes: ``constant``, ``edge`` (the border repeated), ``reflect`` (mirrored about the border element),
``symmetric`` (mirrored about the border). Raises ValueError for negative widths.)");
}

void bind_grids(nb::module_& m) {
  auto stream = "stream"_a = nb::none();
  m.def(
      "diagonal",
      [](const Array& a, int offset, int axis1, int axis2, const StreamOrDevice& s) {
        return diagonal(a, offset, axis1, axis2, s);
      },
      "a"_a, "offset"_a = 0, "axis1"_a = 0, "axis2"_a = 1, stream,
      signature("diagonal", "a: array, offset: int = 0, axis1: int = 0, axis2: int = 1", "array",
                StreamArg::positional),
      R"(
The diagonals of the matrices that two axes span, along a new last axis.)");
  m.def(
      "diag", [](const Array& a, int k, const StreamOrDevice& s) { return diag(a, k, s); },
      nb::arg(), "k"_a = 0, nb::kw_only(), stream, signature("diag", "a: array, /, k: int = 0"), R"(
The k-th diagonal of a matrix, or a matrix with a vector on its k-th diagonal.
Raises ValueError for other numbers of dimensions.)");
  m.def(
      "trace",
      [](const Array& a, int offset, int axis1, int axis2, std::optional<Dtype> dtype,
         const StreamOrDevice& s) { return trace(a, offset, axis1, axis2, dtype, s); },
      nb::arg(), "offset"_a = 0, "axis1"_a = 0, "axis2"_a = 1, "dtype"_a = nb::none(),
      nb::kw_only(), stream,
      signature(
          "trace",
          "a: array, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Dtype | None = "
          "None"),
      "\nThe sum of a diagonal.");
  m.def(
      "tril", [](const Array& x, int k, const StreamOrDevice& s) { return tril(x, k, s); }, "x"_a,
      "k"_a = 0, nb::kw_only(), stream, signature("tril", "x: array, k: int = 0"), R"(
The matrices with zeros above the k-th diagonal. Raises ValueError for fewer than two dimensions.)");
  m.def(
      "triu", [](const Array& x, int k, const StreamOrDevice& s) { return triu(x, k, s); }, "x"_a,
      "k"_a = 0, nb::kw_only(), stream, signature("triu", "x: array, k: int = 0"), R"(
The matrices with zeros below the k-th diagonal. Raises ValueError for fewer than two dimensions.)");
  m.def(
      "meshgrid",
      [](const nb::args& arrays, bool sparse, const std::string& indexing,
         const StreamOrDevice& s) {
        return as_tuple(meshgrid(operands(arrays), sparse, indexing, s));
      },
      "arrays"_a, "sparse"_a = false, "indexing"_a = "xy", stream,
      signature("meshgrid", "*arrays: array, sparse: bool = False, indexing: str = 'xy'",
                "tuple[array, ...]"),
      R"(
A tuple of the coordinates of the grid that vectors of coordinates span.

`indexing` is ``xy`` (the first two axes exchanged) or ``ij``; sparse grids are left to broadcast.)");
  m.def(
      "diff",
      [](const Array& a, int n, int axis, const StreamOrDevice& s) { return diff(a, n, axis, s); },
      nb::arg(), "n"_a = 1, "axis"_a = -1, nb::kw_only(), stream,
      signature("diff", "a: array, /, n: int = 1, axis: int = -1"), R"(
The n-th differences of neighbours along an axis. Raises ValueError for a negative n.)");
  m.def(
      "depends",
      [](nb::handle inputs, nb::handle dependencies) -> nb::object {
        auto many = [](nb::handle v) {
          return PyList_Check(v.ptr()) || PyTuple_Check(v.ptr()) ? operands(v)
                                                                 : Arrays{to_operand(v)};
        };
        Arrays out = depends(many(inputs), many(dependencies));
        if (PyList_Check(inputs.ptr()) || PyTuple_Check(inputs.ptr())) return nb::cast(out);
        return wrap(out[0]);
      },
      "inputs"_a, "dependencies"_a,
      nb::sig(
          "def depends(inputs: array | Sequence[array], dependencies: array | Sequence[array]) -> "
          "array | list[array]"),
      R"(
The inputs, which are computed only after the dependencies are.)");
}

void bind_methods() {
  auto stream = "stream"_a = nb::none();
  auto c = array_class();
  c.def(
      "reshape",
      [](const Array& a, const nb::args& shape, const StreamOrDevice& s) {
        return reshape(a, to_shape(one_sequence(shape)), s);
      },
      "shape"_a, stream, signature("reshape", "self, *shape: int | Sequence[int]"),
      "\nSee :func:`reshape`; the shape as a sequence or as several arguments.");
  c.def(
      "transpose",
      [](const Array& a, const nb::args& axes, const StreamOrDevice& s) {
        if (axes.size() == 0) return transpose(a, s);
        if (axes.size() == 1 && nb::handle(axes[0]).is_none()) return transpose(a, s);
        return transpose(a, nb::cast<std::vector<int>>(one_sequence(axes)), s);
      },
      "axes"_a, stream, signature("transpose", "self, *axes: int | Sequence[int]"),
      "\nSee :func:`transpose`; the axes as a sequence or as several arguments.");
  c.def_prop_ro(
      "T", [](const Array& a) { return transpose(a); }, "The array with its axes reversed.");
  c.def_prop_ro(
      "mT", [](const Array& a) { return matrix_transpose(a); },
      "The array with its last two axes exchanged.");
  c.def(
      "flatten",
      [](const Array& a, int start, int end, const StreamOrDevice& s) {
        return flatten(a, start, end, s);
      },
      "start_axis"_a = 0, "end_axis"_a = -1, nb::kw_only(), stream, "\nSee :func:`flatten`.");
  c.def("squeeze", &squeeze_axes, "axis"_a = nb::none(), nb::kw_only(), stream,
        "\nSee :func:`squeeze`.");
  c.def(
      "moveaxis",
      [](const Array& a, int from, int to, const StreamOrDevice& s) {
        return moveaxis(a, from, to, s);
      },
      "source"_a, "destination"_a, nb::kw_only(), stream, "\nSee :func:`moveaxis`.");
  c.def(
      "swapaxes",
      [](const Array& a, int x, int y, const StreamOrDevice& s) { return swapaxes(a, x, y, s); },
      "axis1"_a, "axis2"_a, nb::kw_only(), stream, "\nSee :func:`swapaxes`.");
  c.def("split", &split_by, "indices_or_sections"_a, "axis"_a = 0, nb::kw_only(), stream,
        "\nSee :func:`split`.");
  c.def(
      "diagonal",
      [](const Array& a, int offset, int axis1, int axis2, const StreamOrDevice& s) {
        return diagonal(a, offset, axis1, axis2, s);
      },
      "offset"_a = 0, "axis1"_a = 0, "axis2"_a = 1, stream, "\nSee :func:`diagonal`.");
  c.def(
      "diag", [](const Array& a, int k, const StreamOrDevice& s) { return diag(a, k, s); },
      "k"_a = 0, nb::kw_only(), stream, "\nSee :func:`diag`.");
  c.def(
      "view",
      [](const Array& a, Dtype dtype, const StreamOrDevice& s) { return view(a, dtype, s); },
      "dtype"_a, nb::kw_only(), stream, "\nSee :func:`view`.");
}

}  // namespace

void bind_shape(nb::module_& m) {
  bind_reshaping(m);
  bind_reordering(m);
  bind_joining(m);
  bind_grids(m);
  bind_methods();
}

}  // namespace heddle::python
