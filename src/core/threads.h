// One parallel loop for the whole engine, on one pool of threads (fork_join.h).
// Work is split at fixed points given by `grain`, never by the number of threads, where a result
// could depend on the split: callers reduce per chunk and combine chunks in order.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace heddle {

int num_threads();  // limit for loops; at start HEDDLE_NUM_THREADS, else OpenMP's within the cores
void set_num_threads(int n);  // at least 1

// Elements (of about one float each) below which a parallel loop costs more than it brings.
inline constexpr int64_t parallel_grain = 16384;

namespace detail {
using RangeFn = void (*)(void* context, int64_t begin, int64_t end);
void parallel_ranges(int64_t n, int64_t grain, void* context, RangeFn fn);
}  // namespace detail

// Calls f(begin, end) on disjoint ranges that cover [0, n). Range borders are multiples of `grain`.
// Threads claim ranges as they come, longer ones first. Runs on the calling thread if n <= grain,
// inside another parallel loop, or after fork() in the child. After an exception of f no more
// ranges are begun; it is rethrown on the calling thread when those that were have ended.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  using Fn = std::remove_reference_t<F>;
  if (n <= 0) return;
  if (n <= grain) {
    f(int64_t{0}, n);
    return;
  }
  detail::parallel_ranges(n, grain, const_cast<std::remove_const_t<Fn>*>(&f),
                          [](void* c, int64_t b, int64_t e) { (*static_cast<Fn*>(c))(b, e); });
}

}  // namespace heddle
