// Memory for the result of an elementwise operation of one input.
#pragma once

#include "mlx/backend/common/copy.h"

namespace mlx::core {

// The input's layout, or its memory where nobody else wants that.
inline void set_unary_output_data(const array& in, array& out,
                                  MakeData malloc = allocator::malloc) {
  if (in.flags().contiguous) {
    set_copy_output_data(in, out, CopyType::Vector, std::move(malloc));
  } else {
    out.set_data(malloc(out.nbytes()));
  }
}

}  // namespace mlx::core
