// Quantized matrices: a packed uint32 matrix with one scale (and bias) for each group of
// consecutive elements of a row.
//
//   mode    group size      bits                  scales           biases
//   affine  32, 64*, 128    1, 2, 3, 4*, 5, 6, 8  dtype of w       like scales
//   mxfp4   32*             4*                    uint8, E8M0      none
//   mxfp8   32*             8*                    uint8, E8M0      none
//   nvfp4   16*             4*                    uint8, E4M3      none
//
// (*: what is taken where no value is given.) Wrong combinations, shapes and dtypes throw
// std::invalid_argument. Products sum in float32; those of float64, which have no kernel, are dense
// ones of the restored matrix.
#pragma once

#include <optional>
#include <string>

#include "heddle/array.h"

namespace heddle {

// Packed elements, scales and (affine only) biases of w (at least 2-dimensional, last axis a
// multiple of the group size). `global_scale` (a float32 scalar, nvfp4 only) is the largest
// magnitude in w; scales are then relative to it.
//
// A group in a floating-point mode that holds infinities or NaN gets a scale that makes it
// non-finite again when it is dequantized.
Arrays quantize(const Array& w, std::optional<int> group_size = {}, std::optional<int> bits = {},
                const std::string& mode = "affine", const std::optional<Array>& global_scale = {},
                StreamOrDevice s = {});

// The way back. Without `dtype`: that of scales and biases; bfloat16 for the floating-point modes
// (float32 with a global scale).
Array dequantize(const Array& w, const Array& scales, const std::optional<Array>& biases = {},
                 std::optional<int> group_size = {}, std::optional<int> bits = {},
                 const std::string& mode = "affine", const std::optional<Array>& global_scale = {},
                 std::optional<Dtype> dtype = {}, StreamOrDevice s = {});

// x times the quantized matrix, transposed or not; batch dimensions broadcast. Differentiable in x,
// scales and biases.
Array quantized_matmul(const Array& x, const Array& w, const Array& scales,
                       const std::optional<Array>& biases = {}, bool transpose = true,
                       std::optional<int> group_size = {}, std::optional<int> bits = {},
                       const std::string& mode = "affine", StreamOrDevice s = {});

// x[lhs_indices] times w[rhs_indices], where the indices are into the flattened batch dimensions
// and broadcast with each other; an index that is left out counts through them. An index out of
// range throws std::out_of_range at evaluation. `sorted_indices` promises sorted right indices; it
// changes no result. `global_scale` (nvfp4 only) has one entry for each matrix.
Array gather_qmm(const Array& x, const Array& w, const Array& scales,
                 const std::optional<Array>& biases = {},
                 const std::optional<Array>& lhs_indices = {},
                 const std::optional<Array>& rhs_indices = {}, bool transpose = true,
                 std::optional<int> group_size = {}, std::optional<int> bits = {},
                 const std::string& mode = "affine", const std::optional<Array>& global_scale = {},
                 bool sorted_indices = false, StreamOrDevice s = {});

// x, rounded to a quantized mode without biases, times the transposed matrix w, which is packed
// (with its scales) or else rounded alike. Gradients pass the rounding as if it were not there; w
// has one if it is not packed. Global scales (nvfp4 only) are given for both or for none.
Array qqmm(const Array& x, const Array& w, const std::optional<Array>& scales = {},
           std::optional<int> group_size = {}, std::optional<int> bits = {},
           const std::string& mode = "nvfp4", const std::optional<Array>& global_scale_x = {},
           const std::optional<Array>& global_scale_w = {}, StreamOrDevice s = {});
// The same of gathered matrices, with indices as in gather_qmm.
Array gather_qqmm(const Array& x, const Array& w, const std::optional<Array>& scales = {},
                  const std::optional<Array>& lhs_indices = {},
                  const std::optional<Array>& rhs_indices = {}, std::optional<int> group_size = {},
                  std::optional<int> bits = {}, const std::string& mode = "nvfp4",
                  const std::optional<Array>& global_scale_x = {},
                  const std::optional<Array>& global_scale_w = {}, bool sorted_indices = false,
                  StreamOrDevice s = {});

}  // namespace heddle
