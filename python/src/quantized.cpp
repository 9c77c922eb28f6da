// Quantized matrices and products with them.
#include "heddle/ops/quantized.h"

#include "bind.h"

namespace heddle::python {
namespace {

using OptionalInt = std::optional<int>;
using OptionalArray = std::optional<Array>;

constexpr const char* mode_notes = R"(
  mode: ``"affine"``, ``"mxfp4"``, ``"mxfp8"`` or ``"nvfp4"``.
  group_size, bits: by default (64, 4), (32, 4), (32, 8) and (16, 4) for these modes. Affine takes groups
    of 32, 64 or 128 elements of 1, 2, 3, 4, 5, 6 or 8 bits; the others take no other values.
)";

const char* with_modes(const char* head, const char* tail) {
  return keep(std::string(head) + mode_notes + tail);
}

}  // namespace

void bind_quantized(nb::module_& m) {
  m.def(
      "quantize",
      [](const Array& w, OptionalInt group_size, OptionalInt bits, const std::string& mode,
         const OptionalArray& global_scale,
         StreamOrDevice s) { return quantize(w, group_size, bits, mode, global_scale, s); },
      nb::arg(), "group_size"_a = nb::none(), "bits"_a = nb::none(), "mode"_a = "affine",
      nb::kw_only(), "global_scale"_a = nb::none(), "stream"_a = nb::none(),
      nb::sig("def quantize(w: array, /, group_size: int | None = None, bits: int | None = None, "
              "mode: str "
              "= 'affine', *, global_scale: array | None = None, stream: StreamOrDevice = None) -> "
              "tuple[array, array, array]"),
      with_modes(
          R"(Packs the elements of ``w`` into few bits each.

Groups of consecutive elements along the last axis share a scale. Affine groups also have a bias:
``scale * q + bias`` is the element nearest to the one that was; zero and the extreme of larger magnitude
are exact. The other modes store floats of 4 bits (E2M1) or 8 (E4M3) and scales of 8 (powers of two, or
E4M3 for nvfp4).

Args:
  w: at least two-dimensional, the last axis a multiple of the group size.)",
          R"(  global_scale: for nvfp4, the largest magnitude in ``w``; scales are then relative to it.

Returns:
  list: packed elements (uint32), scales and, for affine, biases.

Raises:
  ValueError: a mode, group size or bits that do not exist, shapes that do not fit, dtypes that are not
    floating.)"));
  m.def(
      "dequantize",
      [](const Array& w, const Array& scales, const OptionalArray& biases, OptionalInt group_size,
         OptionalInt bits, const std::string& mode, const OptionalArray& global_scale,
         std::optional<Dtype> dtype, StreamOrDevice s) {
        return dequantize(w, scales, biases, group_size, bits, mode, global_scale, dtype, s);
      },
      nb::arg(), "scales"_a, "biases"_a = nb::none(), "group_size"_a = nb::none(),
      "bits"_a = nb::none(), "mode"_a = "affine", "global_scale"_a = nb::none(),
      "dtype"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def dequantize(w: array, /, scales: array, biases: array | None = None, group_size: "
              "int | "
              "None = None, bits: int | None = None, mode: str = 'affine', global_scale: array | "
              "None = "
              "None, dtype: Dtype | None = None, *, stream: StreamOrDevice = None) -> array"),
      with_modes(R"(The elements of a packed matrix: the way back from :func:`quantize`.

Args:
  w: the packed elements.
  scales, biases: one for each group; biases for affine only.)",
                 R"(  global_scale: as it was given to :func:`quantize`.
  dtype: of the result; by default that of scales and biases, else bfloat16.

Raises:
  ValueError: a mode that does not exist, shapes and dtypes that do not fit it.)"));
  m.def(
      "quantized_matmul",
      [](const Array& x, const Array& w, const Array& scales, const OptionalArray& biases,
         bool transpose, OptionalInt group_size, OptionalInt bits, const std::string& mode,
         StreamOrDevice s) {
        return quantized_matmul(x, w, scales, biases, transpose, group_size, bits, mode, s);
      },
      nb::arg(), nb::arg(), "scales"_a, "biases"_a = nb::none(), "transpose"_a = true,
      "group_size"_a = nb::none(), "bits"_a = nb::none(), "mode"_a = "affine", nb::kw_only(),
      "stream"_a = nb::none(),
      nb::sig(
          "def quantized_matmul(x: array, w: array, /, scales: array, biases: array | None = None, "
          "transpose: bool = True, group_size: int | None = None, bits: int | None = None, mode: "
          "str = "
          "'affine', *, stream: StreamOrDevice = None) -> array"),
      with_modes(R"(``x`` times a packed matrix, without restoring the whole of it.

Differentiable in ``x``, ``scales`` and ``biases``; sums run in float32.

Args:
  x: shape ``(..., K)``.
  w: the packed matrix; batch dimensions broadcast with those of ``x``.
  scales, biases: as :func:`quantize` gives them.
  transpose: multiply with the transposed matrix, as a linear layer does.)",
                 R"(
Raises:
  ValueError: a mode that does not exist, shapes and dtypes that do not fit.)"));
  m.def(
      "gather_qmm",
      [](const Array& x, const Array& w, const Array& scales, const OptionalArray& biases,
         const OptionalArray& lhs_indices, const OptionalArray& rhs_indices, bool transpose,
         OptionalInt group_size, OptionalInt bits, const std::string& mode,
         const OptionalArray& global_scale, bool sorted_indices, StreamOrDevice s) {
        return gather_qmm(x, w, scales, biases, lhs_indices, rhs_indices, transpose, group_size,
                          bits, mode, global_scale, sorted_indices, s);
      },
      nb::arg(), nb::arg(), "scales"_a, "biases"_a = nb::none(), "lhs_indices"_a = nb::none(),
      "rhs_indices"_a = nb::none(), "transpose"_a = true, "group_size"_a = nb::none(),
      "bits"_a = nb::none(), "mode"_a = "affine", "global_scale"_a = nb::none(), nb::kw_only(),
      "sorted_indices"_a = false, "stream"_a = nb::none(),
      nb::sig(
          "def gather_qmm(x: array, w: array, /, scales: array, biases: array | None = None, "
          "lhs_indices: array | None = None, rhs_indices: array | None = None, transpose: bool = "
          "True, "
          "group_size: int | None = None, bits: int | None = None, mode: str = 'affine', "
          "global_scale: "
          "array | None = None, *, sorted_indices: bool = False, stream: StreamOrDevice = None) -> "
          "array"),
      with_modes(
          R"(Products of gathered matrices: ``x[lhs_indices]`` times the packed ``w[rhs_indices]``.

Products with the same packed matrix are computed together, so it is read once.

Args:
  x: shape ``(..., M, K)``.
  w: packed, ``(..., N, K)`` (or ``(..., K, N)`` if not transposed) in elements.
  scales, biases: as :func:`quantize` gives them.
  lhs_indices, rhs_indices: into the flattened batch dimensions of ``x`` and ``w``; they broadcast. One
    that is left out counts through them.
  transpose: multiply with the transposed matrices.)",
          R"(  global_scale: for nvfp4, one for each packed matrix.
  sorted_indices: a promise that may help; it changes no result.

Raises:
  ValueError: a mode that does not exist, shapes and dtypes that do not fit, indices that are not integers.
  IndexError: an index out of range, at evaluation.)"));
  m.def(
      "qqmm",
      [](const Array& x, const Array& w, const OptionalArray& scales, OptionalInt group_size,
         OptionalInt bits, const std::string& mode, const OptionalArray& global_scale_x,
         const OptionalArray& global_scale_w, StreamOrDevice s) {
        return qqmm(x, w, scales, group_size, bits, mode, global_scale_x, global_scale_w, s);
      },
      "x"_a, "w"_a, "scales"_a = nb::none(), "group_size"_a = nb::none(), "bits"_a = nb::none(),
      "mode"_a = "nvfp4", "global_scale_x"_a = nb::none(), "global_scale_w"_a = nb::none(),
      nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def qqmm(x: array, w: array, scales: array | None = None, group_size: int | None = "
              "None, "
              "bits: int | None = None, mode: str = 'nvfp4', global_scale_x: array | None = None, "
              "global_scale_w: array | None = None, *, stream: StreamOrDevice = None) -> array"),
      with_modes(R"(``x``, rounded to a quantized mode, times the transposed matrix ``w``.

``w`` is packed, with its scales, or else rounded as ``x`` is. Gradients pass the rounding as if it were
not there; ``w`` has one if it is not packed.

Args:
  x: shape ``(..., K)``.
  w: shape ``(N, K)`` in elements.
  scales: of a packed ``w``.)",
                 R"(    Affine, which has biases, is not supported.
  global_scale_x, global_scale_w: for nvfp4, both or neither.

Raises:
  ValueError: modes, shapes and dtypes that do not fit.)"));
  m.def(
      "gather_qqmm",
      [](const Array& x, const Array& w, const OptionalArray& scales,
         const OptionalArray& lhs_indices, const OptionalArray& rhs_indices, OptionalInt group_size,
         OptionalInt bits, const std::string& mode, const OptionalArray& global_scale_x,
         const OptionalArray& global_scale_w, bool sorted_indices, StreamOrDevice s) {
        return gather_qqmm(x, w, scales, lhs_indices, rhs_indices, group_size, bits, mode,
                           global_scale_x, global_scale_w, sorted_indices, s);
      },
      nb::arg(), nb::arg(), "scales"_a = nb::none(), "lhs_indices"_a = nb::none(),
      "rhs_indices"_a = nb::none(), "group_size"_a = nb::none(), "bits"_a = nb::none(),
      "mode"_a = "nvfp4", "global_scale_x"_a = nb::none(), "global_scale_w"_a = nb::none(),
      nb::kw_only(), "sorted_indices"_a = false, "stream"_a = nb::none(),
      nb::sig(
          "def gather_qqmm(x: array, w: array, /, scales: array | None = None, lhs_indices: array "
          "| "
          "None = None, rhs_indices: array | None = None, group_size: int | None = None, bits: int "
          "| "
          "None = None, mode: str = 'nvfp4', global_scale_x: array | None = None, global_scale_w: "
          "array | None = None, *, sorted_indices: bool = False, stream: StreamOrDevice = None) -> "
          "array"),
      with_modes(R"(:func:`qqmm` of gathered matrices, with indices as in :func:`gather_qmm`.

Args:
  x: shape ``(..., M, K)``.
  w: shape ``(..., N, K)`` in elements, packed or not.
  scales: of a packed ``w``.
  lhs_indices, rhs_indices: into the flattened batch dimensions of ``x`` and ``w``.)",
                 R"(    Affine, which has biases, is not supported.
  global_scale_x, global_scale_w: for nvfp4, both or neither.
  sorted_indices: a promise that may help; it changes no result.

Raises:
  ValueError: modes, shapes and dtypes that do not fit, indices that are not integers.
  IndexError: an index out of range, at evaluation.)"));
}

}  // namespace heddle::python
