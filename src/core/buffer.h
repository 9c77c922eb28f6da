// Reference-counted memory from the caching allocator, or memory of others with a way to give it
// back.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace heddle {

struct Buffer {
  std::atomic<int> references{1};
  bool writable = true;  // false: mapped files and read-only imports
  void* data = nullptr;  // aligned to 64 bytes where it is ours
  size_t bytes = 0;      // as asked for; what the statistics count
  size_t capacity = 0;   // size class of the block; 0 for memory of others, which is never donated
  void (*release)(void* context) = nullptr;  // memory of others: called once, on any thread
  void* context = nullptr;
};

// A shared handle. Copies are counted atomically; the last one frees.
class BufferRef {
 public:
  BufferRef() = default;
  explicit BufferRef(Buffer* owned) : buffer_(owned) {}
  BufferRef(const BufferRef& o) : buffer_(o.buffer_) {
    if (buffer_) buffer_->references.fetch_add(1, std::memory_order_relaxed);
  }
  BufferRef(BufferRef&& o) noexcept : buffer_(std::exchange(o.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef o) noexcept {
    std::swap(buffer_, o.buffer_);
    return *this;
  }
  ~BufferRef() {
    if (buffer_ && buffer_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) free(buffer_);
  }
  Buffer* get() const { return buffer_; }
  Buffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }
  bool unique() const {
    return buffer_ && buffer_->references.load(std::memory_order_acquire) == 1;
  }

 private:
  static void free(Buffer* b);
  Buffer* buffer_ = nullptr;
};

// Uninitialised memory. Throws std::runtime_error if the system has none left, after emptying the
// cache.
BufferRef allocate(size_t bytes);

// Wraps memory of someone else; counted in no statistic.
BufferRef wrap_memory(void* data, size_t bytes, bool writable, void (*release)(void*),
                      void* context);

}  // namespace heddle
