// Rewriting: a pass builds a graph again on placeholders, step by step, and shows each result to
// its rules. A rule looks back along the graph that has been built so far, whose earlier parts are
// rewritten already, and answers with an array that takes the result's place, or with none.
//
// A rewritten graph serves the sizes that it was captured with: rules may look at any size.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "transforms/graph.h"

namespace heddle {

// Where a rule is asked, and what it may ask of the graph behind it.
class Site {
 public:
  // The stream of the step, for what the rule builds.
  Stream stream;

  // The value of a constant of the graph, or of a scalar that a rule has made. A placeholder
  // stands for it in the graph, so that nothing is evaluated or taken apart by looking at it.
  std::optional<Array> constant(const Array& a) const;
  // Whether `a` depends on no input of the graph and on nothing random.
  bool known(const Array& a) const;
  // The one number that all elements of a constant are, rounded as conversions on the way to `a`
  // have it. None for what depends on an input, differs between elements, or is complex.
  std::optional<double> number(const Array& a) const;
  // How often the graph uses `a`, as an operand or as a result of its own. It may count uses that
  // earlier rules of the same pass have made superfluous, but never too few.
  int uses(const Array& a) const;

 private:
  friend class Pass;
  std::unordered_map<const Node*, Array> constants_;
  std::unordered_map<const Node*, int> uses_;
  mutable std::unordered_map<const Node*, bool> known_;  // as far as it was asked for
};

// What takes the place of `result`, in its shape and dtype; no array for no change. A rule that
// answers with another shape or dtype is an error of the engine's (std::logic_error).
using Rule = Array (*)(const Site& site, const Array& result);
using Rules = std::vector<Rule>;

// The graph as the rules want it: passes are repeated until no rule has an answer (or too many
// went by), then equal steps are merged and what has no effect is dropped. Inputs and outputs stay
// as they are, and what the rules answered decides how close results are. Rules are asked in order,
// for steps with one result.
Graph rewrite(Graph graph, const Rules& rules);

// Moves alone, so that all results keep their bits: transposes go towards the results, meet others
// and cancel; reshapes of reshapes are one; what changes nothing (reshapes to the same shape,
// conversions to the same dtype and back, broadcasts that operands do by themselves, factors 1) is
// dropped. Constants on the way are moved instead: see fold_constants.
Rules layout_rules();

// What is written out in parts, as one fast operation: softmax, attention, layer norm and RMS norm,
// products with a bias. Each in the forms that frameworks write, and only where no part is used
// by anything else. The parts' rounding is gone, so that results differ by what the parts lost: a
// few units in the last place of float32 terms, and of halves what each part was rounded to. Where
// parts overflow, or a mask hides infinite values, the operation gives what is meant.
Rules fusion_rules();

// Operations that heddle's own decompositions have taken apart (norms, attention), whole again. To
// be asked before the other rules, which change what they look for.
Rules decomposed_rules();

// Computes what depends on no input, as constants. What would make the graph's constants grow by
// more than `most_growth` bytes stays a step, the largest first; so does what is random or not the
// engine's own, and what only repeats a constant. Bits stay.
Graph fold_constants(Graph graph, size_t most_growth = size_t{64} << 20);

}  // namespace heddle
