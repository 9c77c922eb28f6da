// Evaluation: plans what arrays need (plan.h) under the graph lock, and runs it outside (run.h).
#pragma once

#include "heddle/array.h"

namespace heddle {

// eval() without waiting for the background where that has the work of other threads: it is refused
// at once.
void eval_own(const Arrays& arrays);

// Called now and then between pieces of work of a long evaluation, without any lock; may evaluate,
// and may throw to stop the evaluation (Python's Ctrl-C). The arrays computed so far stay valid.
void set_interrupt_check(void (*check)());
// Calls it; for other long waits.
void check_interrupt();

}  // namespace heddle
