#include "eval/run.h"

#include <algorithm>

#include "core/graph_lock.h"
#include "transforms/pointwise_function.h"

namespace heddle {
namespace {

constexpr int none = Plan::none;

// Groups up to this size wait, and so many at a time, which keeps what waits small.
constexpr int64_t small_group = 1 << 16;
constexpr int64_t waiting_elements = 1 << 20;
constexpr size_t waiting_groups = 64;

bool keeps_graph(const Node* n) { return n->tracer && in_tracing(); }

}  // namespace

void Execution::run(Claim& claim) {
  claim_ = &claim;
  if (members_.size() < plan_.groups.size()) members_.resize(plan_.groups.size());
  const int count = static_cast<int>(plan_.entries.size());
  if (count > 1) last_check_ = std::chrono::steady_clock::now();
  for (int i = 0; i < count; i++) {
    const int group = entry(i).group;
    if (group != none && plan_.groups[static_cast<size_t>(group)].head != i) {
      members_[static_cast<size_t>(group)].push_back(i);
      continue;
    }
    const int64_t size = entry(i).node->size();
    if (!run_piece(i) || (i + 1 < count && !check_interrupt(size))) return;
  }
  run_waiting();
}

void Execution::clear() {
  for (size_t i = 0; i < plan_.groups.size() && i < members_.size(); i++) members_[i].clear();
  calls_.clear();
  waiting_entries_.clear();
  dropped_.clear();
  waiting_ = 0;
  waiting_size_ = 0;
  backend_ = nullptr;
  collected_ = 0;
  awaited_ = false;
  since_check_ = 0;
}

// Entry i and what is computed with it. False if what is left has to be planned anew: then nothing
// of it may be touched, for its nodes may be gone.
bool Execution::run_piece(int i) {
  Entry& e = entry(i);
  const std::vector<int>* members =
      e.group == none ? nullptr : &members_[static_cast<size_t>(e.group)];
  const bool own_code = e.node->op->runs_own_code();
  if (own_code || reads_waiting(e, members)) run_waiting();
  if (claim_->robbed) return false;
  if (e.group != none && !plan_.groups[static_cast<size_t>(e.group)].prologue) {
    run_group(*members, i);
  } else if (const PointwiseFunction* function = PointwiseFunction::of(*e.node->op)) {
    run_function(e, *function);
  } else if (own_code) {
    run_own_code(e);
  } else {
    run_op(e, members);
  }
  return !claim_->robbed;
}

// After a piece of `size` elements. False as above.
bool Execution::check_interrupt(int64_t size) {
  // Looking at the clock costs as much as a tiny piece: large pieces count for more.
  since_check_ += 1 + static_cast<int>(std::min<int64_t>(size >> 14, 16));
  if (since_check_ < 16) return true;
  since_check_ = 0;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_check_ <= std::chrono::milliseconds(50)) return true;
  last_check_ = now;
  run_waiting();
  if (!claim_->robbed) call_out(nullptr, heddle::check_interrupt);
  return !claim_->robbed;
}

// ---------------------------------------------------------------------------------------------

bool Execution::reads_waiting(const Entry& e, const std::vector<int>* members) const {
  if (waiting_ == 0) return false;
  auto reads = [&](const Entry& reader) {
    for (size_t k = 0; k < reader.node->inputs.size(); k++) {
      const int from = plan_.source(reader, k);
      if (from != none && plan_.entries[static_cast<size_t>(from)].waits) return true;
    }
    return false;
  };
  return reads(e) || (members && std::any_of(members->begin(), members->end(), [&](int i) {
                        return reads(plan_.entries[static_cast<size_t>(i)]);
                      }));
}

void Execution::collect(const std::vector<int>& members, int head, PointwiseGroup& piece) {
  piece.clear();
  collected_++;
  PointwiseCode& code = piece.own;
  auto input = [&](Node* n) {
    size_t k = static_cast<size_t>(std::find(code.inputs.begin(), code.inputs.end(), n) -
                                   code.inputs.begin());
    if (k == code.inputs.size()) code.inputs.push_back(n);
    return k;
  };
  auto add = [&](int i) {
    Entry& e = entry(i);
    e.piece = collected_;
    e.place = static_cast<int>(code.nodes.size());
    PointwiseCode::Operands operands{};
    for (size_t k = 0; k < e.node->inputs.size(); k++) {
      const int from = plan_.source(e, k);
      const bool inside = from != none && entry(from).piece == collected_;
      operands[k] = static_cast<uint8_t>(inside ? PointwiseCode::first_node +
                                                      static_cast<size_t>(entry(from).place)
                                                : input(e.node->inputs[k].node()));
    }
    code.operands.push_back(operands);
    code.nodes.push_back(e.node);
    code.kept.push_back(i == head || plan_.kept(e));
    if (code.kept.back()) piece.results.push_back(e.node);
    piece.may_donate &= !keeps_graph(e.node);
  };
  for (int i : members) add(i);
  if (head != none) add(head);
  code.kept.back() = true;
  piece.shape = code.nodes.back()->shape;
  piece.operands = code.inputs;
}

