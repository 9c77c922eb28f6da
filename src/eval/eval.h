// Evaluation: orders the graph, groups pointwise runs, runs each piece on its backend.
#pragma once

#include <mutex>

#include "heddle/array.h"

namespace heddle {

// Held while graphs are evaluated or walked: evaluation cuts evaluated nodes off their inputs.
// Recursive, because a walk may evaluate.
std::recursive_mutex& graph_mutex();

// Called now and then between pieces of work of a long evaluation, without the lock order of any
// caller; may throw to stop it (Python's Ctrl-C). The arrays computed so far stay valid.
void set_interrupt_check(void (*check)());

}  // namespace heddle
