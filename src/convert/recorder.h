// Turns a captured graph into calls of a dialect: constants, and a call or several for each
// operation. What the dialect has no call for is composed of what it has, or refused by name.
#pragma once

#include <map>
#include <unordered_map>

#include "convert/calls.h"
#include "convert/following_sizes.h"
#include "transforms/graph.h"

namespace heddle::convert {

class Recorder {
 public:
  // With `report`, what cannot be recorded is told there, all of it, instead of thrown.
  Recorder(const Dialect& dialect, bool shapeless, Report* report = nullptr)
      : dialect_(dialect), shapeless_(shapeless), report_(report) {}

  // Where results come from, by their nodes, which are held. What is computed on the way to a
  // result comes from there, too.
  using Origins = std::unordered_map<const Node*, std::pair<Array, Origin>>;
  void set_origins(Origins origins) { origins_ = std::move(origins); }

  // The function of `inputs`, the last of which are named by `keywords`, that gives `outputs`;
  // `sizes` says which of its numbers follow sizes. Throws std::invalid_argument for what cannot be
  // recorded.
  Calls record(const Arrays& inputs, std::vector<std::string> keywords, const Arrays& outputs,
               const FollowedSizes& sizes = {});

  // For rows that write.
  bool shapeless() const { return shapeless_; }
  const Aval& aval(int slot) const { return f_.slots[static_cast<size_t>(slot)]; }
  std::vector<int> emit(std::string name, Attributes attributes, std::vector<int> in,
                        const Avals& out);
  // `slot` brought to a shape or dtype, as it is if it has it. In a shapeless function the shape is
  // that of `slot` and of all of `others` together.
  int broadcast(int slot, const Shape& shape, const std::vector<int>& others = {});
  int cast(int slot, Dtype dtype);
  int constant(const Array& array);
  // Operations in place of one: records the graph of f on arrays that stand for the slots.
  std::vector<int> compose(const std::vector<int>& in,
                           const std::function<Arrays(const Arrays&)>& f);

 private:
  // `origins` of the graph's slots; empty: not known.
  std::vector<int> record_graph(const Graph& graph, const std::vector<int>& in,
                                const std::vector<Origin>& origins = {});
  std::vector<Origin> origins_of(const Graph& graph, const Arrays& values) const;
  std::vector<int> record_step(const Op& op, const std::vector<int>& in, const Avals& out);
  std::vector<int> call_of(const Op& op, const std::vector<int>& in, const Avals& out);
  const FollowingOp* following(const Op& op) const;

  const Dialect& dialect_;
  bool shapeless_;
  Report* report_;
  int depth_ = 0;  // of compositions
  Calls f_;
  const FollowedSizes* sizes_ = nullptr;
  Origins origins_;
  Origin origin_;  // of the step that is recorded
  std::unordered_map<const Node*, std::pair<Array, int>>
      constants_;                                         // held: addresses are the keys
  std::map<std::pair<Dtype, std::string>, int> scalars_;  // by their bytes
};

}  // namespace heddle::convert
