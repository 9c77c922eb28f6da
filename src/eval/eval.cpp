#include "eval/eval.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "core/node.h"
#include "core/stream.h"
#include "eval/async.h"
#include "eval/backend.h"
#include "transforms/pointwise_function.h"

namespace heddle {
namespace {

// Groups of few elements wait for others, to run as one parallel loop: an optimizer's step over
// many small arrays does. So many at a time, which keeps what waits small.
constexpr int64_t small_group = 1 << 16;
constexpr int64_t waiting_elements = 1 << 20;
constexpr size_t waiting_groups = 64;

constexpr int none = -1;
constexpr int conflict = -2;
constexpr uint32_t waiting = UINT32_MAX;  // the mark of nodes in a group that waits

// How many evaluations have run; guarded by the graph lock.
uint64_t evaluations = 0;

// One op of the order: a node, or several siblings of which `node` is the first alive.
struct Entry {
  Node* node;
  int uses = 0;         // edges from nodes of this evaluation
  int group = none;     // pointwise nodes, and heads that take a prologue
  int consumer = none;  // the group that reads it first, or conflict if a single op does
  int read_at = 0;      // when that runs
  int reads = 0;        // edges from there
  bool shared = false;  // others read it later
  bool wanted = false;  // by the caller of eval
  int results = none;   // of an op with several: those alive, among results_
};

struct Group {
  int head;  // position in the order of its last node
  int nodes = 0;
  int edges = 0;          // to nodes outside; at least as many as it has inputs
  bool prologue = false;  // head is not pointwise: it computes the others on the fly
  const Shape* shape;
};

std::atomic<void (*)()> interrupt_check{nullptr};

class Evaluation {
 public:
  void run(const Arrays& wanted) {
    evaluations++;
    do {
      plan(wanted);
      try {
        execute();
        run_waiting();
      } catch (...) {
        unmark_waiting();
        throw;
      }
    } while (outdated_);
  }

 private:
  void plan(const Arrays& wanted) {
    if (outdated_) *this = Evaluation();
    try {
      order(wanted);
    } catch (...) {
      unmark();
      throw;
    }
    group();
    unmark();
  }

  // Depth-first: inputs before consumers. Marks hold positions + 1; `visiting` while on the stack.
  void order(const Arrays& wanted) {
    for (const Array& a : wanted) {
      if (!a) continue;
      if (!a.node()->available()) visit(a.node());
    }
    for (const Array& a : wanted) {
      if (a && a.node()->mark) entries_[a.node()->mark - 1].wanted = true;
    }
  }

  void visit(Node* root) {
    check_not_being_computed(root);
    if (root->mark) return;
    struct Frame {
      Node* node;
      size_t next;
    };
    std::vector<Frame> stack;
    stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame& f = stack.back();
      if (f.next == 0) check(f.node);
      if (f.next < f.node->inputs.size()) {
        Node* in = f.node->inputs[f.next++].node();
        if (in->available()) continue;
        check_not_being_computed(in);
        if (!in->mark) stack.push_back({in, 0});
        continue;
      }
      Node* done = f.node;
      stack.pop_back();
      if (!done->mark) append(done);
    }
  }

  static void check(Node* n) {
    if (!n->op) {
      throw std::invalid_argument(
          "[eval] Attempting to eval an array during function transformations like compile or vmap "
          "is not allowed.");
    }
    check_stream(n->stream);
  }

  void append(Node* n) {
    entries_.push_back({n});
    uint32_t mark = static_cast<uint32_t>(entries_.size());
    n->mark = mark;
    // Each sibling holds the inputs, so each counts as a user of them.
    int holders = 1;
    if (n->siblings) {
      holders = 0;
      entries_.back().results = static_cast<int>(results_.size());
      results_.push_back(living_siblings(n));
      for (const Array& s : results_.back()) {
        if (!s) continue;
        s.node()->mark = mark;
        holders += !s.node()->inputs.empty();
      }
    }
    for (const Array& in : n->inputs) {
      if (in.node()->mark) entries_[in.node()->mark - 1].uses += holders;
    }
  }

