#include "transforms/compile.h"

#include <atomic>
#include <cstdlib>

#include "core/node.h"

namespace heddle {
namespace {

std::atomic<bool>& enabled() {
  static std::atomic<bool> on{std::getenv("MLX_DISABLE_COMPILE") == nullptr};
  return on;
}

}  // namespace

bool Compiled::matches(const Entry& e, const Arrays& inputs,
                       const std::vector<uint64_t>& constants) const {
  if (e.inputs.size() != inputs.size() || e.constants != constants) return false;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (e.inputs[i].dtype != inputs[i].dtype()) return false;
    if (shapeless_ ? e.inputs[i].shape.size() != inputs[i].shape().size()
                   : !(e.inputs[i].shape == inputs[i].shape())) {
      return false;
    }
  }
  return true;
}

Arrays Compiled::operator()(const Function& fun, const Arrays& inputs,
                            const std::vector<uint64_t>& constants) {
  std::shared_ptr<const Program> program;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Entry& e : entries_) {
      if (matches(e, inputs, constants)) {
        program = e.program;
        break;
      }
    }
  }
  if (!program) {
    Entry entry{constants, {}, nullptr};
    auto traced = std::make_shared<Program>();
    {
      TracingScope tracing;
      Arrays examples;
      for (const Array& in : inputs) {
        examples.push_back(placeholder(in.shape(), in.dtype()));
        entry.inputs.push_back({in.shape(), in.dtype()});
      }
      Arrays outputs = fun(examples);
      *traced = capture(examples, outputs);
    }
    simplify(*traced);
    program = entry.program = std::move(traced);
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(std::move(entry));
  }
  return replay(*program, inputs, shapeless_);
}

Function compile(Function fun, bool shapeless) {
  auto compiled = std::make_shared<Compiled>(shapeless);
  return [fun = std::move(fun), compiled](const Arrays& inputs) {
    return compile_enabled() ? (*compiled)(fun, inputs) : fun(inputs);
  };
}

void enable_compile() { enabled() = true; }
void disable_compile() { enabled() = false; }
bool compile_enabled() { return enabled(); }

}  // namespace heddle
