// What evaluation asks of a device. A device is one implementation of Backend, in a folder of its
// own, and streams on it: whoever makes such a stream (new_stream) and hands it to operations has
// them run there. `src/cpu` is one, `tests/cpp/stub_backend.cpp` a small one to copy.
#pragma once

#include <span>
#include <vector>

#include "core/pointwise_code.h"
#include "core/stream.h"

namespace heddle {

// Pointwise code and what lies in memory of it: either the nodes of a graph themselves, or the code
// of an op (transforms/pointwise_function.h) that is applied to others.
struct PointwiseGroup {
  PointwiseCode own;
  const PointwiseCode* shared = nullptr;  // instead of `own`
  std::vector<Node*> operands;            // available, for each input; broadcastable to the shape
  std::vector<Node*> results;             // for each kept node
  Shape shape;
  bool may_donate = true;  // operands that nobody else holds may be overwritten

  const PointwiseCode& code() const { return shared ? *shared : own; }
  void clear() {
    own.clear();
    shared = nullptr;
    operands.clear();
    results.clear();
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

// Called by whichever threads evaluate, several at once, without the graph lock. When run() returns
// the results are there, in memory that other backends can read: inputs may come from any. An op
// that the backend does not know it refuses by name (std::runtime_error); what run() throws comes
// out of eval, and the nodes stay lazy. Nodes that it is given do not change meanwhile, and nobody
// else reads the results; it gives these memory and changes nothing else of them.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual void run(const Work& work) = 0;
  // None of the groups reads what another computes.
  virtual void run(std::span<const PointwiseGroup> groups) = 0;
  // True if `op` can take its input 0 as a prologue.
  virtual bool takes_prologue(const Op& op) const = 0;
};

// The CPU's; defined by src/cpu. It lives as long as the process, as others should.
Backend& cpu_backend();
// The backend of stream `index`, which the calling thread must be allowed to use: throws
// WrongThread.
inline Backend& backend_of(int index) {
  Backend* backend = check_stream(index);
  return backend ? *backend : cpu_backend();
}
// A stream on `backend`: the calling thread's, or everybody's.
inline Stream new_stream(Backend& backend, bool everybodys = false) {
  return make_stream_on(backend, everybodys);
}

}  // namespace heddle
