// Products of gathered matrices, of blocks and of segments; the Hadamard transform.
#include "bind.h"
#include "heddle/ops/products.h"

namespace heddle::python {
namespace {

using OptionalArray = std::optional<Array>;

}  // namespace

void bind_block_products(nb::module_& m) {
  m.def(
      "gather_mm",
      [](const Array& a, const Array& b, const OptionalArray& lhs_indices,
         const OptionalArray& rhs_indices, bool sorted_indices,
         StreamOrDevice s) { return gather_mm(a, b, lhs_indices, rhs_indices, sorted_indices, s); },
      nb::arg(), nb::arg(), "lhs_indices"_a = nb::none(), "rhs_indices"_a = nb::none(),
      nb::kw_only(), "sorted_indices"_a = false, "stream"_a = nb::none(),
      nb::sig(
          "def gather_mm(a: array, b: array, /, lhs_indices: array | None = None, rhs_indices: "
          "array | "
          "None = None, *, sorted_indices: bool = False, stream: StreamOrDevice = None) -> array"),
      R"(Products of gathered matrices: ``a[lhs_indices] @ b[rhs_indices]`` without the copies.

Products with the same right matrix are computed together.

Args:
  a: shape ``(..., M, K)``.
  b: shape ``(..., K, N)``.
  lhs_indices, rhs_indices: into the flattened batch dimensions of ``a`` and ``b``; they broadcast. One
    that is left out counts through them.
  sorted_indices: a promise that may help; it changes no result.

Raises:
  ValueError: shapes and dtypes that do not fit, indices that are not integers.
  IndexError: an index out of range, at evaluation.)");
  m.def(
      "block_masked_mm",
      [](const Array& a, const Array& b, int block_size, const OptionalArray& mask_out,
         const OptionalArray& mask_lhs, const OptionalArray& mask_rhs, StreamOrDevice s) {
        return block_masked_mm(a, b, block_size, mask_out, mask_lhs, mask_rhs, s);
      },
      nb::arg(), nb::arg(), "block_size"_a = 64, "mask_out"_a = nb::none(),
      "mask_lhs"_a = nb::none(), "mask_rhs"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def block_masked_mm(a: array, b: array, /, block_size: int = 64, mask_out: array | "
              "None = "
              "None, mask_lhs: array | None = None, mask_rhs: array | None = None, *, stream: "
              "StreamOrDevice = None) -> array"),
      R"(Matrix product with blocks of the operands or the result left out or scaled.

A mask of bool leaves out the blocks where it is false, whatever they hold; other masks are factors.

Args:
  a: shape ``(..., M, K)``.
  b: shape ``(..., K, N)``.
  block_size: rows and columns of a block.
  mask_out, mask_lhs, mask_rhs: one entry for each block of the result, of ``a`` and of ``b``.

Raises:
  ValueError: shapes and dtypes that do not fit.)");
  m.def(
      "segmented_mm",
      [](const Array& a, const Array& b, const Array& segments, StreamOrDevice s) {
        return segmented_mm(a, b, segments, s);
      },
      nb::arg(), nb::arg(), "segments"_a, nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def segmented_mm(a: array, b: array, /, segments: array, *, stream: StreamOrDevice "
              "= None) "
              "-> array"),
      R"(For each segment the product of those columns of ``a`` with those rows of ``b``.

Args:
  a: shape ``(M, K)``.
  b: shape ``(K, N)``.
  segments: shape ``(..., 2)``, pairs of begin and end; nothing is summed where the end is not beyond
    the begin.

Returns:
  array: shape ``(..., M, N)``.

Raises:
  ValueError: shapes and dtypes that do not fit.)");
  m.def(
      "hadamard_transform",
      [](const Array& a, std::optional<float> scale, StreamOrDevice s) {
        return hadamard_transform(a, scale, s);
      },
      nb::arg("a"), "scale"_a = nb::none(), "stream"_a = nb::none(),
      nb::sig("def hadamard_transform(a: array, scale: float | None = None, stream: StreamOrDevice "
              "= None) "
              "-> array"),
      R"(The last axis times a Hadamard matrix: entries 1 and -1, rows orthogonal.

Args:
  a: the last axis of size ``m * 2**k`` with ``m`` in 1, 12, 20, 28.
  scale: by default ``1 / sqrt(size)``, which makes the matrix orthonormal.

Raises:
  ValueError: other sizes, or an empty array.)");
}

}  // namespace heddle::python
