// Memory for the result of an elementwise operation of two inputs.
#pragma once

#include "mlx/backend/common/copy.h"

namespace mlx::core {

enum class BinaryOpType {
  ScalarScalar,
  ScalarVector,
  VectorScalar,
  VectorVector,
  General,
};

// How the operands lie: one element for all, all in one run of memory in the same order, or else.
inline BinaryOpType get_binary_op_type(const array& a, const array& b) {
  const bool one_a = a.data_size() == 1, one_b = b.data_size() == 1;
  if (one_a && one_b) return BinaryOpType::ScalarScalar;
  if (one_a && b.flags().contiguous) return BinaryOpType::ScalarVector;
  if (one_b && a.flags().contiguous) return BinaryOpType::VectorScalar;
  const bool rows = a.flags().row_contiguous && b.flags().row_contiguous;
  const bool columns = a.flags().col_contiguous && b.flags().col_contiguous;
  return rows || columns ? BinaryOpType::VectorVector : BinaryOpType::General;
}

// The memory of an operand that nobody else wants, or new memory that lies like an operand.
inline void set_binary_op_output_data(const array& a, const array& b, array& out, BinaryOpType kind,
                                      MakeData malloc = allocator::malloc) {
  auto take = [&](const array& x) {
    if (!is_donatable(x, out)) return false;
    if (kind == BinaryOpType::General && !(x.flags().row_contiguous && x.size() == out.size())) {
      return false;
    }
    out.copy_shared_buffer(x);
    return true;
  };
  auto like = [&](const array& x) {
    out.set_data(malloc(x.data_size() * out.itemsize()), x.data_size(), x.strides(), x.flags());
  };
  switch (kind) {
    case BinaryOpType::ScalarScalar:
      like(a);
      break;
    case BinaryOpType::ScalarVector:
      if (!take(b)) like(b);
      break;
    case BinaryOpType::VectorScalar:
      if (!take(a)) like(a);
      break;
    case BinaryOpType::VectorVector:
      if (!take(a) && !take(b)) like(a);
      break;
    case BinaryOpType::General:
      if (!take(a) && !take(b)) out.set_data(malloc(out.nbytes()));
      break;
  }
}

}  // namespace mlx::core
