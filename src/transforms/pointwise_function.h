// A function made of pointwise ops, as one op with several results: what is applied to many arrays
// (an optimizer to the parameters of a model) is captured once, and each application makes a node
// for each result instead of one for every op. Transformations and files see its ops.
#pragma once

#include "core/pointwise_code.h"
#include "transforms/graph.h"

namespace heddle {

class PointwiseFunction final : public Op {
 public:
  // The graph from `inputs`, placeholders of one shape, to `outputs`, as an op whose inputs are
  // arrays of any one shape in place of those inputs that it reads, and then `shared`: the scalars
  // that it reads and that are not known yet. No op if the graph has other ops than pointwise ones,
  // arrays of other shapes, or more of them than run together.
  struct Captured {
    OpRef op;
    std::vector<bool> reads;  // per input
    Arrays shared;
  };
  static Captured capture(const Arrays& inputs, const Arrays& outputs);

  // Null if `op` is another op.
  static const PointwiseFunction* of(const Op& op);
  // Its inputs are those of the op and then constants.
  const PointwiseCode& code() const { return code_; }
  // The output of the op that is result k of the code.
  int output(size_t k) const { return outputs_[k]; }

  const OpInfo& info() const override { return type(); }
  void check(const Arrays& inputs) const override;
  Avals infer(const Arrays& inputs) const override;
  std::optional<Arrays> decompose(const Arrays& inputs, const Stream& stream) const override;
  bool decomposes() const override { return true; }
  bool follows_shapes() const override { return true; }
  bool equals(const Op& other) const override;
  size_t hash() const override;

 private:
  PointwiseFunction(Graph graph, Arrays slots, int varying);
  static const OpInfo& type();

  Graph graph_;
  Arrays slots_;  // of the captured graph, which `code_` points into
  PointwiseCode code_;
  std::vector<int> outputs_;
  int varying_;  // inputs before the shared ones
};

}  // namespace heddle
