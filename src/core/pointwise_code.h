// Pointwise nodes that are computed together.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/node.h"

namespace heddle {

struct PointwiseCode {
  // Larger ones bring nothing more: their tiles would leave the first-level cache.
  static constexpr int max_nodes = 64;
  static constexpr int max_inputs = 30;

  std::vector<Node*> nodes;   // in order: the later ones read the earlier, all have one shape
  std::vector<bool> kept;     // per node: its value is a result
  std::vector<Node*> inputs;  // what they read besides each other, each once

  // What each input of each node is: input i, or node k as `first_node` + k. So nobody has to mark
  // nodes that others may read.
  using Operands = std::array<uint8_t, 3>;
  static constexpr uint8_t first_node = max_inputs + 2;
  std::vector<Operands> operands;

  void clear() {
    nodes.clear();
    kept.clear();
    inputs.clear();
    operands.clear();
  }
};

}  // namespace heddle
