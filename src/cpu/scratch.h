// Scratch memory for kernels: a per-thread stack of aligned blocks that grows and is kept.
// A Scratch takes bytes on construction and gives them back on destruction, in last-in-first-out
// order on one thread (so: local variables only). The memory is uninitialised, aligned to 64 bytes,
// valid for reading and writing 64 bytes past its end, and may be used by other threads while the
// owner lives. Taking is a few nanoseconds once the thread's stack has grown; throws
// std::bad_alloc.
#pragma once

#include <cstddef>

namespace heddle::cpu {

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
