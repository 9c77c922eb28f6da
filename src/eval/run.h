// Runs a plan: piece by piece on the backends of its streams, outside the graph lock.
#pragma once

#include <chrono>
#include <vector>

#include "eval/plan.h"

namespace heddle {

class PointwiseFunction;

class Execution {
 public:
  explicit Execution(Plan& plan) : plan_(plan) {}
  // The claim has begun, on the plan's nodes. Throws what kernels and interrupts throw. If the
  // claim has been robbed then, what is left is to be planned anew.
  void run(Claim& claim);
  // For the next plan: lets go of everything but room.
  void clear();

 private:
  using Entry = Plan::Entry;

  // What an op with several results works on. Each result holds the op and its inputs; so that
  // these can be donated, the results let go of them while it runs.
  struct Call {
    Arrays operands, results;
    bool keeps_graph;

    void release();
    void restore();
  };
  // What a node had while it was lazy.
  struct Dropped {
    OpRef op;
    Arrays inputs;
  };

  Entry& entry(int i) { return plan_.entries[static_cast<size_t>(i)]; }
  bool run_piece(int i);
  bool check_interrupt(int64_t size);

  bool reads_waiting(const Entry& e, const std::vector<int>* members) const;
  void collect(const std::vector<int>& members, int head, PointwiseGroup& piece);
  PointwiseGroup& next_piece(Backend* backend);
  void wait(Entry& e);
  void enqueue(const PointwiseGroup& piece);
  void run_waiting();

  Arrays take_results(const Entry& e);
  void run_group(const std::vector<int>& members, int head);
  void run_function(Entry& e, const PointwiseFunction& function);
  void run_op(const Entry& e, const std::vector<int>* members);
  void run_own_code(const Entry& e);
  template <class F>
  void call_out(const Arrays* results, F&& code);

  void finish(Node* n);
  void let_go();

  Plan& plan_;
  Claim* claim_ = nullptr;
  std::vector<std::vector<int>> members_;  // of each group, but its head; then room
  int collected_ = 0;

  // Groups of few elements wait for others, to run as one parallel loop: an optimizer's step over
  // many small arrays does.
  std::vector<PointwiseGroup> pieces_;  // the first `waiting_` of them wait; the rest is room
  std::vector<Call> calls_;             // of those that are the code of an op
  std::vector<int> waiting_entries_;
  size_t waiting_ = 0;
  int64_t waiting_size_ = 0;    // elements of all that wait
  Backend* backend_ = nullptr;  // of all that wait
  PointwiseGroup prologue_;

  std::vector<Dropped> dropped_;
  bool awaited_ = false;  // by other threads: what has become available
  int since_check_ = 0;
  std::chrono::steady_clock::time_point last_check_;
};

}  // namespace heddle
