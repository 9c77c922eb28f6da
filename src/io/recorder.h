// Turns a captured program into a function of a file: constants, and a primitive or several for
// each operation. What the format cannot hold is composed of what it can.
#pragma once

#include <map>
#include <unordered_map>

#include "io/traced_function.h"
#include "transforms/graph.h"

namespace heddle::io {

enum class Dialect : uint8_t { mlx, heddle };

class Recorder {
 public:
  Recorder(Dialect dialect, bool shapeless) : dialect_(dialect), shapeless_(shapeless) {}

  // The function of `inputs`, the last of which are named by `keywords`, that gives `outputs`.
  // Throws std::invalid_argument for what cannot be recorded.
  TracedFunction record(const Arrays& inputs, std::vector<std::string> keywords,
                        const Arrays& outputs);

  // For writers of rows.
  bool for_mlx() const { return dialect_ == Dialect::mlx; }
  bool shapeless() const { return shapeless_; }
  const Aval& aval(int slot) const { return f_.slots[static_cast<size_t>(slot)]; }
  std::vector<int> emit(const char* primitive, std::vector<ExportValue> state, std::vector<int> in,
                        const Avals& out);
  std::vector<int> emit(OpRef op, std::vector<int> in, const Avals& out);
  int emit_one(const char* primitive, std::vector<ExportValue> state, std::vector<int> in,
               Aval out) {
    return emit(primitive, std::move(state), std::move(in), {std::move(out)})[0];
  }
  // `slot` brought to a shape or dtype, as it is if it has it. In a shapeless function the shape is
  // that of `slot` and of all of `others` together.
  int broadcast(int slot, const Shape& shape, const std::vector<int>& others = {});
  int cast(int slot, Dtype dtype);
  int constant(const Array& array);
  // Operations in place of one: records the graph of f on arrays that stand for the slots.
  std::vector<int> compose(const std::vector<int>& in,
                           const std::function<Arrays(const Arrays&)>& f);

 private:
  std::vector<int> add(Record record, const Avals& out);
  std::vector<int> record_graph(const Graph& graph, const std::vector<int>& in);
  std::vector<int> record_step(const Op& op, const std::vector<int>& in, const Avals& out);

  Dialect dialect_;
  bool shapeless_;
  TracedFunction f_;
  std::unordered_map<const Node*, std::pair<Array, int>>
      constants_;                                         // held: addresses are the keys
  std::map<std::pair<Dtype, std::string>, int> scalars_;  // by their bytes
};

}  // namespace heddle::io
