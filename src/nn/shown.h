// Shapes in the messages of heddle::nn, as Python shows a tuple.
#pragma once

#include <string>

#include "heddle/shape.h"

namespace heddle::nn {

inline std::string shown(const Shape& shape) {
  std::string text;
  for (int64_t n : shape) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return shape.size() == 1 ? "(" + text + ",)" : "(" + text + ")";
}

}  // namespace heddle::nn
