#include "eval/plan.h"

#include <stdexcept>

#include "ops/checks.h"

namespace heddle {
namespace {

constexpr int none = Plan::none;
constexpr int conflict = -2;

// The backend of the node's stream, if the calling thread may evaluate it.
Backend* check(const Node* n) {
  if (!n->op) {
    refuse("eval",
           "Attempting to eval an array during function transformations like compile or vmap is "
           "not allowed.");
  }
  return &backend_of(n->stream);
}

void read(Plan::Entry& source, int reader, int at) {
  if (source.consumer == reader && reader >= 0) {
    source.reads++;
    return;
  }
  source.shared |= source.consumer != none;
  // An op that reads it in its prologue and besides wants it in memory when it starts.
  if (source.consumer == none || at < source.read_at || (at == source.read_at && reader < 0)) {
    source.consumer = reader;
    source.read_at = at;
    source.reads = 1;
  }
}

}  // namespace

void Plan::make(const Arrays& wanted, Claim& claim, Unfinished& unfinished) {
  claim_ = claim.take_number();
  try {
    order(wanted, unfinished);
    if (unfinished.empty()) group();
  } catch (...) {
    unmark();
    throw;
  }
  unmark();
}

// Depth-first: inputs before consumers. Marks hold positions + 1.
void Plan::order(const Arrays& wanted, Unfinished& unfinished) {
  for (const Array& a : wanted) {
    if (a && !a.node()->available()) visit(a.node(), unfinished);
  }
  for (const Array& a : wanted) {
    if (a && a.node()->mark) entries[a.node()->mark - 1].wanted = true;
  }
}

void Plan::visit(Node* root, Unfinished& unfinished) {
  if (root->mark || unfinished.has(root)) return;
  struct Frame {
    Node* node;
    size_t next;
    Backend* backend;
  };
  std::vector<Frame> stack;
  stack.push_back({root, 0, check(root)});
  while (!stack.empty()) {
    Frame& f = stack.back();
    if (f.next < f.node->inputs.size()) {
      Node* in = f.node->inputs[f.next++].node();
      if (in->available() || in->mark || unfinished.has(in)) continue;
      stack.push_back({in, 0, check(in)});
      continue;
    }
    const Frame done = f;
    stack.pop_back();
    if (!done.node->mark) append(done.node, done.backend);
  }
}

void Plan::append(Node* n, Backend* backend) {
  entries.push_back({n, backend, static_cast<int>(edges.size())});
  const uint32_t mark = static_cast<uint32_t>(entries.size());
  n->mark = mark;
  n->claim = claim_;
  // Each sibling holds the inputs, so each counts as a user of them.
  int holders = 1;
  if (n->siblings) {
    holders = 0;
    entries.back().results = static_cast<int>(results.size());
    results.push_back(living_siblings(n));
    for (const Array& s : results.back()) {
      if (!s) continue;
      s.node()->mark = mark;
      s.node()->claim = claim_;
      holders += !s.node()->inputs.empty();
    }
  }
  for (const Array& in : n->inputs) {
    const int from = static_cast<int>(in.node()->mark) - 1;
    edges.push_back(from);
    if (from != none) entries[static_cast<size_t>(from)].uses += holders;
  }
}

// Backwards over the order: a pointwise node joins the group that reads it before anything else
// does, if that has its shape and its backend. No cycle can arise: a group runs in the place of its
// last node, and what else reads the node runs later.
void Plan::group() {
  for (int i = static_cast<int>(entries.size()) - 1; i >= 0; i--) {
    Entry& e = entries[static_cast<size_t>(i)];
    const Node* n = e.node;
    const size_t inputs = n->inputs.size();
    if (n->pointwise) {
      join(i);
    } else if (inputs > 0 && source(e, 0) != none) {
      const Entry& first = entries[static_cast<size_t>(source(e, 0))];
      if (first.node->pointwise && first.backend == e.backend &&
          e.backend->takes_prologue(*n->op)) {
        start(i, first.node->shape, true);
      }
    }
    for (size_t k = 0; k < inputs; k++) {
      const int from = source(e, k);
      if (from == none) continue;
      int reader = n->pointwise || k == 0 ? e.group : conflict;
      if (reader == none) reader = conflict;
      read(entries[static_cast<size_t>(from)], reader,
           reader < 0 ? i : groups[static_cast<size_t>(reader)].head);
    }
  }
}

void Plan::join(int i) {
  Entry& e = entries[static_cast<size_t>(i)];
  if (e.consumer >= 0) {
    Group& g = groups[static_cast<size_t>(e.consumer)];
    const int outside = g.edges - e.reads + static_cast<int>(e.node->inputs.size());
    if (g.nodes < PointwiseCode::max_nodes && outside <= PointwiseCode::max_inputs &&
        *g.shape == e.node->shape && entries[static_cast<size_t>(g.head)].backend == e.backend &&
        !(g.prologue && kept(e))) {
      e.group = e.consumer;
      g.nodes++;
      g.edges = outside;
      return;
    }
  }
  start(i, e.node->shape, false);
}

void Plan::start(int i, const Shape& shape, bool prologue) {
  Entry& e = entries[static_cast<size_t>(i)];
  e.group = static_cast<int>(groups.size());
  const int outside = prologue ? 1 : static_cast<int>(e.node->inputs.size());
  groups.push_back({i, prologue ? 0 : 1, outside, prologue, &shape});
}

void Plan::unmark() {
  for (const Entry& e : entries) e.node->mark = 0;
  for (const Arrays& siblings : results) {
    for (const Array& s : siblings) {
      if (s) s.node()->mark = 0;
    }
  }
}

}  // namespace heddle
