// Sorting, searching and distinct elements.
#include "heddle/ops/sort.h"

#include <fmt/format.h>

#include "signature.h"

namespace heddle::python {
namespace {

constexpr const char* axis_note = R"(

Args:
  axis: the axis to go along; the flattened array if None.

Raises:
  AxisError: an axis that the array does not have.)";

using Along = Array (*)(const Array&, int, StreamOrDevice);
using Flat = Array (*)(const Array&, StreamOrDevice);
using CountAlong = Array (*)(const Array&, int, int, StreamOrDevice);
using CountFlat = Array (*)(const Array&, int, StreamOrDevice);

void bind_sorting(nb::module_& m, const char* name, Along along, Flat flat, const char* doc) {
  m.def(
      name,
      [along, flat](const Array& a, std::optional<int> axis, const StreamOrDevice& s) {
        return axis ? along(a, *axis, s) : flat(a, s);
      },
      nb::arg(), "axis"_a.none() = -1, nb::kw_only(), "stream"_a = nb::none(),
      signature(name, "a: array, /, axis: int | None = -1"),
      keep(fmt::format("\n{}{}", doc, axis_note)));
}

// Functions with a number (`count` is its name) beside the axis.
void bind_counting(nb::module_& m, const char* name, const char* count, CountAlong along,
                   CountFlat flat, const char* doc) {
  m.def(
      name,
      [along, flat](const Array& a, int k, std::optional<int> axis, const StreamOrDevice& s) {
        return axis ? along(a, k, *axis, s) : flat(a, k, s);
      },
      nb::arg(), nb::arg(count), "axis"_a.none() = -1, nb::kw_only(), "stream"_a = nb::none(),
      signature(name, fmt::format("a: array, /, {}: int, axis: int | None = -1", count)),
      keep(fmt::format("\n{}{}\n  ValueError: a number that the axis does not have.", doc,
                       axis_note)));
}

nb::object unique_function(const Array& a, int size, bool return_index, bool return_inverse,
                           bool return_counts, nb::handle fill_value, const StreamOrDevice& s) {
  std::optional<Array> fill;
  if (!fill_value.is_none()) fill = to_operand(fill_value, a.dtype());
  Unique u = unique(a, size, fill, s);
  nb::list parts;
  parts.append(wrap(u.values));
  if (return_index) parts.append(wrap(u.index));
  if (return_inverse) parts.append(wrap(u.inverse));
  if (return_counts) parts.append(wrap(u.counts));
  if (nb::len(parts) == 1) return nb::object(parts[0]);
  return nb::tuple(parts);
}

}  // namespace

void bind_sort(nb::module_& m) {
  bind_sorting(
      m, "sort", sort, sort,
      "The elements along an axis in ascending order, NaN last; equal ones keep their order.");
  bind_sorting(
      m, "argsort", argsort, argsort,
      "The indices, uint32, that sort the elements along an axis; equal ones keep their order.");
  bind_counting(
      m, "partition", "kth", partition, partition,
      "The elements along an axis with the `kth` smallest in its sorted place and none larger "
      "before it, in any order otherwise. A negative `kth` counts from the end.");
  bind_counting(m, "argpartition", "kth", argpartition, argpartition,
                "The indices, uint32, of :func:`partition`.");
  bind_counting(m, "topk", "k", topk, topk,
                "The `k` largest elements along an axis, in any order.");
  m.def(
      "searchsorted",
      [](const Array& sorted_sequence, const Array& values, const std::string& side,
         const StreamOrDevice& s) { return searchsorted(sorted_sequence, values, side, s); },
      nb::arg(), nb::arg(), "side"_a = "left", nb::kw_only(), "stream"_a = nb::none(),
      signature("searchsorted", "sorted_sequence: array, values: array, /, side: str = 'left'"),
      R"(
The indices, uint32, at which `values` would keep a sorted sequence sorted.

Args:
  sorted_sequence: one dimension, in ascending order.
  values: any shape, which is that of the result.
  side: ``"left"``, before equal elements, or ``"right"``, after them.

Raises:
  ValueError: a sequence that is not one-dimensional, another `side`.)");
  m.def("unique", &unique_function, nb::arg(), "size"_a, "return_index"_a = false,
        "return_inverse"_a = false, "return_counts"_a = false, "fill_value"_a = nb::none(),
        nb::kw_only(), "stream"_a = nb::none(),
        signature("unique",
                  "a: array, /, size: int, return_index: bool = False, return_inverse: bool = "
                  "False, return_counts: bool = False, fill_value: bool | int | float | complex | "
                  "array | None = None",
                  "array | tuple[array, ...]"),
        R"(
The sorted distinct elements of the flattened array.

The shape does not depend on the values: if there are more than `size`, the smallest are kept; if there are
fewer, `fill_value` follows. Each NaN counts as distinct.

Args:
  size: the number of elements of the result.
  return_index: also give the index of the first occurrence of each, uint32.
  return_inverse: also give the indices into the result that rebuild `a`, uint32 in the shape of `a`;
    those of elements that were cut off point to the last one.
  return_counts: also give how often each occurs, int32; 0 for padding.
  fill_value: one element; the first of the sorted elements if None.

Returns:
  array or tuple: the elements, or a tuple of what was asked for in the order above.

Raises:
  ValueError: a negative `size`, a fill value of several elements, an empty array without one.)");
}

}  // namespace heddle::python
