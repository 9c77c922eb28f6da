// Work of a program's own among that of streams. heddle has no queue of tasks: computing a
// primitive is one piece of work, on whichever thread evaluates, so what is enqueued runs at once.
#pragma once

#include <utility>

#include "heddle/primitive.h"
#include "mlx/stream.h"

namespace mlx::core::scheduler {

// Runs the task. From outside of eval_cpu it first waits for what the stream still computes, as the
// order of a queue would have it. Throws what the task throws.
template <class F>
void enqueue(Stream stream, F&& task) {
  if (!heddle::is_in_eval_cpu()) synchronize(stream);
  std::forward<F>(task)();
}

// Tasks never wait.
inline int n_active_tasks() { return 0; }
inline void notify_new_task(const Stream&) {}
inline void notify_task_completion(const Stream&) {}
inline void wait_for_one() {}
inline void check_error(Stream stream) { synchronize(stream); }

}  // namespace mlx::core::scheduler
