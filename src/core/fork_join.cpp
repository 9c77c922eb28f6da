#include "core/fork_join.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "core/limits.h"
#include "core/patience.h"

namespace heddle {
namespace {

thread_local bool at_work = false;

// Work that threads may join. `state` counts the threads that may still join (upper half) and those
// that have and are at it (lower half); once both are zero nobody else touches the rest.
struct alignas(64) Job {
  std::atomic<bool> taken{false};
  std::atomic<uint32_t> state{0};
  void* context = nullptr;
  detail::ShareFn fn = nullptr;
};
constexpr uint32_t one_place = 1u << 16, places = ~(one_place - 1);

// The jobs at a time that find help; a program with more threads than that has its cores in use.
constexpr int most_jobs = 16;
constexpr int most_workers = 1024;

struct Pool {
  Job jobs[most_jobs];
  std::atomic<uint32_t> posted{0};  // what idle workers watch and sleep on
  std::atomic<int> workers{0};
  std::mutex growing;
};

// Never destroyed: its threads sleep on it when the process ends.
Pool& pool() {
  static Pool* const p = new Pool;
  return *p;
}

// Joins one of the jobs, if one has room.
bool help(Pool& p, int worker) {
  for (Job& job : p.jobs) {
    uint32_t state = job.state.load(std::memory_order_relaxed);
    while (state & places) {
      if (!job.state.compare_exchange_weak(state, state - one_place + 1, std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
        continue;
      }
      job.fn(job.context, worker);
      if (job.state.fetch_sub(1, std::memory_order_release) == 1) job.state.notify_all();
      return true;
    }
  }
  return false;
}

void* work(void*) {
  at_work = true;
  Pool& p = pool();
  const int worker = 1 + p.workers.fetch_add(1, std::memory_order_relaxed);
  p.workers.notify_all();
  Patience patience;
  for (;;) {
    const uint32_t posted = p.posted.load(std::memory_order_acquire);
    if (help(p, worker)) continue;
    if (!patience.watch([&] { return p.posted.load(std::memory_order_relaxed) != posted; })) {
      p.posted.wait(posted, std::memory_order_acquire);
    }
  }
}

// As many workers as that, or as the system lets us have. They take no signals: handlers run on the
// program's threads. Returns when they have begun, so that what memory their start takes is taken.
void grow(Pool& p, int wanted) {
  std::lock_guard<std::mutex> lock(p.growing);
  wanted = std::min(wanted, most_workers);
  if (p.workers.load(std::memory_order_relaxed) >= wanted) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  set_thread_stack(attributes);
  // Some memory is left for what a thread takes at its start.
  constexpr size_t margin = size_t{1} << 20;
  for (int n = p.workers.load(std::memory_order_relaxed); n < wanted && can_map(margin); n++) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, work, nullptr) != 0) break;
    p.workers.wait(n, std::memory_order_relaxed);
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Job* free_job(Pool& p) {
  for (Job& job : p.jobs) {
    if (!job.taken.load(std::memory_order_relaxed) &&
        !job.taken.exchange(true, std::memory_order_acquire)) {
      return &job;
    }
  }
  return nullptr;
}

}  // namespace

bool in_parallel() { return at_work || omp_in_parallel(); }

namespace detail {

void share_work(int threads, void* context, ShareFn fn) {
  Pool& p = pool();
  int helpers = std::min(threads - 1, most_workers);
  if (p.workers.load(std::memory_order_relaxed) < helpers) grow(p, helpers);
  const int workers = p.workers.load(std::memory_order_relaxed);
  helpers = std::min(helpers, workers);
  Job* const job = helpers > 0 ? free_job(p) : nullptr;
  at_work = true;
  if (!job) {
    fn(context, 0);
    at_work = false;
    return;
  }
  job->context = context;
  job->fn = fn;
  job->state.store(static_cast<uint32_t>(helpers) * one_place, std::memory_order_release);
  p.posted.fetch_add(1, std::memory_order_release);
  if (helpers == workers) {
    p.posted.notify_all();
  } else {
    for (int i = 0; i < helpers; i++) p.posted.notify_one();
  }
  fn(context, 0);
  at_work = false;

  thread_local Patience patience;
  uint32_t inside = job->state.fetch_and(~places, std::memory_order_acquire) & ~places;
  if (inside && !patience.watch([&] { return !job->state.load(std::memory_order_relaxed); })) {
    while ((inside = job->state.load(std::memory_order_relaxed))) job->state.wait(inside);
  }
  job->state.load(std::memory_order_acquire);
  job->taken.store(false, std::memory_order_release);
}

}  // namespace detail
}  // namespace heddle
