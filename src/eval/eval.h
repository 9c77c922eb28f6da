// Evaluation: orders the graph, groups pointwise runs, runs each piece on its backend.
#pragma once

#include <mutex>

#include "heddle/array.h"

namespace heddle {

// Held while graphs are evaluated or walked: evaluation cuts evaluated nodes off their inputs.
// Recursive, because a walk may evaluate.
std::recursive_mutex& graph_mutex();

// The lock for those who walk graphs. The caller may hold a lock of its own that evaluation can
// want (Python's interpreter lock); waiting then goes through the hook, which sets that lock aside.
class GraphLock {
 public:
  GraphLock();
  ~GraphLock();
  GraphLock(const GraphLock&) = delete;
  GraphLock& operator=(const GraphLock&) = delete;
};
void set_wait_hook(void (*hook)(void (*wait)()));
// eval() for a caller who may hold such a lock: it is set aside while others evaluate.
void eval_aside(const Arrays& arrays);

// Called now and then between pieces of work of a long evaluation, without the lock order of any
// caller; may throw to stop it (Python's Ctrl-C). The arrays computed so far stay valid.
void set_interrupt_check(void (*check)());
// Calls it; for other long waits.
void check_interrupt();

}  // namespace heddle
