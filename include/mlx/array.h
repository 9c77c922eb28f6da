// MLX's names for heddle's types. Everything of namespace heddle is visible in mlx::core.
#pragma once

#include "heddle/heddle.h"

namespace mlx::core {

using namespace heddle;  // NOLINT: giving these names is what the header is for

using array = Array;
using ShapeElem = int64_t;

// An MLX program says TypeToDtype<float>() where heddle says dtype_of<float>.
template <class T>
struct TypeToDtype {
  operator Dtype() const { return dtype_of<T>; }
};

}  // namespace mlx::core
