// Scans: functions of the module and methods of arrays.
#include "heddle/ops/scan.h"

#include <fmt/format.h>

#include "heddle/ops/pointwise.h"
#include "heddle/ops/shape.h"
#include "signature.h"

namespace heddle::python {
namespace {

constexpr const char* scan_note = R"(

Args:
  axis: the axis to go along; the flattened array if None.
  reverse: go from the end to the start.
  inclusive: the result at a position includes the element there.

Raises:
  AxisError: an axis that the array does not have.)";

using ScanOp = Array (*)(const Array&, int, bool, bool, StreamOrDevice);

Array along(ScanOp op, const Array& a, std::optional<int> axis, bool reverse, bool inclusive,
            const StreamOrDevice& s) {
  return axis ? op(a, *axis, reverse, inclusive, s)
              : op(flatten(a, 0, -1, s), 0, reverse, inclusive, s);
}

void bind_method(const char* name, ScanOp op) {
  array_class().def(
      name,
      [op](const Array& a, std::optional<int> axis, bool reverse, bool inclusive,
           const StreamOrDevice& s) { return along(op, a, axis, reverse, inclusive, s); },
      "axis"_a = nb::none(), nb::kw_only(), "reverse"_a = false, "inclusive"_a = true,
      "stream"_a = nb::none(), keep(fmt::format("\nSee :func:`{}`.", name)));
}

// Sums and products may be taken in another dtype.
void bind_with_dtype(nb::module_& m, const char* name, ScanOp op, const char* doc) {
  m.def(
      name,
      [op](const Array& a, std::optional<int> axis, bool reverse, bool inclusive,
           std::optional<Dtype> dtype, const StreamOrDevice& s) {
        return along(op, dtype ? astype(a, *dtype, s) : a, axis, reverse, inclusive, s);
      },
      nb::arg(), "axis"_a = nb::none(), nb::kw_only(), "reverse"_a = false, "inclusive"_a = true,
      "dtype"_a = nb::none(), "stream"_a = nb::none(),
      signature(name,
                "a: array, /, axis: int | None = None, *, reverse: bool = False, inclusive: bool = "
                "True, dtype: Dtype | None = None"),
      keep(fmt::format("\n{} The elements are converted to `dtype` first, if one is given.{}", doc,
                       scan_note)));
}

void bind_plain(nb::module_& m, const char* name, ScanOp op, const char* doc) {
  m.def(
      name,
      [op](const Array& a, std::optional<int> axis, bool reverse, bool inclusive,
           const StreamOrDevice& s) { return along(op, a, axis, reverse, inclusive, s); },
      nb::arg(), "axis"_a = nb::none(), nb::kw_only(), "reverse"_a = false, "inclusive"_a = true,
      "stream"_a = nb::none(),
      signature(name,
                "a: array, /, axis: int | None = None, *, reverse: bool = False, inclusive: bool = "
                "True"),
      keep(fmt::format("\n{}{}", doc, scan_note)));
}

}  // namespace

void bind_scan(nb::module_& m) {
  for (const char* name : {"cumsum", "cumulative_sum"}) {
    bind_with_dtype(
        m, name, cumsum,
        "The sum of the elements up to each position, in the same dtype; int32 for bool.");
  }
  for (const char* name : {"cumprod", "cumulative_prod"}) {
    bind_with_dtype(m, name, cumprod,
                    "The product of the elements up to each position, in the same dtype.");
  }
  bind_plain(m, "cummax", cummax,
             "The largest element up to each position; NaN from the first NaN on.");
  bind_plain(m, "cummin", cummin,
             "The smallest element up to each position; NaN from the first NaN on.");
  bind_plain(m, "logcumsumexp", logcumsumexp,
             "``log(cumsum(exp(a)))`` without overflow; float32 for integers.");
  bind_method("cumsum", cumsum);
  bind_method("cumprod", cumprod);
  bind_method("cummax", cummax);
  bind_method("cummin", cummin);
  bind_method("logcumsumexp", logcumsumexp);
}

}  // namespace heddle::python
