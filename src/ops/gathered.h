// What products that gather their matrices share: operands with one batch axis and a pair of
// indices for each product.
#pragma once

#include <optional>
#include <vector>

#include "core/op.h"
#include "ops/checks.h"

namespace heddle {

// The indices of both sides as uint32 of one shape; one that is not given counts through the batch
// dimensions of its operand. Throws if one is not integral.
struct GatherIndices {
  Array left, right;
};
GatherIndices gather_indices(const char* op, const Array& a, const Array& b,
                             const std::optional<Array>& left, const std::optional<Array>& right,
                             const Stream& s);

// Of an op whose last two inputs are indices: uint32, of one shape.
void check_gather_indices(OpName op, const char* name, const Arrays& in);

// All batch dimensions as one, which is added where there is none.
Array one_batch_axis(const Array& x, const Stream& s);

// `updates` (indices.shape, matrix) summed into `count` matrices by index.
Array sum_by_index(const Array& updates, const Array& indices, int64_t count, const Stream& s);

// Batched operands and indices folded into single ones: the batch of an operand goes into its batch
// axis and into the indices that point to it.
class FoldedBatch {
 public:
  FoldedBatch(const Arrays& in, const std::vector<int>& axes);
  // Operand i of a side, of which all batched ones must be given in one call.
  Arrays operands(const std::vector<size_t>& of_side, const Stream& s) const;
  // The side's indices, with the batch as first axis.
  Array indices(size_t at, const std::vector<size_t>& of_side, const Stream& s) const;

 private:
  bool batched(const std::vector<size_t>& of_side) const;
  const Arrays& in_;
  const std::vector<int>& axes_;
  int64_t count_ = 1;
};

}  // namespace heddle
