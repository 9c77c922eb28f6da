// Products of vectors, matrices and tensors. matmul and those made of it take inexact dtypes only and
// sum halves in float32.
#pragma once

#include <string>
#include <utility>

#include "heddle/array.h"

namespace heddle {

// (..., M, K) by (..., K, N); batch dimensions broadcast, vectors act as rows (left) and columns (right).
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

// Einstein summation: letters name dimensions, "..." broadcasts, letters absent from the output are
// summed. Operands are contracted in pairs, the cheapest first.
Array einsum(const std::string& subscripts, const Arrays& operands, StreamOrDevice s = {});
// That order, as positions in the shrinking list of operands, and a report of its cost.
std::pair<std::vector<std::vector<int>>, std::string> einsum_path(const std::string& subscripts,
                                                                  const Arrays& operands);

}  // namespace heddle
