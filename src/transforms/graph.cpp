#include "transforms/graph.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/graph_lock.h"
#include "core/node.h"
#include "ops/pointwise.h"

namespace heddle {
namespace {

// Slots are found in depth-first order; a node's mark holds its slot + 1 during the walk.
class Capture {
 public:
  // Under the graph lock. Of no use if it met something `unfinished`.
  Capture(const Arrays& inputs, const Arrays& outputs, Capturing what, Unfinished& unfinished)
      : default_stream_(to_stream({}).index), what_(what), unfinished_(unfinished) {
    graph_.input_count = static_cast<int>(inputs.size());
    for (const Array& in : inputs) {
      add(in);
      depends_.push_back(true);
    }
    try {
      for (const Array& out : outputs) visit(out);
    } catch (...) {
      unmark();
      throw;
    }
    for (const Array& out : outputs) {
      if (unfinished.empty()) graph_.outputs.push_back(slot(out));
    }
    unmark();
  }

  Graph graph_;
  Arrays values_;

 private:
  void unmark() {
    for (const Array& v : values_) v.node()->mark = 0;
  }

  // Whether what is behind the node makes no difference, so that others may compute it meanwhile:
  // the inputs are tracers, on which it does not depend.
  bool is_apart(const Node* n) const { return what_ == Capturing::dependents && !n->tracer; }

  // Whether there is nothing to walk: it has a slot, or cannot have one yet.
  bool known(const Array& a) {
    Node* n = a.node();
    if (n->mark) return true;
    if (n->available()) return false;
    return (!is_apart(n) || Unfinished::is_own(n)) && unfinished_.has(n);
  }
  static int slot(const Array& a) { return static_cast<int>(a.node()->mark) - 1; }

  int add(const Array& a) {
    values_.push_back(a);
    graph_.avals.push_back({a.shape(), a.dtype()});
    a.node()->mark = static_cast<uint32_t>(values_.size());
    return static_cast<int>(values_.size()) - 1;
  }

  void visit(const Array& root) {
    struct Frame {
      Array array;
      size_t next;
    };
    std::vector<Frame> stack;
    if (!known(root)) stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame& f = stack.back();
      Node* n = f.array.node();
      if (n->mark) {
        stack.pop_back();
        continue;
      }
      if (!is_apart(n) && f.next < n->inputs.size()) {
        const Array& in = n->inputs[f.next++];
        if (!known(in)) stack.push_back({in, 0});
        continue;
      }
      Array done = std::move(f.array);
      stack.pop_back();
      if (unfinished_.empty()) finish(done);
    }
  }

  void finish(const Array& a) {
    Node* n = a.node();
    bool depends = false;
    if (!is_apart(n)) {
      for (const Array& in : n->inputs) depends |= depends_[static_cast<size_t>(slot(in))];
      if (what_ == Capturing::everything) depends = !n->available() && n->op;
    }
    if (!depends) {
      // Nothing of this part of the graph need be known.
      graph_.constants.emplace_back(add(a), a);
      depends_.push_back(false);
      return;
    }
    Graph::Step step;
    step.op = n->op;
    step.stream = n->stream == default_stream_ ? -1 : n->stream;
    for (const Array& in : n->inputs) step.inputs.push_back(slot(in));
    step.first_output = static_cast<int>(values_.size());
    if (n->siblings) {
      step.output_count = static_cast<int>(n->siblings->results.size());
      for (int k = 0; k < step.output_count; k++) add(sibling(n, k));
    } else {
      step.output_count = 1;
      add(a);
    }
    depends_.resize(values_.size(), true);
    graph_.steps.push_back(std::move(step));
  }

  int default_stream_;
  Capturing what_;
  Unfinished& unfinished_;
  std::vector<bool> depends_;
};

}  // namespace

Graph capture(const Arrays& inputs, const Arrays& outputs, Arrays* values, Capturing what) {
  auto [p, slots] = walk_graph([&](Unfinished& unfinished) {
    Capture c(inputs, outputs, what, unfinished);
    return std::pair(std::move(c.graph_), std::move(c.values_));
  });
  if (values) {
    *values = std::move(slots);
    return std::move(p);
  }
  // Constants that nothing depends on were only met on the way to other constants.
  std::vector<bool> used(p.avals.size(), false);
  for (const auto& step : p.steps) {
    for (int i : step.inputs) used[static_cast<size_t>(i)] = true;
  }
  for (int o : p.outputs) used[static_cast<size_t>(o)] = true;
  std::erase_if(p.constants, [&](const auto& k) { return !used[static_cast<size_t>(k.first)]; });
  return std::move(p);
}

namespace {

// The ops that make what is lazy of the constants and no scalar.
std::vector<OpRef> makers_of(const std::vector<std::pair<int, Array>>& constants) {
  return walk_graph([&](Unfinished& unfinished) {
    std::vector<OpRef> ops;
    std::set<const Node*> seen;
    std::vector<Node*> ahead;
    for (const auto& [slot, array] : constants) ahead.push_back(array.node());
    while (!ahead.empty()) {
      Node* n = ahead.back();
      ahead.pop_back();
      if (n->available() || !seen.insert(n).second || unfinished.has(n)) continue;
      if (n->op && !n->shape.empty()) ops.push_back(n->op);
      for (const Array& in : n->inputs) ahead.push_back(in.node());
    }
    return ops;
  });
}

}  // namespace

Stream stream_of(const Graph::Step& step) {
  const Stream here = to_stream({});
  return step.stream < 0 ? here : Stream{step.stream, here.device};
}

