#include "cpu/signal_stack.h"

#include <omp.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>

namespace heddle::cpu {
namespace {

class SignalStack {
 public:
  SignalStack() {
    stack_t present{};
    if (sigaltstack(nullptr, &present) != 0 || !(present.ss_flags & SS_DISABLE)) return;
    // The registers alone, which the kernel puts there, take 11 KB with AVX-512 and AMX.
    constexpr long least = 1 << 16;
    stack_t own{};
    own.ss_size = static_cast<size_t>(std::max(least, sysconf(_SC_SIGSTKSZ)));
    memory_ = std::make_unique_for_overwrite<std::byte[]>(own.ss_size);
    own.ss_sp = memory_.get();
    sigaltstack(&own, nullptr);
  }
  ~SignalStack() {
    stack_t present{};
    if (!memory_ || sigaltstack(nullptr, &present) != 0 || present.ss_sp != memory_.get()) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  std::unique_ptr<std::byte[]> memory_;
};

void separate_on_this_thread() { thread_local SignalStack stack; }

}  // namespace

void separate_signal_stacks(int threads) {
  thread_local int served = 0;
  if (threads <= served) return;
  separate_on_this_thread();
  served = 1;
  if (threads == 1 || omp_in_parallel()) return;
#pragma omp parallel num_threads(threads)
  separate_on_this_thread();
  served = threads;
}

}  // namespace heddle::cpu
