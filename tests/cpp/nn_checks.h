// What the tests of layers ask in common.
#pragma once

#include <string>
#include <vector>

#include "heddle/heddle.h"
#include "heddle/nn.h"

namespace heddle::test {

inline bool close(const Array& a, const Array& b, double tolerance = 1e-5) {
  return a.shape() == b.shape() && allclose(a, b, tolerance, tolerance).item<bool>();
}

inline std::vector<std::string> names(const nn::Parameters& parameters) {
  std::vector<std::string> out;
  for (const auto& [name, array] : parameters) out.push_back(name);
  return out;
}

}  // namespace heddle::test