// Room for a group that may wait.
PointwiseGroup& Execution::next_piece(Backend* backend) {
  if (backend != backend_) {
    run_waiting();
    backend_ = backend;
  }
  if (waiting_ == pieces_.size()) pieces_.emplace_back();
  return pieces_[waiting_];
}

void Execution::wait(Entry& e) {
  waiting_entries_.push_back(static_cast<int>(&e - plan_.entries.data()));
  e.waits = true;
}

// Lets the piece that was filled last wait, or runs all that wait.
void Execution::enqueue(const PointwiseGroup& piece) {
  waiting_++;
  const int64_t size = element_count(piece.shape);
  waiting_size_ += size;
  if (size > small_group || waiting_size_ > waiting_elements || waiting_ == waiting_groups) {
    run_waiting();
  }
}

void Execution::run_waiting() {
  if (waiting_ == 0) return;
  for (int i : waiting_entries_) entry(i).waits = false;
  waiting_entries_.clear();
  const std::span<const PointwiseGroup> groups(pieces_.data(), waiting_);
  waiting_ = 0;
  waiting_size_ = 0;
  size_t results = 0;
  for (const PointwiseGroup& piece : groups) results += piece.results.size();
  dropped_.reserve(results);
  for (Call& call : calls_) call.release();
  try {
    backend_->run(groups);
  } catch (...) {
    for (Call& call : calls_) call.restore();
    throw;
  }
  for (const PointwiseGroup& piece : groups) {
    for (Node* n : piece.results) finish(n);
  }
  calls_.clear();
  let_go();
}

// ---------------------------------------------------------------------------------------------

void Execution::run_group(const std::vector<int>& members, int head) {
  PointwiseGroup& piece = next_piece(entry(head).backend);
  collect(members, head, piece);
  for (int i : members) {
    if (piece.own.kept[static_cast<size_t>(entry(i).place)]) wait(entry(i));
  }
  wait(entry(head));
  enqueue(piece);
}

void Execution::run_function(Entry& e, const PointwiseFunction& function) {
  Node* n = e.node;
  const PointwiseCode& code = function.code();
  PointwiseGroup& piece = next_piece(e.backend);
  piece.clear();
  Call call{n->inputs, take_results(e), keeps_graph(n)};
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
  wait(e);
  enqueue(piece);
}

// The results of an entry, with stand-ins for dead ones; they are held here no longer.
Arrays Execution::take_results(const Entry& e) {
  if (e.results == none) return {Array::share(e.node)};
  Arrays results = std::move(plan_.results[static_cast<size_t>(e.results)]);
  for (size_t k = 0; k < results.size(); k++) {
    if (results[k]) continue;
    Aval aval = sibling_aval(e.node, static_cast<int>(k));
    results[k] = Array::adopt(new Node(std::move(aval.shape), aval.dtype));
  }
  return results;
}

void Execution::run_op(const Entry& e, const std::vector<int>* members) {
  Node* n = e.node;
  const bool may_donate = !keeps_graph(n);
  const bool fused = members && !members->empty();
  if (fused) collect(*members, none, prologue_);
  const PointwiseGroup* prologue = fused ? &prologue_ : nullptr;
  if (!n->siblings) {
    dropped_.reserve(1);
    e.backend->run(Work{*n->op, n->inputs, {&n, 1}, may_donate, prologue});
    finish(n);
    let_go();
    return;
  }
  Call call{n->inputs, take_results(e), !may_donate};
  std::vector<Node*> outputs;
  for (const Array& r : call.results) outputs.push_back(r.node());
  OpRef op = n->op;
  dropped_.reserve(outputs.size());
  call.release();
  try {
    e.backend->run(Work{*op, call.operands, outputs, may_donate, prologue});
  } catch (...) {
    call.restore();
    throw;
  }
  for (Node* s : outputs) finish(s);
  let_go();
}

void Execution::run_own_code(const Entry& e) {
  const Arrays results = e.results == none ? Arrays{Array::share(e.node)}
                                           : plan_.results[static_cast<size_t>(e.results)];
  call_out(&results, [&] { run_op(e, nullptr); });
}

// Nothing waits, so that whatever it evaluates finds nothing half done. `results` are what it
// computes, if anything.
template <class F>
void Execution::call_out(const Arrays* results, F&& code) {
  claim_->suspend(results);
  try {
    code();
  } catch (...) {
    claim_->resume();
    throw;
  }
  claim_->resume();
}

void Execution::Call::release() {
  if (keeps_graph) return;
  for (const Array& r : results) r.node()->inputs.clear();
}
void Execution::Call::restore() {
  for (const Array& r : results) r.node()->inputs = operands;
}

// The node has its memory. What it held is let go of when all of its piece have theirs: that may
// run code of others.
void Execution::finish(Node* n) {
  if (!keeps_graph(n)) dropped_.push_back({std::move(n->op), std::move(n->inputs)});
  awaited_ |= n->set_available();
}

void Execution::let_go() {
  if (std::exchange(awaited_, false)) wake_waiters();
  dropped_.clear();
}

}  // namespace heddle
