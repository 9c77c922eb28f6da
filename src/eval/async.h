// Evaluation in the background: one worker thread, started at the first async_eval, computes what
// it is handed in order, under the graph lock like everyone else (see heddle/array.h for async_eval
// and heddle/device.h for synchronize, which are defined here).
//
// The worker acts for the thread that handed the work over: streams of that thread may be used.
// An error is kept with the arrays that were to be computed. It is rethrown, once and as it was, by
// the next synchronize() on one of their streams or the next eval of one of them.
#pragma once

#include "heddle/array.h"

namespace heddle {

// Rethrows the error that a background evaluation of one of these arrays met, if there is one.
void rethrow_async_error(const Arrays& arrays);

// Computes what is still queued and ends the worker; later async_evals run on the calling thread.
// Errors are dropped. For the end of the process.
void stop_async();

// Around fork(): lock_for_fork waits until nothing is being computed and holds the graph lock;
// in the child, work that was queued is gone and a new worker starts when it is needed.
void lock_for_fork();
void unlock_after_fork_in_parent();
void restart_after_fork_in_child();

}  // namespace heddle