bool Graph::follows_shapes() const {
  // What is lazy of a constant means the same at other sizes if it is made of scalars and data by
  // ops that hold no size.
  const std::vector<OpRef> makers = makers_of(constants);
  return std::all_of(makers.begin(), makers.end(),
                     [](const OpRef& op) { return op->follows_shapes(); }) &&
         std::all_of(steps.begin(), steps.end(),
                     [](const Step& step) { return step.op->follows_shapes(); });
}

Arrays replay(const Graph& graph, const Arrays& inputs, bool infer, Arrays* values) {
  Arrays slots(static_cast<size_t>(graph.slot_count()));
  for (size_t i = 0; i < inputs.size(); i++) slots[i] = inputs[i];
  for (const auto& [slot, array] : graph.constants) slots[static_cast<size_t>(slot)] = array;
  Stream here = to_stream({});
  for (const auto& step : graph.steps) {
    Arrays in;
    in.reserve(step.inputs.size());
    for (int i : step.inputs) in.push_back(slots[static_cast<size_t>(i)]);
    Stream stream = step.stream < 0 ? here : Stream{step.stream, here.device};
    size_t at = static_cast<size_t>(step.first_output);
    if (step.output_count == 1) {
      slots[at] = infer ? apply(step.op, std::move(in), stream)
                        : apply(step.op, std::move(in), graph.avals[at], stream);
    } else {
      Arrays out =
          infer ? apply_multi(step.op, std::move(in), stream)
                : apply_multi(step.op, std::move(in),
                              Avals(graph.avals.begin() + step.first_output,
                                    graph.avals.begin() + step.first_output + step.output_count),
                              stream);
      for (size_t k = 0; k < out.size(); k++) slots[at + k] = std::move(out[k]);
    }
  }
  Arrays outputs;
  outputs.reserve(graph.outputs.size());
  for (int o : graph.outputs) outputs.push_back(slots[static_cast<size_t>(o)]);
  if (values) *values = std::move(slots);
  return outputs;
}

namespace {

// Scalars with the same bits become one slot, so that steps which differ in nothing else are equal.
void merge_scalars(const Graph& graph, std::vector<int>& same) {
  std::map<std::pair<Dtype, std::string>, int> seen;
  for (const auto& [slot, array] : graph.constants) {
    if (array.ndim() != 0 || !array.is_available() || array.node()->tracer) continue;
    std::string bits(static_cast<const char*>(array.raw_data()), array.itemsize());
    same[static_cast<size_t>(slot)] =
        seen.emplace(std::pair(array.dtype(), std::move(bits)), slot).first->second;
  }
}

}  // namespace

void simplify(Graph& graph, const std::function<bool(const Op&)>& apart) {
  std::vector<int> same(graph.avals.size());  // the slot that stands for each slot
  for (size_t i = 0; i < same.size(); i++) same[i] = static_cast<int>(i);
  merge_scalars(graph, same);
  std::multimap<size_t, size_t> seen;  // hash of op and inputs -> step kept
  std::vector<Graph::Step> kept;
  for (auto& step : graph.steps) {
    for (int& i : step.inputs) i = same[static_cast<size_t>(i)];
    size_t hash = step.op->hash() * 31 + static_cast<size_t>(step.op->info().id);
    for (int i : step.inputs) hash = hash * 1000003 + static_cast<size_t>(i);
    bool merged = false;
    if (step.op->is_pure() && !(apart && apart(*step.op))) {
      auto [first, last] = seen.equal_range(hash);
      for (auto it = first; it != last && !merged; ++it) {
        const auto& other = kept[it->second];
        if (other.inputs == step.inputs && other.stream == step.stream &&
            other.output_count == step.output_count && other.op->equals(*step.op)) {
          for (int k = 0; k < step.output_count; k++) {
            same[static_cast<size_t>(step.first_output + k)] = other.first_output + k;
          }
          merged = true;
        }
      }
    }
    if (!merged) {
      if (!(apart && apart(*step.op))) seen.emplace(hash, kept.size());
      kept.push_back(std::move(step));
    }
  }
  for (int& o : graph.outputs) o = same[static_cast<size_t>(o)];

  std::vector<bool> used(graph.avals.size(), false);
  for (int o : graph.outputs) used[static_cast<size_t>(o)] = true;
  std::vector<Graph::Step> alive;
  for (size_t k = kept.size(); k-- > 0;) {
    auto& step = kept[k];
    bool wanted = false;
    for (int i = 0; i < step.output_count; i++) {
      wanted |= used[static_cast<size_t>(step.first_output + i)];
    }
    if (!wanted) continue;
    for (int i : step.inputs) used[static_cast<size_t>(i)] = true;
    alive.push_back(std::move(step));
  }
  graph.steps.assign(std::make_move_iterator(alive.rbegin()),
                     std::make_move_iterator(alive.rend()));
  std::erase_if(graph.constants,
                [&](const auto& k) { return !used[static_cast<size_t>(k.first)]; });
}

Array placeholder(const Shape& shape, Dtype dtype) {
  auto* node = new Node(shape, dtype);
  node->tracer = true;
  node->placeholder = true;
  return Array::adopt(node);
}

void give_value(const Array& placeholder, const Array& value) {
  const Array stands = identity(value);
  Node* node = placeholder.node();
  node->op = stands.node()->op;
  node->inputs = stands.node()->inputs;
  node->pointwise = stands.node()->pointwise;
  node->stream = stands.node()->stream;
  node->placeholder = false;
}

}  // namespace heddle
