#include "core/threads.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>

#include "core/fork_join.h"
#include "core/limits.h"

namespace heddle {
namespace {

std::atomic<bool> in_forked_child{false};

int threads_at_start() {
  // libgomp's teams do not survive fork(): the child runs everything serially.
  pthread_atfork(nullptr, nullptr, [] { in_forked_child = true; });
  if (const char* text = std::getenv("HEDDLE_NUM_THREADS")) {
    int n = std::atoi(text);
    if (n >= 1) return n;
  }
  return std::min(omp_get_max_threads(), available_cores());
}

std::atomic<int>& limit() {
  static std::atomic<int> n{threads_at_start()};
  return n;
}

}  // namespace

int num_threads() { return in_forked_child ? 1 : limit().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  if (n < 1)
    throw std::invalid_argument("[set_num_threads] The number of threads must be at least 1.");
  limit() = n;
}

namespace detail {

void parallel_ranges(int64_t n, int64_t grain, void* context, RangeFn fn) {
  int64_t chunks = (n + grain - 1) / grain;
  int threads = static_cast<int>(std::min<int64_t>(num_threads(), chunks));
  if (threads <= 1 || omp_in_parallel()) {
    fn(context, 0, n);
    return;
  }
  threads = team_size(threads);
  std::exception_ptr error;
  std::mutex error_mutex;
  fork_join(threads, [&](int64_t me, int64_t team) {
    int64_t begin = chunks * me / team * grain;
    int64_t end = std::min(n, chunks * (me + 1) / team * grain);
    if (begin < end) {
      try {
        fn(context, begin, end);
      } catch (...) {
        std::lock_guard<std::mutex> lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace heddle
