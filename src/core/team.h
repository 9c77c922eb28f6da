// Threads that work on one problem in steps: parallel_team calls f(team) once on each of up to
// `wanted` threads, and team.wait() returns when all of them have called it. On one thread where
// parallel_for (threads.h) would be. `f` must not throw.
#pragma once

#include <atomic>
#include <type_traits>

namespace heddle {

class Team {
 public:
  // Where the threads of a team meet.
  struct Meeting {
    std::atomic<int> arrived{0}, round{0};
  };
  Team(int thread, int threads, Meeting& meeting)
      : rank(thread), size(threads), meeting_(meeting) {}
  const int rank, size;
  void wait() const;

 private:
  Meeting& meeting_;
};

namespace detail {
using TeamFn = void (*)(void* context, const Team& team);
void parallel_team(int wanted, void* context, TeamFn fn);
}  // namespace detail

template <class F>
void parallel_team(int wanted, F&& f) {
  using Fn = std::remove_reference_t<F>;
  detail::parallel_team(wanted, const_cast<std::remove_const_t<Fn>*>(&f),
                        [](void* c, const Team& team) { (*static_cast<Fn*>(c))(team); });
}

}  // namespace heddle
