// The lock of those who walk graphs, and who computes what.
//
// An evaluation plans under the lock and runs outside it. What it plans to compute it claims (see
// Claim); on this everything below rests:
//
// 1. Lazy nodes change under the lock, or by the evaluation that has claimed them. So nobody else
//    reads op, inputs or results of a claimed node: whoever meets one on a walk waits, without the
//    lock, until it is available or claimed no longer, and walks again. (An array's shape and dtype
//    never change. What is available has lost op and inputs before it is seen to be so, or, of a
//    trace, keeps them.)
// 2. What a claimed node needs stays: its inputs are held by it, and it by its consumers or by the
//    caller of eval, all of them claimed by the same evaluation. Only that cuts them, when it has
//    computed the consumer.
// 3. References that only a claimed node holds cannot be multiplied by others, who would have to go
//    through that node. So where the evaluation counts one, there will be one, and the memory
//    behind it may be overwritten (Node::donatable); where it counts no holder but nodes of its
//    own, a value need not be kept. Others may let go of references meanwhile: that makes a count
//    too large, which is safe.
// 4. Marks are scratch of a walk, used and removed within one hold of the lock.
// 5. Code that is not the engine's (primitives of a program's own, handlers of signals, what runs
//    when memory of others is given back) runs outside the lock. It may evaluate and walk anything:
//    the evaluation that it interrupts is suspended, and anyone may take over what that has
//    claimed, but for the results that are just being computed; it plans the rest anew then.
// 6. So an evaluation that waits has claimed nothing that another could wait for, but such results:
//    no two wait for each other, except when each computes what the other's code asks for. The one
//    who asks second is refused, as is code that asks for what itself computes.
// 7. An evaluation that fails leaves what it has not computed as it was, claimed by nobody. Those
//    who waited compute it themselves, and meet the error.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/node.h"

namespace heddle {

// Held while graphs are walked. The caller may hold a lock of its own that another thread can want
// while it holds this one (Python's interpreter lock); waiting goes through the hook, which sets
// that aside. A thread may hold several.
void lock_graph();
void unlock_graph();
class GraphLock {
 public:
  GraphLock() { lock_graph(); }
  ~GraphLock() { unlock_graph(); }
  GraphLock(const GraphLock&) = delete;
  GraphLock& operator=(const GraphLock&) = delete;
};

// Calls `wait(context)`, which waits, with such a lock set aside. None is set for C++ programs.
using WaitHook = void (*)(void (*wait)(void* context), void* context);
void set_wait_hook(WaitHook hook);
// Runs f, which waits, through the hook.
void wait_aside(void (*wait)(void*), void* context);
template <class F>
void wait_aside(F&& f) {
  wait_aside([](void* context) { (*static_cast<std::remove_reference_t<F>*>(context))(); }, &f);
}

// Called now and then between pieces of work of a long evaluation and while a thread waits, without
// any lock; may evaluate, and may throw to stop either (Python's Ctrl-C). The arrays computed so
// far stay valid.
void set_interrupt_check(void (*check)());
void check_interrupt();

// The nodes that a walk met and that others compute just now.
class Unfinished {
 public:
  // Under the lock: true if the walk may not look behind the lazy node `n`. Throws
  // std::invalid_argument for what code that this thread runs is computing.
  bool has(Node* n) { return n->claim != 0 && look_up(n); }
  // Under the lock: whether it is that.
  static bool is_own(const Node* n);
  bool empty() const { return nodes_.empty() && !closed_; }
  // Without the lock: waits until all of them can be looked at. Then walk again. Throws
  // std::invalid_argument if that would wait for this thread, and what check_interrupt() throws.
  void wait();
  // Under the lock: what wait() waits for besides, if a thread asks for quiet (see below).
  void wait_for_quiet();

 private:
  friend struct Waiter;
  bool look_up(Node* n);
  bool is_over() const;

  Arrays nodes_;
  bool closed_ = false;
};

// Runs `walk(unfinished)` under the lock until it has met nothing that others compute; gives what
// it gave then. What the walk makes dies outside the lock.
template <class F>
auto walk_graph(F&& walk) {
  for (;;) {
    Unfinished unfinished;
    std::optional<decltype(walk(unfinished))> result;
    {
      GraphLock lock;
      result.emplace(walk(unfinished));
    }
    if (unfinished.empty()) return std::move(*result);
    unfinished.wait();
  }
}

// Takes the lock when no other thread runs kernels, and keeps it: none will, until unlock_graph().
// False, without the lock, if that takes longer than `patience`.
bool lock_quiet_graph(std::optional<std::chrono::milliseconds> patience = {});
// In the child of a fork, whose parent's thread had locked the graph so: there are no others.
void make_graph_lock_anew();

// Whether the calling thread holds the lock, or is inside an evaluation (whose code asks).
bool is_walking_or_evaluating();

// An evaluation of the calling thread's. It lies on the stack of what evaluates.
struct Claim {
  uint32_t id = 0;                    // what its nodes bear (Node::claim)
  bool robbed = false;                // others took over nodes: what is left has to be planned anew
  bool suspended = false;             // code that is not the engine's runs
  const Arrays* computing = nullptr;  // while suspended: the results that nobody else may compute

  Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  // Under the lock. The number for the nodes of a plan; they are claimed from begin() to end().
  uint32_t take_number();
  void begin();
  // Without the lock; wakes whoever waits. No error.
  void end() noexcept;
  // Around code that is not the engine's.
  void suspend(const Arrays* results);
  void resume() noexcept;

  bool is_nested() const { return outer != nullptr; }

 private:
  friend class Unfinished;
  friend struct Claims;
  void unlink();
  const void* thread;
  Claim* outer;  // of the thread, around this one: suspended until this ends
  bool outer_was_suspended = false;
  Claim* next = nullptr;  // of all that are under way
  Claim** link = nullptr;
};

// After nodes became available for which others wait.
void wake_waiters() noexcept;

}  // namespace heddle
