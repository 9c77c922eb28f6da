// Products of vectors, matrices and tensors. matmul and those made of it take inexact dtypes only
// and sum halves in float32.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "heddle/array.h"

namespace heddle {

// (..., M, K) by (..., K, N); batch dimensions broadcast, vectors act as rows (left) and columns
// (right).
Array matmul(const Array& a, const Array& b, StreamOrDevice s = {});
// alpha * (a @ b) + beta * c, where c broadcasts to the product.
Array addmm(const Array& c, const Array& a, const Array& b, float alpha = 1.0f, float beta = 1.0f,
            StreamOrDevice s = {});
Array inner(const Array& a, const Array& b, StreamOrDevice s = {});  // over the last axes
Array outer(const Array& a, const Array& b, StreamOrDevice s = {});  // of flattened arrays
Array vecdot(const Array& a, const Array& b, int axis = -1, StreamOrDevice s = {});
// Contracts the last `axes` dimensions of a with the first of b, or the listed pairs.
Array tensordot(const Array& a, const Array& b, int axes = 2, StreamOrDevice s = {});
Array tensordot(const Array& a, const Array& b, const std::vector<int>& axes_a,
                const std::vector<int>& axes_b, StreamOrDevice s = {});
Array kron(const Array& a, const Array& b, StreamOrDevice s = {});

// a[lhs_indices] times b[rhs_indices], where the indices are into the flattened batch dimensions
// and broadcast with each other; an index that is left out counts through them. An index out of
// range throws std::out_of_range at evaluation. `sorted_indices` promises sorted right indices; it
// changes no result.
Array gather_mm(const Array& a, const Array& b, const std::optional<Array>& lhs_indices = {},
                const std::optional<Array>& rhs_indices = {}, bool sorted_indices = false,
                StreamOrDevice s = {});
// The product with blocks of `block_size` squared left out (masks of bool) or scaled (other masks)
// in the result, in a and in b. A mask has one entry for each block, and batch dimensions that
// broadcast.
Array block_masked_mm(const Array& a, const Array& b, int block_size = 64,
                      const std::optional<Array>& mask_out = {},
                      const std::optional<Array>& mask_lhs = {},
                      const std::optional<Array>& mask_rhs = {}, StreamOrDevice s = {});
// For each pair (begin, end) in `segments` the product of those columns of a (M, K) with those rows
// of b (K, N); nothing where end is not beyond begin. Shape segments.shape[:-1] + (M, N).
Array segmented_mm(const Array& a, const Array& b, const Array& segments, StreamOrDevice s = {});
// The last axis, of size m 2^k with m in 1, 12, 20, 28, times a Hadamard matrix and `scale`, which
// is by default 1 / sqrt(size): then the matrix is orthonormal. k is limited by memory only.
Array hadamard_transform(const Array& a, std::optional<float> scale = {}, StreamOrDevice s = {});

// Einstein summation: letters name dimensions, "..." broadcasts, letters absent from the output are
// summed. Operands are contracted in pairs, the cheapest first.
Array einsum(const std::string& subscripts, const Arrays& operands, StreamOrDevice s = {});
// That order, as positions in the shrinking list of operands, and a report of its cost.
std::pair<std::vector<std::vector<int>>, std::string> einsum_path(const std::string& subscripts,
                                                                  const Arrays& operands);

}  // namespace heddle
