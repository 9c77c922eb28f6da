#include "core/team.h"

#include <algorithm>
#include <chrono>

#include "core/fork_join.h"
#include "core/threads.h"

namespace heddle {

namespace detail {

// A team works in steps that wait for each of its threads, so it has those that have come by the
// time a sleeping thread takes to wake.
void parallel_team(int wanted, void* context, TeamFn fn) {
  const int threads = std::min(num_threads(), wanted);
  Team::Meeting meeting;
  if (threads <= 1 || in_parallel()) {
    fn(context, Team(0, 1, meeting));
    return;
  }
  constexpr int closed = 1 << 30;
  std::atomic<int> others{0}, size{0};
  share(threads, [&](int worker) {
    int rank = 0;
    if (worker == 0) {
      using Clock = std::chrono::steady_clock;
      const auto end = Clock::now() + std::chrono::microseconds(200);
      while (others.load(std::memory_order_relaxed) < threads - 1 && Clock::now() < end) {
      }
      size.store(1 + others.fetch_or(closed), std::memory_order_release);
      size.notify_all();
    } else {
      rank = 1 + others.fetch_add(1);
      if (rank > closed) return;
      size.wait(0, std::memory_order_acquire);
    }
    fn(context, Team(rank, size.load(std::memory_order_acquire), meeting));
  });
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
