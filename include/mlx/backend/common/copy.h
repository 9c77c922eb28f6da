// Ways to copy an array, and the memory that each wants.
#pragma once

#include <functional>

#include "mlx/backend/common/utils.h"

namespace mlx::core {

enum class CopyType {
  Scalar,         // one element to all of a dense output
  Vector,         // a buffer as it lies to one of the same size
  General,        // to a dense output
  GeneralGeneral  // to an output of any strides
};

using MakeData = std::function<allocator::Data(size_t)>;

// Gives `out` memory; true if it is the input's, which then need not be copied.
inline bool set_copy_output_data(const array& in, array& out, CopyType kind,
                                 MakeData malloc = allocator::malloc) {
  if (kind != CopyType::Vector) {
    out.set_data(malloc(out.nbytes()));
    return false;
  }
  if (is_donatable(in, out)) {
    out.copy_shared_buffer(in);
    return true;
  }
  out.set_data(malloc(in.data_size() * out.itemsize()), in.data_size(), in.strides(), in.flags());
  return false;
}

}  // namespace mlx::core
