#include "core/graph_lock.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <stdexcept>

namespace heddle {

// A thread that waits, in a list on the stacks of those who do.
struct Waiter {
  const void* thread;
  const Unfinished* unfinished;
  Waiter* next;

  bool is_for(const Node* n) const;
};

namespace {

std::atomic<WaitHook> wait_hook{nullptr};
std::atomic<void (*)()> interrupt_check{nullptr};

// Of the calling thread, whose name its address is.
struct ThisThread {
  int locks = 0;  // how often it holds the lock
  Claim* innermost = nullptr;
};
constinit thread_local ThisThread this_thread;

}  // namespace

// What the lock guards. Never destroyed: threads may outlive static objects.
struct Claims {
  std::mutex mutex;
  std::condition_variable changed;
  Claim* first = nullptr;
  Waiter* waiting = nullptr;
  int closing = 0;  // threads that want quiet: nobody begins an evaluation that is not nested
  uint32_t last_number = 0;

  static Claims& all() {
    static auto* claims = new Claims;
    return *claims;
  }

  Claim* of(const Node* n) const {
    for (Claim* c = first; c; c = c->next) {
      if (c->id == n->claim) return c;
    }
    return nullptr;
  }

  static bool computes(const Claim& c, const Node* n) {
    return c.suspended && c.computing &&
           std::any_of(c.computing->begin(), c.computing->end(),
                       [&](const Array& a) { return a.node() == n; });
  }

  // Whom one has to wait for who wants the node, which is not available.
  const Claim* keeper(const Node* n) const {
    const Claim* c = of(n);
    return c && (!c->suspended || computes(*c, n)) ? c : nullptr;
  }

  // Whether `thread` waits for code that `other` runs, or for a thread that does.
  bool waits_for(const void* thread, const void* other) const;

  bool is_quiet() const {
    for (const Claim* c = first; c; c = c->next) {
      if (!c->suspended && c->thread != &this_thread) return false;
    }
    return true;
  }

  // The lock's owner is a thread of the parent: it cannot be unlocked here, only made anew.
  void keep_only_mine() {
    new (&mutex) std::mutex;
    new (&changed) std::condition_variable;
    waiting = nullptr;
    closing = 0;
    this_thread.locks = 0;
    for (Claim* c = first; c;) {
      Claim* const next = c->next;
      if (c->thread != &this_thread) c->unlink();
      c = next;
    }
  }

