#include "transforms/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_set>

#include "ops/shape.h"
#include "transforms/look_back.h"

namespace heddle {
namespace {

double first_element(const Array& known) {
  return visit_dtype(known.dtype(), [&](auto tag) -> double {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, complex64_t>) {
      return 0;  // never asked
    } else {
      return static_cast<double>(*static_cast<const T*>(known.raw_data()));
    }
  });
}

// Whether all elements of what is known are one element of its memory.
bool is_one_element(const Array& known) {
  if (known.size() == 0) return false;
  for (int i = 0; i < known.ndim(); i++) {
    if (known.shape(i) > 1 && known.strides(i) != 0) return false;
  }
  return true;
}

// Whether the op repeats or passes on the elements of its only operand.
bool repeats(const Op* op) {
  return as<Broadcast>(op) || as<Reshape>(op) || as<Flatten>(op) || as<Unflatten>(op) ||
         as<Squeeze>(op) || as<ExpandDims>(op) || as<Transpose>(op) || as<Copy>(op) ||
         as<StopGradient>(op);
}

}  // namespace

std::optional<Array> Site::constant(const Array& a) const {
  auto found = constants_.find(a.node());
  if (found != constants_.end()) return found->second;
  if (a.node()->available()) return a;
  return std::nullopt;
}

std::optional<double> Site::number(const Array& a) const {
  if (is_complex(a.dtype())) return std::nullopt;
  if (std::optional<Array> known = constant(a)) {
    if (known->node()->tracer || (known->size() != 1 && !known->is_available())) return {};
    known->eval();
    return is_one_element(*known) ? std::optional(first_element(*known)) : std::nullopt;
  }
  const Op* op = maker(a);
  if (repeats(op)) return number(operand(a));
  if (as<AsType>(op)) {
    if (std::optional<double> value = number(operand(a))) {
      return first_element(Array(*value, a.dtype()));
    }
  }
  return std::nullopt;
}

bool Site::known(const Array& a) const {
  if (constant(a)) return true;
  const Op* op = maker(a);
  if (!op || !op->is_pure()) return false;
  if (auto found = known_.find(a.node()); found != known_.end()) return found->second;
  const Arrays& in = operands(a);
  const bool all = std::all_of(in.begin(), in.end(), [&](const Array& x) { return known(x); });
  return known_[a.node()] = all;
}

int Site::uses(const Array& a) const {
  auto found = uses_.find(a.node());
  return found == uses_.end() ? 0 : found->second;
}

// One walk over a graph.
class Pass {
 public:
  Pass(const Graph& graph, const Rules& rules)
      : graph_(graph), rules_(rules), slots_(graph.avals.size()) {
    for (int i = 0; i < graph.input_count; i++) set(i, leaf(i));
    for (const auto& [slot, value] : graph.constants) {
      set(slot, leaf(slot));
      site_.constants_.emplace(at(slot).node(), value);
    }
    count_uses();
    here_ = to_stream({});
    for (const Graph::Step& step : graph.steps) run(step);
  }

  bool changed() const { return changed_; }

  Graph result() const {
    Arrays outputs;
    for (int o : graph_.outputs) outputs.push_back(slots_[static_cast<size_t>(o)]);
    Graph result = capture(leaves_, outputs, nullptr, Capturing::everything);
    result.input_count = graph_.input_count;
    for (size_t i = 0; i < graph_.constants.size(); i++) {
      const int slot = graph_.input_count + static_cast<int>(i);
      result.constants.emplace_back(slot, graph_.constants[i].second);
    }
    return result;
  }

 private:
  Array& at(int slot) { return slots_[static_cast<size_t>(slot)]; }

  Array leaf(int slot) {
    const Aval& aval = graph_.avals[static_cast<size_t>(slot)];
    leaves_.push_back(placeholder(aval.shape, aval.dtype));
    return leaves_.back();
  }

  void count_uses() {
    slot_uses_.resize(slots_.size());
    for (const Graph::Step& step : graph_.steps) {
      for (int i : step.inputs) slot_uses_[static_cast<size_t>(i)]++;
    }
    for (int o : graph_.outputs) slot_uses_[static_cast<size_t>(o)]++;
    for (size_t i = 0; i < slots_.size(); i++) {
      if (slots_[i]) site_.uses_[slots_[i].node()] += slot_uses_[i];
    }
  }

  // From now on the array is what the slot's users see.
  void set(int slot, const Array& a) {
    at(slot) = a;
    built_.insert(a.node());
    if (!slot_uses_.empty()) site_.uses_[a.node()] += slot_uses_[static_cast<size_t>(slot)];
  }

  void run(const Graph::Step& step) {
    Arrays in;
    for (int i : step.inputs) in.push_back(at(i));
    site_.stream = step.stream < 0 ? here_ : Stream{step.stream, here_.device};
    auto first = graph_.avals.begin() + step.first_output;
    if (step.output_count != 1) {
      Arrays out = apply_multi(step.op, in, Avals(first, first + step.output_count), site_.stream);
      for (int k = 0; k < step.output_count; k++) {
        set(step.first_output + k, out[static_cast<size_t>(k)]);
      }
      return;
    }
    const Array made = apply(step.op, in, *first, site_.stream);
    kept_.push_back(made);  // no later node takes its address
    site_.known(made);      // so that no later question goes deep
    set(step.first_output, rewritten(made));
  }

  Array rewritten(const Array& made) {
    for (Rule rule : rules_) {
      const Array answer = rule(site_, made);
      if (!answer || answer.same_as(made)) continue;
      if (answer.shape() != made.shape() || answer.dtype() != made.dtype()) {
        throw std::logic_error(
            fmt::format("[rewrite] A rule answered {} of shape {} with {} of shape {} for {}.",
                        name_of(made.dtype()), to_string(made.shape()), name_of(answer.dtype()),
                        to_string(answer.shape()), maker(made)->title()));
      }
      count_new(answer);
      changed_ = true;
      return answer;
    }
    return made;
  }

  // The uses of operands by what a rule has built.
  void count_new(const Array& root) {
    Arrays ahead{root};
    while (!ahead.empty()) {
      const Array a = ahead.back();
      ahead.pop_back();
      if (!built_.insert(a.node()).second) continue;
      kept_.push_back(a);
      for (const Array& in : operands(a)) {
        site_.uses_[in.node()]++;
        ahead.push_back(in);
      }
    }
  }

  const Graph& graph_;
  const Rules& rules_;
  Site site_;
  Stream here_;
  Arrays slots_;
  Arrays leaves_;  // the inputs, and then the constants in their order
  Arrays kept_;
  std::vector<int> slot_uses_;
  std::unordered_set<const Node*> built_;  // nodes whose operands have been counted
  bool changed_ = false;
};

Graph rewrite(Graph graph, const Rules& rules) {
  // Each pass brings what was rewritten closer to what it is to meet; cascades are short.
  constexpr int most_passes = 16;
  simplify(graph);
  for (int i = 0; i < most_passes; i++) {
    const Pass pass(graph, rules);
    if (!pass.changed()) break;
    graph = pass.result();
    simplify(graph);
  }
  return graph;
}

}  // namespace heddle
