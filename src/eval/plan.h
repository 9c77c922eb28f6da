// What an evaluation computes, in which order, and which nodes together.
#pragma once

#include <vector>

#include "core/graph_lock.h"
#include "core/node.h"
#include "eval/backend.h"

namespace heddle {

// Made under the graph lock, of nodes that are claimed with it; read outside. It holds no nodes but
// the results of ops with several: the caller of eval holds the roots.
class Plan {
 public:
  static constexpr int none = -1;

  // One op of the order: a node, or several siblings of which `node` is the first alive.
  struct Entry {
    Node* node;
    Backend* backend;
    int first_edge;               // among `edges`, one for each input
    int uses = 0;                 // edges from nodes of this evaluation
    int group = none;             // pointwise nodes, and heads that take a prologue
    int consumer = none;          // the group that reads it first, or conflict if a single op does
    int read_at = 0;              // when that runs
    int reads = 0;                // edges from there
    bool shared = false;          // others read it later
    bool wanted = false;          // by the caller of eval
    bool waits = false;           // in a group that waits to be run (see run.cpp)
    int results = none;           // of an op with several: those alive, among `results`
    int piece = none, place = 0;  // where it stands in the code of a piece (see run.cpp)
  };
  struct Group {
    int head;  // position in the order of its last node
    int nodes = 0;
    int edges = 0;          // to nodes outside; at least as many as it has inputs
    bool prologue = false;  // head is not pointwise: it computes the others on the fly
    const Shape* shape;
  };

  // Under the lock; the plan is to be cleared outside it. Throws for what cannot be evaluated here.
  // If others compute what is needed, that is in `unfinished`, and the plan is of no use.
  void make(const Arrays& wanted, Claim& claim, Unfinished& unfinished);

  // For the next one: lets go of everything but room. Outside the lock.
  void clear() {
    entries.clear();
    edges.clear();
    results.clear();
    groups.clear();
  }

  // Whether somebody besides this evaluation's nodes may ask for the value.
  bool kept(const Entry& e) const {
    return e.wanted || e.shared || e.node->references.load(std::memory_order_acquire) > e.uses;
  }
  // The entry that input k is, or none for what is available.
  int source(const Entry& e, size_t k) const {
    return edges[static_cast<size_t>(e.first_edge) + k];
  }

  std::vector<Entry> entries;
  std::vector<int> edges;       // the sources of all inputs
  std::vector<Arrays> results;  // of ops with several; held, for other threads may drop them
  std::vector<Group> groups;

 private:
  void order(const Arrays& wanted, Unfinished& unfinished);
  void visit(Node* root, Unfinished& unfinished);
  void append(Node* n, Backend* backend);
  void group();
  void join(int i);
  void start(int i, const Shape& shape, bool prologue);
  void unmark();

  uint32_t claim_ = 0;
};

}  // namespace heddle
