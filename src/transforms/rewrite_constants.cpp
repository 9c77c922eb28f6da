// What depends on no input is computed once.
#include <algorithm>

#include "core/node.h"
#include "eval/eval.h"
#include "ops/shape.h"
#include "transforms/look_back.h"
#include "transforms/rewrite.h"

namespace heddle {
namespace {

class Folding {
 public:
  Folding(const Graph& graph, size_t most_growth)
      : graph_(graph), kept_(graph.steps.size(), false) {
    for (;;) {
      find_known();
      find_results();
      if (keep_broadcasts()) continue;
      if (growth() <= static_cast<int64_t>(most_growth)) break;
      keep_largest();
    }
  }

  bool changes() const { return !results_.empty(); }

  Graph folded() const {
    Graph out = graph_;
    const Arrays values = compute();
    for (size_t i = 0; i < results_.size(); i++) out.constants.emplace_back(results_[i], values[i]);
    out.steps.clear();
    for (size_t i = 0; i < graph_.steps.size(); i++) {
      if (!folds(i)) out.steps.push_back(graph_.steps[i]);
    }
    const std::vector<bool> used = used_slots();
    std::erase_if(out.constants,
                  [&](const auto& c) { return !used[static_cast<size_t>(c.first)]; });
    return out;
  }

 private:
  bool known(int slot) const { return known_[static_cast<size_t>(slot)]; }
  bool folds(size_t step) const { return known(graph_.steps[step].first_output); }

  void find_known() {
    known_.assign(graph_.avals.size(), false);
    for (const auto& c : graph_.constants) {
      known_[static_cast<size_t>(c.first)] = !c.second.node()->tracer;  // what others transform
    }
    for (size_t i = 0; i < graph_.steps.size(); i++) {
      const Graph::Step& step = graph_.steps[i];
      const bool folds = !kept_[i] && step.op->is_pure() && !step.op->runs_own_code() &&
                         std::all_of(step.inputs.begin(), step.inputs.end(),
                                     [&](int input) { return known(input); });
      for (int k = 0; k < step.output_count; k++) {
        known_[static_cast<size_t>(step.first_output + k)] = folds;
      }
    }
  }

  // Slots that steps which stay, or the graph's results, need.
  std::vector<bool> used_slots() const {
    std::vector<bool> used(graph_.avals.size(), false);
    for (size_t i = 0; i < graph_.steps.size(); i++) {
      if (folds(i)) continue;
      for (int input : graph_.steps[i].inputs) used[static_cast<size_t>(input)] = true;
    }
    for (int o : graph_.outputs) used[static_cast<size_t>(o)] = true;
    return used;
  }

  void find_results() {
    results_.clear();
    const std::vector<bool> used = used_slots();
    for (size_t i = 0; i < graph_.steps.size(); i++) {
      const Graph::Step& step = graph_.steps[i];
      for (int slot = step.first_output; folds(i) && slot < step.first_output + step.output_count;
           slot++) {
        if (used[static_cast<size_t>(slot)]) results_.push_back(slot);
      }
    }
  }

  int64_t bytes(int slot) const {
    const Aval& aval = graph_.avals[static_cast<size_t>(slot)];
    return element_count(aval.shape) * static_cast<int64_t>(size_of(aval.dtype));
  }

  // By which the constants become larger.
  int64_t growth() const {
    int64_t sum = 0;
    for (int slot : results_) sum += bytes(slot);
    const std::vector<bool> used = used_slots();
    for (const auto& c : graph_.constants) {
      if (!used[static_cast<size_t>(c.first)]) sum -= bytes(c.first);
    }
    return sum;
  }

  // The step that makes a slot.
  size_t step_of(int slot) const {
    auto after =
        std::upper_bound(graph_.steps.begin(), graph_.steps.end(), slot,
                         [](int s, const Graph::Step& step) { return s < step.first_output; });
    return static_cast<size_t>(after - graph_.steps.begin()) - 1;
  }

  // A broadcast computes nothing, and says what its elements have in common.
  bool keep_broadcasts() {
    bool any = false;
    for (int slot : results_) {
      const size_t step = step_of(slot);
      if (as<Broadcast>(graph_.steps[step].op.get())) kept_[step] = any = true;
    }
    return any;
  }

  void keep_largest() {
    const int largest = *std::max_element(results_.begin(), results_.end(),
                                          [&](int a, int b) { return bytes(a) < bytes(b); });
    kept_[step_of(largest)] = true;
  }

  Arrays compute() const {
    Graph part;
    part.avals = graph_.avals;
    part.constants = graph_.constants;
    part.outputs = results_;
    for (size_t i = 0; i < graph_.steps.size(); i++) {
      if (folds(i)) part.steps.push_back(graph_.steps[i]);
    }
    Arrays values = replay(part, {}, false);
    eval_own(values);
    return values;
  }

  const Graph& graph_;
  std::vector<bool> kept_;   // per step: stays, for its result is too large
  std::vector<bool> known_;  // per slot
  std::vector<int> results_;
};

}  // namespace

Graph fold_constants(Graph graph, size_t most_growth) {
  simplify(graph);
  const Folding folding(graph, most_growth);
  return folding.changes() ? folding.folded() : graph;
}

}  // namespace heddle
