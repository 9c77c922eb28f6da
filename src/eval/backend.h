// What evaluation asks of a device. A device is one implementation of Backend.
#pragma once

#include <span>
#include <vector>

#include "core/node.h"

namespace heddle {

// Pointwise nodes of one shape that are computed together, in order; the later ones read the
// earlier.
struct PointwiseGroup {
  std::vector<Node*> nodes;
  std::vector<bool> kept;     // per node: its value is wanted in memory
  std::vector<Node*> inputs;  // available, each once; broadcastable to the shape
  Shape shape;
  bool may_donate = true;  // inputs that nobody else holds may be overwritten

  void clear() {
    nodes.clear();
    kept.clear();
    inputs.clear();
    may_donate = true;
  }
};

// One op with available inputs. A kernel gives every output its memory (Node::set_data or share).
struct Work {
  const Op& op;
  const Arrays& inputs;
  std::span<Node* const> outputs;
  bool may_donate;
  // Set if input 0 is not in memory but to be computed on the fly from this group's last node.
  const PointwiseGroup* prologue = nullptr;

  const Node& input(size_t i) const { return *inputs[i].node(); }
  Node& output(size_t i = 0) const { return *outputs[i]; }
  bool donatable(size_t i) const { return may_donate && inputs[i].node()->donatable(); }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual void run(const Work& work) = 0;
  // None of the groups reads what another computes.
  virtual void run(std::span<const PointwiseGroup> groups) = 0;
  // True if `op` can take its input 0 as a prologue.
  virtual bool takes_prologue(const Op& op) const = 0;
};

// The CPU's; defined by src/cpu.
Backend& cpu_backend();

}  // namespace heddle
