// What layers say of inputs that they were not made for, in their own words.
#pragma once

#include <fmt/format.h>

#include <stdexcept>

#include "heddle/array.h"
#include "nn/shown.h"
#include "ops/checks.h"

namespace heddle::nn {

// The last axis of `x` must have as many features as the layer takes.
inline void check_features(const char* layer, const Array& x, int64_t features,
                           const char* input = "its input") {
  if (x.ndim() > 0 && x.shape(-1) == features) return;
  refuse(layer, "The layer takes {} features in the last axis of {}, which has the shape {}.",
         features, input, shown(x.shape()));
}

}  // namespace heddle::nn
