#include "transforms/compile.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "core/node.h"

namespace heddle {
namespace {

std::atomic<bool>& enabled() {
  static std::atomic<bool> on{std::getenv("MLX_DISABLE_COMPILE") == nullptr};
  return on;
}

// A size of one may broadcast where the traced one did not, so it stays a size of its own.
bool same_kind(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](int64_t m, int64_t n) { return (m == 1) == (n == 1); });
}

}  // namespace

bool Compiled::matches(const Entry& e, const Arrays& inputs,
                       const std::vector<uint64_t>& constants) const {
  if (e.inputs.size() != inputs.size() || e.constants != constants) return false;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (e.inputs[i].dtype != inputs[i].dtype()) return false;
    const Shape &traced = e.inputs[i].shape, &given = inputs[i].shape();
    if (e.any_size ? !same_kind(traced, given) : !(traced == given)) return false;
  }
  return true;
}

Compiled::Result Compiled::operator()(const std::function<Result(const Arrays&)>& fun,
                                      const Arrays& inputs,
                                      const std::vector<uint64_t>& constants) {
  std::shared_ptr<const Program> program;
  std::shared_ptr<const void> extra;
  bool infer = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Entry& e : entries_) {
      if (matches(e, inputs, constants)) {
        program = e.program;
        extra = e.extra;
        infer = e.any_size;
        break;
      }
    }
  }
  if (!program) {
    Entry entry{constants, {}, false, nullptr, nullptr};
    auto traced = std::make_shared<Program>();
    {
      TracingScope tracing;
      Arrays examples;
      for (const Array& in : inputs) {
        examples.push_back(placeholder(in.shape(), in.dtype()));
        entry.inputs.push_back({in.shape(), in.dtype()});
      }
      Result result = fun(examples);
      *traced = capture(examples, result.outputs);
      extra = entry.extra = std::move(result.extra);
    }
    simplify(*traced);
    entry.any_size = shapeless_ && traced->follows_shapes();
    program = entry.program = std::move(traced);
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(std::move(entry));
  }
  return {replay(*program, inputs, infer), std::move(extra)};
}

Function compile(Function fun, bool shapeless) {
  auto compiled = std::make_shared<Compiled>(shapeless);
  return [fun = std::move(fun), compiled](const Arrays& inputs) {
    if (!compile_enabled()) return fun(inputs);
    auto traced = [&](const Arrays& x) { return Compiled::Result{fun(x), nullptr}; };
    return (*compiled)(traced, inputs).outputs;
  };
}

void enable_compile() { enabled() = true; }
void disable_compile() { enabled() = false; }
bool compile_enabled() { return enabled(); }

}  // namespace heddle
