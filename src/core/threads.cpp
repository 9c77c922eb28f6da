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
  // Threads do not survive fork(): the child runs everything serially.
  pthread_atfork(nullptr, nullptr, [] { in_forked_child = true; });
  if (const char* text = std::getenv("HEDDLE_NUM_THREADS")) {
    int n = std::atoi(text);
    if (n >= 1) return n;
  }
  return std::min(omp_get_max_threads(), available_cores());
}

// The chunks that a thread takes first.
struct alignas(64) Part {
  std::atomic<int64_t> next;
  int64_t end;
};
constexpr int most_parts = 64;

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
  const int64_t chunks = (n + grain - 1) / grain;
  const int threads = static_cast<int>(std::min<int64_t>(num_threads(), chunks));
  if (threads <= 1 || in_parallel()) {
    fn(context, 0, n);
    return;
  }
  // A part for each thread, the same one in loop after loop so that it finds its data in its
  // caches. Who is through with its own takes from those of others, who may not have come yet. Each
  // claim is a share of what a part has left: few ranges to prepare, and the last are short.
  const int64_t parts = std::min(threads, most_parts);
  Part part[most_parts];
  for (int64_t i = 0; i < parts; i++) {
    part[i].next.store(chunks * i / parts, std::memory_order_relaxed);
    part[i].end = chunks * (i + 1) / parts;
  }
  std::exception_ptr error;
  std::mutex error_mutex;
  std::atomic<bool> failed{false};
  share(threads, [&](int worker) {
    for (int64_t i = 0; i < parts; i++) {
      Part& from = part[(worker + i) % parts];
      int64_t first = from.next.load(std::memory_order_relaxed);
      while (first < from.end && !failed.load(std::memory_order_relaxed)) {
        const int64_t last = first + std::max<int64_t>(1, (from.end - first) / 4);
        if (!from.next.compare_exchange_weak(first, last, std::memory_order_relaxed)) continue;
        try {
          fn(context, first * grain, std::min(n, last * grain));
        } catch (...) {
          std::lock_guard<std::mutex> lock(error_mutex);
          if (!error) error = std::current_exception();
          failed.store(true, std::memory_order_relaxed);
        }
        first = from.next.load(std::memory_order_relaxed);
      }
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace heddle
