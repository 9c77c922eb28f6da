#include "eval/async.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "core/graph_lock.h"
#include "core/node.h"
#include "core/stream.h"
#include "ops/checks.h"

namespace heddle {
namespace {

struct Job {
  Arrays arrays;
  int64_t owner;  // the thread that handed it over
};

struct Failure {
  Arrays arrays;
  std::vector<int> streams;
  std::exception_ptr error;
};

std::vector<int> streams_of(const Arrays& arrays) {
  std::vector<int> streams;
  for (const Array& a : arrays) streams.push_back(a.node()->stream);
  return streams;
}

class Worker {
 public:
  void hand_over(Job job) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (stopped_) {
      lock.unlock();
      compute(job);
      return;
    }
    if (!thread_.joinable() && !start()) {
      lock.unlock();
      compute(job);
      return;
    }
    queue_.push_back(std::move(job));
    handed_over_++;
    wake_.notify_one();
  }

  // Waits for everything handed over so far; false if there was nothing to wait for.
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    uint64_t target = handed_over_;
    if (done_ >= target || std::this_thread::get_id() == thread_.get_id()) return false;
    while (done_ < target) {
      if (finished_.wait_for(lock, std::chrono::milliseconds(50)) == std::cv_status::timeout) {
        lock.unlock();
        check_interrupt();
        lock.lock();
      }
    }
    return true;
  }

  // Takes the first failure for which `f` holds and throws it.
  template <class F>
  void rethrow_if(F f) {
    if (!any_failure_.load(std::memory_order_acquire)) return;
    Failure failure;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      auto at = std::find_if(failures_.begin(), failures_.end(), f);
      if (at == failures_.end()) return;
      failure = std::move(*at);
      failures_.erase(at);
      any_failure_ = !failures_.empty();
    }
    std::rethrow_exception(failure.error);
  }

  void stop() {
    std::deque<Job> left;  // freed without the lock
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
      left.swap(queue_);
      done_ += left.size();
      wake_.notify_one();
      finished_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  // False where the system refuses another thread.
  bool start() {
    try {
      thread_ = std::thread([this] { work(); });
      std::atexit(stop_async);  // a program that ends waits for the piece of work in flight
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      compute(job);
      job.arrays.clear();  // may free much; not under the lock
      lock.lock();
      done_++;
      finished_.notify_all();
    }
  }

  void compute(const Job& job) {
    ActingForThread acting(job.owner);
    try {
      eval(job.arrays);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      failures_.push_back({job.arrays, streams_of(job.arrays), std::current_exception()});
      any_failure_.store(true, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::deque<Job> queue_;
  std::vector<Failure> failures_;
  std::atomic<bool> any_failure_{false};
  uint64_t handed_over_ = 0, done_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

// Never destroyed: its thread may outlive static objects. A fork's child gets a new one.
Worker*& worker_slot() {
  static auto* worker = new Worker;
  return worker;
}

Worker& worker() { return *worker_slot(); }

}  // namespace

void async_eval(const Arrays& arrays) {
  Arrays wanted;
  for (const Array& a : arrays) {
    if (!a || a.is_available()) continue;
    const Node& n = *a.node();
    if (n.placeholder || (n.tracer && in_tracing())) {
      refuse("async_eval", "Not allowed inside a graph transformation.");
    }
    check_stream(n.stream);
    wanted.push_back(a);
  }
  if (!wanted.empty()) worker().hand_over({std::move(wanted), this_thread_number()});
}

void synchronize(const Stream& s) {
  check_stream(s.index);
  worker().wait();
  worker().rethrow_if([&](const Failure& f) {
    return std::find(f.streams.begin(), f.streams.end(), s.index) != f.streams.end();
  });
}

void synchronize() { synchronize(default_stream(default_device())); }

bool wait_for_async() { return worker().wait(); }

void rethrow_async_error(const Arrays& arrays) {
  worker().rethrow_if([&](const Failure& f) {
    return std::any_of(arrays.begin(), arrays.end(), [&](const Array& a) {
      return std::any_of(f.arrays.begin(), f.arrays.end(),
                         [&](const Array& b) { return b.same_as(a); });
    });
  });
}

void stop_async() { worker().stop(); }

void lock_for_fork() { lock_quiet_graph(); }
void unlock_after_fork_in_parent() { unlock_graph(); }
void restart_after_fork_in_child() {
  make_graph_lock_anew();
  worker_slot() = new Worker;
}

}  // namespace heddle
