#include "core/fork_join.h"

#include <omp.h>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace heddle {
namespace {

// GNU OpenMP is not built for the thread sanitizer, which would take all that a team shares for
// races. These say what a team's start and end order; in other builds they are nothing.
#if defined(__SANITIZE_THREAD__)
void happens_before(void* event) { __tsan_release(event); }
void happened(void* event) { __tsan_acquire(event); }
#else
void happens_before(void*) {}
void happened(void*) {}
#endif

}  // namespace

namespace detail {

// Not sanitized itself: what it hands to the team goes through OpenMP.
__attribute__((no_sanitize("thread"))) void run_team(int threads, void* context,
                                                     void (*fn)(void*, int, int)) {
  char fork = 0, join = 0;
  happens_before(&fork);
#pragma omp parallel num_threads(threads)
  {
    happened(&fork);
    fn(context, omp_get_thread_num(), omp_get_num_threads());
    happens_before(&join);
  }
  happened(&join);
}

}  // namespace detail
}  // namespace heddle
