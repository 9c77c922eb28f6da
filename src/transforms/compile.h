// Compiled functions for callers that key more than shapes, as Python does its constants.
#pragma once

#include <memory>
#include <mutex>

#include "heddle/transforms.h"
#include "transforms/program.h"

namespace heddle {

class Compiled {
 public:
  // What a run gives; `extra` is whatever the trace put beside its outputs (Python: their tree).
  struct Result {
    Arrays outputs;
    std::shared_ptr<const void> extra;
  };

  explicit Compiled(bool shapeless) : shapeless_(shapeless) {}

  // Runs the program for these inputs, tracing `fun` if none fits. A shapeless program serves other
  // sizes if it follows shapes (see Program); else each size has a trace, so none is ever wrong.
  // `constants` are part of the key: equal ones stand for equal values of everything else that
  // `fun` sees.
  Result operator()(const std::function<Result(const Arrays&)>& fun, const Arrays& inputs,
                    const std::vector<uint64_t>& constants = {});

 private:
  struct Entry {
    std::vector<uint64_t> constants;
    Avals inputs;
    bool any_size;  // serves inputs of as many dimensions, whatever their sizes (but one)
    std::shared_ptr<const Program> program;
    std::shared_ptr<const void> extra;
  };
  bool matches(const Entry& e, const Arrays& inputs, const std::vector<uint64_t>& constants) const;

  bool shapeless_;
  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace heddle
