// Evaluation in the background: one worker thread, started at the first async_eval, computes what
// it is handed in order, as any other thread would (see heddle/array.h for async_eval and
// heddle/device.h for synchronize, which are defined here).
//
// The worker acts for the thread that handed the work over: streams of that thread may be used.
// An error is kept with the arrays that were to be computed. It is rethrown, once and as it was, by
// the next synchronize() on one of their streams or the next eval of one of them.
#pragma once

#include "heddle/array.h"

namespace heddle {

// Waits until all that has been handed over so far is done. False, at once, if nothing is under
// way, and for the worker itself. The caller may not hold the graph lock.
bool wait_for_async();

// Rethrows the error that a background evaluation of one of these arrays met, if there is one.
void rethrow_async_error(const Arrays& arrays);

// Ends the worker when it has done the piece of work it is at. What is still queued is left lazy,
// for whoever reads it; later async_evals run on the calling thread. For the end of the process.
void stop_async();

// Around fork(): lock_for_fork waits until no kernel runs and holds the graph lock;
// in the child, work that was queued is gone and a new worker starts when it is needed.
void lock_for_fork();
void unlock_after_fork_in_parent();
void restart_after_fork_in_child();

}  // namespace heddle
