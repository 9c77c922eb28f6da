// The limits of element types.
#pragma once

#include "heddle/dtype.h"

namespace heddle {

// Of a floating type; of its parts for complex64. Throws std::invalid_argument for a dtype that is
// not inexact.
struct finfo {
  explicit finfo(Dtype dtype);

  Dtype dtype;
  int bits;
  double min, max;
  double eps;  // from 1 to the next larger value
  double smallest_normal;
};

// Of an integer type. Throws std::invalid_argument for any other dtype.
struct iinfo {
  explicit iinfo(Dtype dtype);

  Dtype dtype;
  int bits;
  int64_t min;
  uint64_t max;
};

}  // namespace heddle