  void notify() {
    if (waiting || closing > 0) changed.notify_all();
  }
};

namespace {

void lock_aside(Claims& all) {
  // Without keeping the lock, lest one who then waits for the other lock holds both.
  do {
    wait_aside([&] { std::lock_guard<std::mutex> lock(all.mutex); });
  } while (!all.mutex.try_lock());
}

}  // namespace

void lock_graph() {
  ThisThread& here = this_thread;
  if (here.locks == 0) {
    Claims& all = Claims::all();
    if (!all.mutex.try_lock()) [[unlikely]]
      lock_aside(all);
  }
  here.locks++;
}

void unlock_graph() {
  if (--this_thread.locks == 0) Claims::all().mutex.unlock();
}

void set_wait_hook(WaitHook hook) { wait_hook = hook; }

void set_interrupt_check(void (*check)()) { interrupt_check = check; }

void check_interrupt() {
  if (auto check = interrupt_check.load(std::memory_order_relaxed)) check();
}

void wait_aside(void (*wait)(void*), void* context) {
  if (auto hook = wait_hook.load()) {
    hook(wait, context);
  } else {
    wait(context);
  }
}

bool is_walking_or_evaluating() { return this_thread.locks > 0 || this_thread.innermost; }

// ---------------------------------------------------------------------------------------------

bool Waiter::is_for(const Node* n) const {
  return std::any_of(unfinished->nodes_.begin(), unfinished->nodes_.end(),
                     [&](const Array& a) { return a.node() == n; });
}

bool Claims::waits_for(const void* thread, const void* other) const {
  for (const Waiter* w = waiting; w; w = w->next) {
    if (w->thread != thread) continue;
    for (const Claim* c = first; c; c = c->next) {
      const bool awaited =
          c->computing && std::any_of(c->computing->begin(), c->computing->end(),
                                      [&](const Array& a) { return a && w->is_for(a.node()); });
      if (awaited && (c->thread == other || waits_for(c->thread, other))) return true;
    }
  }
  return false;
}

bool Unfinished::look_up(Node* n) {
  Claim* c = Claims::all().of(n);
  if (!c) return false;
  const bool computed = Claims::computes(*c, n), mine = c->thread == &this_thread;
  if (computed && mine) {
    throw std::invalid_argument(
        fmt::format("[eval] {} asks for a result that it is computing.", n->op->title()));
  }
  if (!computed && (c->suspended || mine) && !n->available()) {
    c->robbed = true;
    return false;
  }
  // It may have become available since the walk saw that it was not: then it has no op any more,
  // and the walk begins again at once.
  n->await();
  nodes_.push_back(Array::share(n));
  return true;
}

bool Unfinished::is_own(const Node* n) {
  if (n->claim == 0) return false;
  const Claim* c = Claims::all().of(n);
  return c && c->thread == &this_thread && Claims::computes(*c, n);
}

void Unfinished::wait_for_quiet() { closed_ = Claims::all().closing > 0 && this_thread.locks == 1; }

bool Unfinished::is_over() const {
  const Claims& all = Claims::all();
  return !(closed_ && all.closing > 0) &&
         std::none_of(nodes_.begin(), nodes_.end(),
                      [&](const Array& a) { return !a.is_available() && all.keeper(a.node()); });
}

void Unfinished::wait() {
  if (empty()) return;
  if (this_thread.locks > 0) {
    throw std::runtime_error(
        "[eval] Arrays that another thread computes cannot be waited for here.");
  }
  wait_aside([&] {
    Claims& all = Claims::all();
    Claim* const mine = this_thread.innermost;
    if (mine && !mine->suspended) {
      // Memory of others is given back amid an evaluation, and their code evaluates.
      mine->suspend(nullptr);
      try {
        wait();
      } catch (...) {
        mine->resume();
        throw;
      }
      mine->resume();
      return;
    }
    std::unique_lock<std::mutex> lock(all.mutex);
    Waiter me{&this_thread, this, all.waiting};
    all.waiting = &me;
    auto leave = [&] {
      Waiter** at = &all.waiting;
      while (*at != &me) at = &(*at)->next;
      *at = me.next;
    };
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds between_checks(50);
    auto next_check = Clock::now() + between_checks;
    try {
      while (!is_over()) {
        if (all.waits_for(&this_thread, &this_thread)) {
          throw std::invalid_argument(
              "[eval] An array is asked for which another thread computes with code that waits for "
              "what is being computed here.");
        }
        all.changed.wait_until(lock, next_check);
        if (Clock::now() >= next_check) {
          lock.unlock();
          check_interrupt();
          lock.lock();
          next_check = Clock::now() + between_checks;
        }
      }
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      leave();
      throw;
    }
    leave();
  });
}

// ---------------------------------------------------------------------------------------------

bool lock_quiet_graph(std::optional<std::chrono::milliseconds> patience) {
  if (this_thread.locks > 0) {
    this_thread.locks++;
    return true;
  }
  Claims& all = Claims::all();
  const auto until = std::chrono::steady_clock::now() + patience.value_or(std::chrono::hours(1));
  bool late = false;
  {
    GraphLock here;
    all.closing++;
  }
  for (;;) {
    wait_aside([&] {
      std::unique_lock<std::mutex> held(all.mutex);
      while (!all.is_quiet() && !late) {
        late = all.changed.wait_until(held, until) == std::cv_status::timeout && patience;
      }
    });
    lock_graph();
    if (late || all.is_quiet()) break;
    unlock_graph();
  }
  all.closing--;
  all.changed.notify_all();
  if (late) unlock_graph();
  return !late;
}

void make_graph_lock_anew() { Claims::all().keep_only_mine(); }

// ---------------------------------------------------------------------------------------------

Claim::Claim() : thread(&this_thread), outer(this_thread.innermost) {}

// After 2^32 evaluations a node that was left lazy long ago may seem to be claimed. Whoever wants
// it waits needlessly then, or has an evaluation plan needlessly.
uint32_t Claim::take_number() {
  uint32_t& last = Claims::all().last_number;
  if (++last == 0) ++last;
  return id = last;
}

void Claim::begin() {
  Claims& all = Claims::all();
  next = all.first;
  link = &all.first;
  if (next) next->link = &next;
  all.first = this;
  this_thread.innermost = this;
  if (outer) {
    outer_was_suspended = std::exchange(outer->suspended, true);
    if (!outer_was_suspended) all.notify();
  }
}

void Claim::unlink() {
  *link = next;
  if (next) next->link = link;
}

void Claim::end() noexcept {
  GraphLock lock;
  unlink();
  this_thread.innermost = outer;
  if (outer) outer->suspended = outer_was_suspended;
  Claims::all().notify();
}

void Claim::suspend(const Arrays* results) {
  GraphLock lock;
  suspended = true;
  computing = results;
  Claims::all().notify();
}

void Claim::resume() noexcept {
  GraphLock lock;
  suspended = false;
  computing = nullptr;
}

void wake_waiters() noexcept {
  { GraphLock lock; }
  Claims::all().changed.notify_all();
}

}  // namespace heddle
