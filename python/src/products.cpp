// Products of vectors, matrices and tensors.
#include "heddle/ops/products.h"

#include "bind.h"

namespace heddle::python {
namespace {

using AxesArg = std::variant<int, nb::sequence>;

Array tensordot_of(const Array& a, const Array& b, const AxesArg& axes, StreamOrDevice s) {
  if (const int* n = std::get_if<int>(&axes)) return tensordot(a, b, *n, s);
  nb::sequence pair = std::get<nb::sequence>(axes);
  if (nb::len(pair) != 2) {
    throw std::invalid_argument("[tensordot] axes must be a list of two lists.");
  }
  return tensordot(a, b, nb::cast<std::vector<int>>(pair[0]), nb::cast<std::vector<int>>(pair[1]),
                   s);
}

Arrays operands_of(const nb::args& args) {
  Arrays operands;
  for (nb::handle h : args) operands.push_back(to_array(h));
  return operands;
}

}  // namespace

void bind_products(nb::module_& m) {
  m.def(
      "matmul", [](const Array& a, const Array& b, StreamOrDevice s) { return matmul(a, b, s); },
      nb::arg(), nb::arg(), nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def matmul(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array"),
      R"(Matrix product of the last two dimensions; the others are batch dimensions and broadcast.

A vector on the left is a row, on the right a column, and leaves no dimension behind.

Args:
  a: shape ``(..., M, K)``.
  b: shape ``(..., K, N)``.

Returns:
  array: shape ``(..., M, N)`` of the promoted dtype; halves are summed in float32.

Raises:
  ValueError: dtypes that are not inexact, scalars, or inner dimensions that differ.)");
  m.def(
      "addmm",
      [](const Array& c, const Array& a, const Array& b, float alpha, float beta,
         StreamOrDevice s) { return addmm(c, a, b, alpha, beta, s); },
      nb::arg(), nb::arg(), nb::arg(), "alpha"_a = 1.0f, "beta"_a = 1.0f, nb::kw_only(),
      "stream"_a = nb::none(),
      nb::sig(
          "def addmm(c: array, a: array, b: array, /, alpha: float = 1.0, beta: float = 1.0, *, "
          "stream: StreamOrDevice = None) -> array"),
      R"(``alpha * (a @ b) + beta * c`` in one pass.

Args:
  c: broadcasts to the product.
  a: shape ``(..., M, K)``.
  b: shape ``(..., K, N)``.

Raises:
  ValueError: as :func:`matmul`, or if ``c`` does not broadcast.)");
  m.def(
      "inner", [](const Array& a, const Array& b, StreamOrDevice s) { return inner(a, b, s); },
      nb::arg(), nb::arg(), nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def inner(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array"),
      "Sum of products over the last axes: of vectors the dot product, of higher ranks a tensor "
      "with the "
      "other axes of both. Scalars multiply.");
  m.def(
      "outer", [](const Array& a, const Array& b, StreamOrDevice s) { return outer(a, b, s); },
      nb::arg(), nb::arg(), nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def outer(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array"),
      "All products of an element of ``a`` with one of ``b``, both flattened: shape ``(a.size, "
      "b.size)``.");
  m.def(
      "vecdot",
      [](const Array& a, const Array& b, int axis, StreamOrDevice s) {
        return vecdot(a, b, axis, s);
      },
      nb::arg(), nb::arg(), nb::kw_only(), "axis"_a = -1, "stream"_a = nb::none(),
      nb::sig(
          "def vecdot(a: array, b: array, /, *, axis: int = -1, stream: StreamOrDevice = None) -> "
          "array"),
      R"(Dot products of vectors along ``axis``; the other dimensions broadcast. Complex ``a`` is conjugated.

Raises:
  ValueError: an axis out of bounds, or sizes that differ along it.)");
  m.def(
      "tensordot",
      [](const Array& a, const Array& b, AxesArg axes, StreamOrDevice s) {
        return tensordot_of(a, b, axes, s);
      },
      nb::arg(), nb::arg(), "axes"_a = 2, nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def tensordot(a: array, b: array, /, axes: Union[int, list[Sequence[int]]] = 2, *, "
              "stream: "
              "StreamOrDevice = None) -> array"),
      R"(Sum of products over several axes.

Args:
  axes: how many of the last dimensions of ``a`` pair with the first of ``b``, or two lists of axes.

Returns:
  array: the other dimensions of ``a``, then those of ``b``.

Raises:
  ValueError: axes that do not exist or differ in size.)");
  m.def(
      "kron", [](const Array& a, const Array& b, StreamOrDevice s) { return kron(a, b, s); }, "a"_a,
      "b"_a, nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def kron(a: array, b: array, *, stream: StreamOrDevice = None) -> array"),
      "Kronecker product: every element of ``a`` times the whole of ``b``, as blocks.");
  m.def(
      "einsum",
      [](const std::string& subscripts, nb::args operands, StreamOrDevice s) {
        return einsum(subscripts, operands_of(operands), s);
      },
      "subscripts"_a, "operands"_a, "stream"_a = nb::none(),
      nb::sig("def einsum(subscripts: str, *operands, stream: StreamOrDevice = None) -> array"),
      R"(Einstein summation.

Args:
  subscripts: letters for the dimensions of each operand, separated by commas, then ``->`` and those of
    the result; without ``->`` the letters that occur once, in alphabetical order. ``...`` stands for
    dimensions that broadcast; a letter repeated in one operand takes its diagonal.
  operands: as many arrays.

Raises:
  ValueError: subscripts that do not fit the operands.)");
  m.def(
      "einsum_path",
      [](const std::string& subscripts, nb::args operands) {
        auto [path, report] = einsum_path(subscripts, operands_of(operands));
        nb::list steps;
        for (const auto& step : path) {
          nb::list positions;
          for (int i : step) positions.append(i);
          steps.append(nb::tuple(positions));
        }
        return nb::make_tuple(steps, report);
      },
      "subscripts"_a, "operands"_a, nb::sig("def einsum_path(subscripts: str, *operands)"),
      "The order in which :func:`einsum` contracts the operands, and a report of its cost.");

  array_slots().matmul = [](PyObject* a, PyObject* b) -> PyObject* {
    if (!is_operand(a) || !is_operand(b)) {
      Py_INCREF(Py_NotImplemented);
      return Py_NotImplemented;
    }
    return guarded([&] {
      auto [x, y] = to_operands(a, b);
      return wrap(matmul(x, y));
    });
  };
}

}  // namespace heddle::python
