// Compiled functions for callers that key more than shapes, as Python does its constants.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "heddle/transforms.h"
#include "transforms/graph.h"

namespace heddle {

class Compiled {
 public:
  // What a run gives; `extra` is whatever the trace put beside its outputs (Python: their tree).
  struct Result {
    Arrays outputs;
    std::shared_ptr<const void> extra;
  };
  using Trace = std::function<Result(const Arrays&)>;

  // Whether arrays of a trace may outlive it. C++ knows at once; Python's collector may be late.
  enum class Leaks : uint8_t { allowed, refused };

  explicit Compiled(bool shapeless, Leaks leaks = Leaks::allowed)
      : shapeless_(shapeless), leaks_(leaks) {}

  // Runs the graph for these inputs, tracing `fun` if none fits. A shapeless graph serves other
  // sizes if it follows shapes (see Graph); else each size has a trace, so none is ever wrong.
  // Its trace takes sizes from arrays; where that would change products of matrices, `fun` runs
  // again without. `constants` are part of the key: equal ones stand for equal values of everything
  // else that `fun` sees.
  Result operator()(const Trace& fun, const Arrays& inputs,
                    const std::vector<uint64_t>& constants = {});

  // What is kept: so many traces, or fewer where the arrays that were made while tracing take more
  // memory than this, but never fewer than the last few. Of the others, the least recently used go.
  static constexpr size_t most_traces = 256;
  static constexpr size_t fewest_traces = 16;
  static constexpr size_t most_bytes = size_t{128} << 20;

 private:
  struct Entry {
    std::vector<uint64_t> constants;
    Avals inputs;
    bool any_size;   // serves inputs of as many dimensions, whatever their sizes (but 0 and 1)
    bool following;  // takes sizes from arrays where it can (see ops/following.h)
    bool reads_size;
    bool sizeless;  // holds no size, not even in an array that was made while tracing
    Graph graph;
    size_t bytes;  // of constants that belong to this trace alone
    std::shared_ptr<const void> extra;
    size_t hash;
  };
  using Entries = std::list<std::shared_ptr<const Entry>>;  // most recently used first

  std::shared_ptr<const Entry> find(const Arrays& inputs, const std::vector<uint64_t>& constants,
                                    bool following);
  std::shared_ptr<const Entry> trace(const Trace& fun, const Arrays& inputs,
                                     const std::vector<uint64_t>& constants, bool shapeless);
  void keep(std::shared_ptr<const Entry> entry);

  bool shapeless_;
  Leaks leaks_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_multimap<size_t, Entries::iterator> by_hash_;
  size_t bytes_ = 0;
};

}  // namespace heddle