  // Backwards over the order: a pointwise node joins the group that reads it before anything else
  // does, if that has its shape. No cycle can arise: a group runs in the place of its last node,
  // and what else reads the node runs later.
  void group() {
    Backend& backend = cpu_backend();
    for (int i = static_cast<int>(entries_.size()) - 1; i >= 0; i--) {
      Entry& e = entries_[static_cast<size_t>(i)];
      Node* n = e.node;
      bool pointwise = n->pointwise;
      if (pointwise) {
        join(i);
      } else if (!n->inputs.empty() && lazily_pointwise(n->inputs[0].node()) &&
                 backend.takes_prologue(*n->op)) {
        start(i, n->inputs[0].node()->shape, true);
      }
      bool first = true;
      for (const Array& in : n->inputs) {
        if (uint32_t mark = in.node()->mark) {
          int reader = pointwise || first ? e.group : conflict;
          if (reader == none) reader = conflict;
          read(entries_[mark - 1], reader,
               reader < 0 ? i : groups_[static_cast<size_t>(reader)].head);
        }
        first = false;
      }
    }
  }

  static void read(Entry& source, int reader, int at) {
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

  static bool lazily_pointwise(Node* n) { return n->mark && n->pointwise; }

  bool kept(const Entry& e) const {
    return e.wanted || e.shared || e.node->references.load(std::memory_order_acquire) > e.uses;
  }

  void join(int i) {
    Entry& e = entries_[static_cast<size_t>(i)];
    if (e.consumer >= 0) {
      Group& g = groups_[static_cast<size_t>(e.consumer)];
      int edges = g.edges - e.reads + static_cast<int>(e.node->inputs.size());
      if (g.nodes < PointwiseCode::max_nodes && edges <= PointwiseCode::max_inputs &&
          *g.shape == e.node->shape && !(g.prologue && kept(e))) {
        e.group = e.consumer;
        g.nodes++;
        g.edges = edges;
        return;
      }
    }
    start(i, e.node->shape, false);
  }

  void start(int i, const Shape& shape, bool prologue) {
    entries_[static_cast<size_t>(i)].group = static_cast<int>(groups_.size());
    int edges =
        prologue ? 1 : static_cast<int>(entries_[static_cast<size_t>(i)].node->inputs.size());
    groups_.push_back({i, prologue ? 0 : 1, edges, prologue, &shape});
  }

  void unmark() {
    for (Entry& e : entries_) e.node->mark = 0;
    for (const Arrays& siblings : results_) {
      for (const Array& s : siblings) {
        if (s) s.node()->mark = 0;
      }
    }
  }

  void execute() {
    members_.resize(groups_.size());
    auto last_check = std::chrono::steady_clock::now();
    int since_check = 0;
    for (size_t i = 0; i < entries_.size() && !outdated_; i++) {
      Entry& e = entries_[i];
      int64_t size = e.node->size();
      if (e.group >= 0 && groups_[static_cast<size_t>(e.group)].head != static_cast<int>(i)) {
        members_[static_cast<size_t>(e.group)].push_back(static_cast<int>(i));
        continue;
      }
      const std::vector<int>* members =
          e.group >= 0 ? &members_[static_cast<size_t>(e.group)] : nullptr;
      if (reads_waiting(e, members)) run_waiting();
      if (e.group >= 0 && !groups_[static_cast<size_t>(e.group)].prologue) {
        run_group(*members, static_cast<int>(i));
      } else if (const PointwiseFunction* function = PointwiseFunction::of(*e.node->op)) {
        run_function(e, *function);
      } else if (e.node->op->runs_own_code()) {
        run_own_code(e);
      } else {
        run_op(e, members);
      }
      // Looking at the clock costs as much as a tiny piece: large pieces count for more.
      since_check += 1 + static_cast<int>(std::min<int64_t>(size >> 14, 16));
      if (since_check >= 16) {
        since_check = 0;
        if (auto check = interrupt_check.load(std::memory_order_relaxed)) {
          auto now = std::chrono::steady_clock::now();
          if (now - last_check > std::chrono::milliseconds(50)) {
            last_check = now;
            call_out(check);
          }
        }
      }
    }
  }

  bool reads_waiting(const Entry& e, const std::vector<int>* members) const {
    if (waiting_ == 0) return false;
    auto reads = [](const Node* n) {
      return std::any_of(n->inputs.begin(), n->inputs.end(),
                         [](const Array& in) { return in.node()->mark == waiting; });
    };
    if (reads(e.node)) return true;
    return members && std::any_of(members->begin(), members->end(), [&](int i) {
             return reads(entries_[static_cast<size_t>(i)].node);
           });
  }

  void collect(const std::vector<int>& members, int head, PointwiseGroup& piece) {
    piece.clear();
    PointwiseCode& code = piece.own;
    auto add = [&](int i) {
      Entry& e = entries_[static_cast<size_t>(i)];
      code.nodes.push_back(e.node);
      code.kept.push_back(i == head || kept(e));
      if (code.kept.back()) piece.results.push_back(e.node);
      piece.may_donate &= !(e.node->tracer && in_tracing());
    };
    for (int i : members) add(i);
    if (head >= 0) add(head);
    code.kept.back() = true;
    piece.shape = code.nodes.back()->shape;
    for (Node* n : code.nodes) {
      for (const Array& in : n->inputs) {
        Node* source = in.node();
        if (source->available() && !source->mark) {
          source->mark = 1;
          code.inputs.push_back(source);
        }
      }
    }
    for (Node* in : code.inputs) in->mark = 0;
    piece.operands = code.inputs;
  }

  PointwiseGroup& next_piece() {
    if (waiting_ == pieces_.size()) pieces_.emplace_back();
    return pieces_[waiting_];
  }

  // Lets the piece that was filled last wait, or runs all that wait.
  void enqueue(const PointwiseGroup& piece) {
    for (Node* n : piece.results) n->mark = waiting;
    waiting_++;
    const int64_t size = element_count(piece.shape);
    waiting_size_ += size;
    if (size > small_group || waiting_size_ > waiting_elements || waiting_ == waiting_groups) {
      run_waiting();
    }
  }

  void run_group(const std::vector<int>& members, int head) {
    PointwiseGroup& piece = next_piece();
    collect(members, head, piece);
    enqueue(piece);
  }

  void run_function(const Entry& e, const PointwiseFunction& function) {
    Node* n = e.node;
    const PointwiseCode& code = function.code();
    PointwiseGroup& piece = next_piece();
    piece.clear();
    Call call{n->inputs, take_results(e), n->tracer && in_tracing()};
    piece.shared = &code;
    for (const Array& in : call.operands) piece.operands.push_back(in.node());
    for (size_t i = piece.operands.size(); i < code.inputs.size(); i++) {
      piece.operands.push_back(code.inputs[i]);  // its constants
    }
    for (size_t k = 0; k < call.results.size(); k++) {
      piece.results.push_back(call.results[static_cast<size_t>(function.output(k))].node());
    }
    piece.shape = n->shape;
    piece.may_donate = !call.keeps_graph;
    calls_.push_back(std::move(call));
    enqueue(piece);
  }

  void run_waiting() {
    if (waiting_ == 0) return;
    unmark_waiting();
    const std::span<const PointwiseGroup> groups(pieces_.data(), waiting_);
    waiting_ = 0;
    waiting_size_ = 0;
    for (Call& call : calls_) call.release();
    try {
      cpu_backend().run(groups);
    } catch (...) {
      for (Call& call : calls_) call.restore();
      throw;
    }
    // In order: finishing a node may free nodes before it (one that was kept for an input which
    // dies with it, say), never one behind.
    for (const PointwiseGroup& piece : groups) {
      for (Node* n : piece.results) n->finish();
    }
    calls_.clear();
  }

  void unmark_waiting() {
    for (size_t i = 0; i < waiting_; i++) {
      for (Node* n : pieces_[i].results) n->mark = 0;
    }
  }

  // The results of an entry, with stand-ins for dead ones; they are held here no longer.
  Arrays take_results(const Entry& e) {
    if (e.results == none) return {Array::share(e.node)};
    Arrays results = std::move(results_[static_cast<size_t>(e.results)]);
    Avals avals;
    for (size_t k = 0; k < results.size(); k++) {
      if (results[k]) continue;
      if (avals.empty()) avals = e.node->op->infer(e.node->inputs);
      results[k] = Array::adopt(new Node(avals[k].shape, avals[k].dtype));
    }
    return results;
  }

  // What an op with several results works on. Each result holds the op and its inputs; so that
  // these can be donated, the results let go of them while it runs.
  struct Call {
    Arrays operands, results;
    bool keeps_graph;

    void release() {
      if (keeps_graph) return;
      for (const Array& r : results) r.node()->inputs.clear();
    }
    void restore() {
      for (const Array& r : results) r.node()->inputs = operands;
    }
  };

  void run_op(Entry& e, const std::vector<int>* members) {
    Node* n = e.node;
    const bool keeps_graph = n->tracer && in_tracing();
    const bool fused = members && !members->empty();
    if (fused) collect(*members, none, prologue_);
    const PointwiseGroup* prologue = fused ? &prologue_ : nullptr;
    if (!n->siblings) {
      Node* output = n;
      cpu_backend().run(Work{*n->op, n->inputs, {&output, 1}, !keeps_graph, prologue});
      n->finish();
      return;
    }
    Call call{n->inputs, take_results(e), keeps_graph};
    std::vector<Node*> outputs;
    for (const Array& r : call.results) outputs.push_back(r.node());
    OpRef op = n->op;
    call.release();
    try {
      cpu_backend().run(Work{*op, call.operands, outputs, !keeps_graph, prologue});
    } catch (...) {
      call.restore();
      throw;
    }
    for (Node* s : outputs) s->finish();
  }

  // Code that is not the engine's sees a graph without marks. Where it has evaluated arrays,
  // entries to come may be computed or gone: what is left is planned anew.
  template <class F>
  void call_out(F&& code) {
    run_waiting();
    const uint64_t before = evaluations;
    code();
    outdated_ = evaluations != before;
  }

  void run_own_code(Entry& e) {
    Arrays results =
        e.results == none ? Arrays{Array::share(e.node)} : results_[static_cast<size_t>(e.results)];
    auto mark = [&](uint32_t value) {
      for (const Array& r : results) {
        if (r) r.node()->mark = value;
      }
    };
    call_out([&] {
      mark(being_computed);
      try {
        run_op(e, nullptr);
      } catch (...) {
        mark(0);
        throw;
      }
      mark(0);
    });
  }

  std::vector<Entry> entries_;
  std::vector<Arrays> results_;  // of ops with several; held, for other threads may drop them
  std::vector<Group> groups_;
  std::vector<std::vector<int>> members_;
  std::vector<PointwiseGroup> pieces_;  // the first `waiting_` of them wait; the rest is room
  std::vector<Call> calls_;             // of those that are the code of an op
  size_t waiting_ = 0;
  int64_t waiting_size_ = 0;  // elements of all that wait
  PointwiseGroup prologue_;
  bool outdated_ = false;
};

// How often the calling thread holds the graph lock.
thread_local int graph_locks = 0;

void evaluate_locked(const Arrays& arrays) {
  std::lock_guard<std::recursive_mutex> lock(graph_mutex());
  struct Held {
    int& count = graph_locks;
    Held() { count++; }
    ~Held() { count--; }
  } held;
  Evaluation().run(arrays);
}

}  // namespace

std::recursive_mutex& graph_mutex() {
  static auto* m = new std::recursive_mutex;
  return *m;
}

namespace {
std::atomic<void (*)(void (*)())> wait_hook{nullptr};
}

GraphLock::GraphLock() {
  graph_locks++;
  if (graph_mutex().try_lock()) return;
  if (auto hook = wait_hook.load()) {
    hook([] { graph_mutex().lock(); });
  } else {
    graph_mutex().lock();
  }
}
GraphLock::~GraphLock() {
  graph_mutex().unlock();
  graph_locks--;
}
void set_wait_hook(void (*hook)(void (*wait)())) { wait_hook = hook; }

void set_interrupt_check(void (*check)()) { interrupt_check = check; }

void check_interrupt() {
  if (auto check = interrupt_check.load(std::memory_order_relaxed)) check();
}

void eval(const Arrays& arrays) {
  bool done = std::all_of(arrays.begin(), arrays.end(),
                          [](const Array& a) { return !a || a.is_available(); });
  if (done) return;
  rethrow_async_error(arrays);
  try {
    evaluate_locked(arrays);
  } catch (const WrongThread&) {
    // What another thread handed to the background is for everyone, once it is there.
    if (graph_locks > 0 || !wait_for_async()) throw;
    rethrow_async_error(arrays);
    evaluate_locked(arrays);
  }
}

void eval_aside(const Arrays& arrays) {
  GraphLock lock;
  eval(arrays);
}

void Array::eval() const {
  if (!is_available()) heddle::eval(Arrays{*this});
}

}  // namespace heddle
