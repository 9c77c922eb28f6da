// Reductions: functions of the module and methods of arrays.
#include "heddle/ops/reduce.h"

#include <fmt/format.h>

#include "heddle/ops/pointwise.h"
#include "signature.h"

namespace heddle::python {
namespace {

constexpr const char* axes_type = "int | Sequence[int] | None";

constexpr const char* axes_note = R"(

Args:
  axis: the axis or axes to reduce; all of them if None.
  keepdims: leave the reduced axes as size one.

Raises:
  AxisError: an axis that the array does not have.
  ValueError: an axis given twice.)";

using Reduction = Array (*)(const Array&, const std::vector<int>&, bool, StreamOrDevice);

struct ReducingFunction {
  const char* name;
  Reduction op;
  const char* doc;
  bool method = true;
};

constexpr ReducingFunction reducing[] = {
    {"sum", sum,
     "The sum over axes. Bools and integers narrower than 32 bits are summed in int32 or uint32, "
     "halves in "
     "float32."},
    {"nansum", nansum, "The sum over axes of the elements that are not NaN, as :func:`sum`.",
     false},
    {"prod", prod, "The product over axes, in the dtype that :func:`sum` gives."},
    {"min", min,
     "The smallest element over axes; NaN if there is one. Raises ValueError for an empty axis."},
    {"max", max,
     "The largest element over axes; NaN if there is one. Raises ValueError for an empty axis."},
    {"mean", mean, "The mean over axes; float32 for integers, NaN for no elements."},
    {"median", median,
     "The median over axes; float32 for integers, NaN if one is NaN. Raises ValueError for an "
     "empty axis.",
     false},
    {"all", all, "Whether all elements over axes are nonzero, as bool."},
    {"any", any, "Whether an element over axes is nonzero, as bool."},
    {"logsumexp", logsumexp,
     "``log(sum(exp(a)))`` over axes, without overflow. Raises ValueError for an empty array."},
};

void bind_reducing(nb::module_& m, const ReducingFunction& f) {
  auto call = [op = f.op](const Array& a, const AxisArg& axis, bool keepdims,
                          const StreamOrDevice& s) {
    return op(a, to_axes(axis, a.ndim()), keepdims, s);
  };
  m.def(f.name, call, nb::arg(), "axis"_a = nb::none(), "keepdims"_a = false, nb::kw_only(),
        "stream"_a = nb::none(),
        signature(f.name,
                  fmt::format("a: array, /, axis: {} = None, keepdims: bool = False", axes_type)),
        keep(fmt::format("\n{}{}", f.doc, axes_note)));
  if (!f.method) return;
  array_class().def(f.name, call, "axis"_a = nb::none(), "keepdims"_a = false, nb::kw_only(),
                    "stream"_a = nb::none(), keep(fmt::format("\nSee :func:`{}`.", f.name)));
}

using Spread = Array (*)(const Array&, const std::vector<int>&, bool, int, StreamOrDevice);

// MLX's `ddof`, and `correction`, which the array API calls it.
void bind_spread(nb::module_& m, const char* name, Spread op, const char* doc) {
  auto call = [op](const Array& a, const AxisArg& axis, bool keepdims, int ddof,
                   std::optional<int> correction, const StreamOrDevice& s) {
    return op(a, to_axes(axis, a.ndim()), keepdims, correction.value_or(ddof), s);
  };
  m.def(name, call, nb::arg(), "axis"_a = nb::none(), "keepdims"_a = false, "ddof"_a = 0,
        nb::kw_only(), "correction"_a = nb::none(), "stream"_a = nb::none(),
        signature(name, fmt::format("a: array, /, axis: {} = None, keepdims: bool = False, ddof: "
                                    "int = 0, *, correction: int | None = None",
                                    axes_type)),
        keep(fmt::format(
            "\n{} `ddof` is subtracted from the count that it divides by; `correction` is "
            "another name for it.{}",
            doc, axes_note)));
  array_class().def(name, call, "axis"_a = nb::none(), "keepdims"_a = false, "ddof"_a = 0,
                    nb::kw_only(), "correction"_a = nb::none(), "stream"_a = nb::none(),
                    keep(fmt::format("\nSee :func:`{}`.", name)));
}

void bind_position(nb::module_& m, const char* name,
                   Array (*along)(const Array&, int, bool, StreamOrDevice),
                   Array (*overall)(const Array&, bool, StreamOrDevice), const char* which) {
  auto call = [along, overall](const Array& a, std::optional<int> axis, bool keepdims,
                               const StreamOrDevice& s) {
    return axis ? along(a, *axis, keepdims, s) : overall(a, keepdims, s);
  };
  m.def(name, call, nb::arg(), "axis"_a = nb::none(), "keepdims"_a = false, nb::kw_only(),
        "stream"_a = nb::none(),
        signature(name, "a: array, /, axis: int | None = None, keepdims: bool = False"),
        keep(fmt::format(R"(
The index of the {} element along an axis, or of the first NaN, as uint32.

Args:
  axis: the axis to search; the flattened array if None.
  keepdims: leave the axis as size one.

Raises:
  AxisError: an axis that the array does not have.
  ValueError: an empty array.)",
                         which)));
  array_class().def(name, call, "axis"_a = nb::none(), "keepdims"_a = false, nb::kw_only(),
                    "stream"_a = nb::none(), keep(fmt::format("\nSee :func:`{}`.", name)));
}

