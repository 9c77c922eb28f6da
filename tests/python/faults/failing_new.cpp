// To be preloaded: lets the n-th allocation of the engine's C++ fail, where the program asks for
// it. Allocations inside oneDNN are left alone: one within its parallel loops ends the process, and
// no caller can help that.
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<long> left{-1};

bool is_onednn(void* caller) {
  Dl_info info;
  return dladdr(caller, &info) && info.dli_fname && std::strstr(info.dli_fname, "libdnnl");
}

void* allocated(std::size_t size, void* caller) {
  if (left.load() >= 0 && !is_onednn(caller) && left.fetch_sub(1) == 0) return nullptr;
  return std::malloc(size ? size : 1);
}

void* allocated_or_thrown(std::size_t size, void* caller) {
  if (void* memory = allocated(size, caller)) return memory;
  throw std::bad_alloc();
}

}  // namespace

extern "C" {
// The allocation after n others fails, and none that follow; never one if n is negative.
void fail_after(long n) { left = n; }
// Whether the one that was to fail came.
bool has_failed() { return left.load() < 0; }
}

void* operator new(std::size_t size) {
  return allocated_or_thrown(size, __builtin_return_address(0));
}
void* operator new[](std::size_t size) {
  return allocated_or_thrown(size, __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocated(size, __builtin_return_address(0));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocated(size, __builtin_return_address(0));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
