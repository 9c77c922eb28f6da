#include "cpu/signal_stack.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

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
    // Without memory it stays as it is.
    memory_.reset(new (std::nothrow) std::byte[own.ss_size]);
    if (!memory_) return;
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

}  // namespace

void separate_signal_stack() { thread_local SignalStack stack; }

}  // namespace heddle::cpu
