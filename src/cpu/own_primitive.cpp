// Runs primitives of a program's own.
#include "transforms/own_primitive.h"

#include <stdexcept>

#include "core/node.h"
#include "cpu/kernel.h"

namespace heddle {
namespace {

thread_local int depth = 0;

}  // namespace

bool is_in_eval_cpu() { return depth > 0; }

namespace cpu {
namespace {

struct InEvalCpu {
  InEvalCpu() { ++depth; }
  ~InEvalCpu() { --depth; }
};

void run(const Work& work) {
  Primitive& primitive = *static_cast<const OwnPrimitive&>(work.op).primitive();
  Arrays outputs;
  for (Node* n : work.outputs) outputs.push_back(Array::share(n));
  InEvalCpu here;
  try {
    if (work.may_donate) {
      primitive.eval_cpu(work.inputs, outputs);
    } else {
      const Arrays held = work.inputs;  // a second holder: none can be donated
      primitive.eval_cpu(held, outputs);
    }
    for (size_t k = 0; k < work.outputs.size(); k++) {
      if (work.outputs[k]->buffer) continue;
      throw std::runtime_error(
          fmt::format("[{}] eval_cpu left output {} without memory: give it some with set_data.",
                      primitive.name(), k));
    }
  } catch (...) {
    for (Node* n : work.outputs) {
      n->buffer = BufferRef();
      n->data = nullptr;
    }
    throw;
  }
}

const bool registered = [] {
  register_kernel(OwnPrimitive::type(), run, false);
  return true;
}();

}  // namespace
}  // namespace cpu
}  // namespace heddle
