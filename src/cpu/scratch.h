// Scratch memory for kernels: a per-thread stack of aligned blocks that grows and is kept.
// A Scratch takes bytes on construction and gives them back on destruction, in last-in-first-out
// order on one thread (so: local variables only). The memory is uninitialised, aligned to 64 bytes,
// valid for reading and writing 64 bytes past its end, and may be used by other threads while the
// owner lives. Taking is a few nanoseconds once the thread's stack has grown; throws
// std::bad_alloc.
#pragma once

#include <cstddef>

namespace heddle::cpu {

// To add to a block that other threads read while its owner takes and writes the next: cores fetch
// ahead within a page, so that they would wrest lines of the next block from its owner again and
// again (measured: a convolution took 1.37 times as long on the owner).
inline constexpr size_t shared_margin = 4096;

struct ScratchStack;

class Scratch {
 public:
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  ScratchStack* stack_;
  void* data_;
  size_t block_;  // where the thread's stack stood before
  size_t offset_;
};

}  // namespace heddle::cpu