void bind_comparisons(nb::module_& m) {
  m.def(
      "array_equal",
      [](nb::handle a, nb::handle b, bool equal_nan, const StreamOrDevice& s) {
        auto [x, y] = to_operands(a, b);
        return array_equal(x, y, equal_nan, s);
      },
      "a"_a, "b"_a, "equal_nan"_a = false, "stream"_a = nb::none(),
      signature("array_equal",
                "a: array | bool | int | float | complex, b: array | bool | int | float | complex, "
                "equal_nan: bool = False",
                "array", StreamArg::positional),
      R"(
Whether two arrays have the same shape and elements, as one bool.

With `equal_nan` NaN equals NaN.)");
  m.def(
      "allclose",
      [](const Array& a, const Array& b, double rtol, double atol, bool equal_nan,
         const StreamOrDevice& s) { return allclose(a, b, rtol, atol, equal_nan, s); },
      nb::arg(), nb::arg(), "rtol"_a = 1e-5, "atol"_a = 1e-8, nb::kw_only(), "equal_nan"_a = false,
      "stream"_a = nb::none(),
      signature("allclose",
                "a: array, b: array, /, rtol: float = 1e-05, atol: float = 1e-08, *, equal_nan: "
                "bool = False"),
      R"(
Whether all elements of two arrays are close, as one bool: :func:`isclose` of each pair.)");
}

}  // namespace

void bind_reduce(nb::module_& m) {
  for (const ReducingFunction& f : reducing) bind_reducing(m, f);
  bind_spread(m, "var", var, "The variance over axes; float32 for integers.");
  bind_spread(m, "std", std, "The standard deviation over axes; float32 for integers.");
  bind_position(m, "argmin", argmin, argmin, "smallest");
  bind_position(m, "argmax", argmax, argmax, "largest");
  m.def(
      "minmax",
      [](const Array& a, const AxisArg& axis, bool keepdims, const StreamOrDevice& s) {
        return minmax(a, to_axes(axis, a.ndim()), keepdims, s);
      },
      nb::arg(), "axis"_a = nb::none(), "keepdims"_a = false, nb::kw_only(),
      "stream"_a = nb::none(),
      signature("minmax",
                "a: array, /, axis: int | Sequence[int] | None = None, keepdims: bool = False",
                "tuple[array, array]"),
      keep(fmt::format("\nThe smallest and the largest element over axes, as a tuple.{}",
                       axes_note)));
  m.def(
      "count_nonzero",
      [](const Array& a, const AxisArg& axis, bool keepdims, const StreamOrDevice& s) {
        return count_nonzero(a, to_axes(axis, a.ndim()), keepdims, s);
      },
      nb::arg(), "axis"_a = nb::none(), "keepdims"_a = false, nb::kw_only(),
      "stream"_a = nb::none(),
      signature("count_nonzero",
                "a: array, /, axis: int | Sequence[int] | None = None, keepdims: bool = False"),
      keep(fmt::format("\nThe number of nonzero elements over axes, as int32.{}", axes_note)));
  m.def(
      "softmax",
      [](const Array& a, const AxisArg& axis, bool precise, const StreamOrDevice& s) {
        return softmax(a, to_axes(axis, a.ndim()), precise, s);
      },
      nb::arg(), "axis"_a = nb::none(), nb::kw_only(), "precise"_a = false, "stream"_a = nb::none(),
      signature("softmax",
                "a: array, /, axis: int | Sequence[int] | None = None, *, precise: bool = False"),
      R"(
``exp(a) / sum(exp(a))`` over axes, without overflow; float32 for integers.

Args:
  axis: the axis or axes whose elements add up to 1; all of them if None.
  precise: compute halves in float32, which this implementation always does.

Raises:
  AxisError: an axis that the array does not have.
  ValueError: an axis given twice.)");
  bind_comparisons(m);
}

}  // namespace heddle::python
