#include "core/team.h"

#include <omp.h>

#include <algorithm>

#include "core/fork_join.h"
#include "core/limits.h"
#include "core/threads.h"

namespace heddle {

namespace detail {

void parallel_team(int wanted, void* context, TeamFn fn) {
  int threads = std::min(num_threads(), wanted);
  Team::Meeting meeting;
  if (threads <= 1 || omp_in_parallel()) {
    fn(context, Team(0, 1, meeting));
    return;
  }
  threads = team_size(threads);
  auto work = [&](int thread, int size) { fn(context, Team(thread, size, meeting)); };
  fork_join(threads, work);
}

}  // namespace detail

// Spins for the microseconds that a step of a kernel takes; where the other threads have no core,
// sleeps and leaves them this one.
void Team::wait() const {
  if (size == 1) return;
  const int round = meeting_.round.load(std::memory_order_relaxed);
  if (meeting_.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
    meeting_.arrived.store(0, std::memory_order_relaxed);
    meeting_.round.store(round + 1, std::memory_order_release);
    meeting_.round.notify_all();
    return;
  }
  constexpr int spins = 1 << 14;
  for (int i = 0; i < spins; i++) {
    if (meeting_.round.load(std::memory_order_acquire) != round) return;
  }
  meeting_.round.wait(round, std::memory_order_acquire);
}

}  // namespace heddle
