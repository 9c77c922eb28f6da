// How long a thread watches for what another is about to do before it sleeps. Waking a thread takes
// some 50 µs, so where cores are free it pays to watch; where they are not, watching takes the core
// from whoever is waited for. A hole in time while watching says that somebody else ran here.
#pragma once

#include <chrono>

namespace heddle {

class Patience {
 public:
  // True as soon as done() is; false if it was not for as long as it pays.
  template <class Done>
  bool watch(Done&& done) {
    using Clock = std::chrono::steady_clock;
    constexpr auto hole = std::chrono::microseconds(100);
    const auto start = Clock::now();
    for (auto last = start;;) {
      for (int i = 0; i < 32; i++) {
        if (done()) return true;
        pause();
      }
      const auto now = Clock::now();
      const bool interrupted = now - last > hole;
      if (interrupted || now - start > span_) {
        span_ = interrupted ? least : std::min(2 * span_, most);
        return done();
      }
      last = now;
    }
  }

 private:
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  using Span = std::chrono::nanoseconds;
  static constexpr Span least = std::chrono::microseconds(4), most = std::chrono::milliseconds(1);
  Span span_ = most;
};

}  // namespace heddle
