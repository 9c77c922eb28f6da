// Memory for the results of primitives of a program's own, from the allocator that every array
// uses (see heddle/memory.h for its statistics and limits), under MLX's names.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

namespace heddle::allocator {

// A block of memory as a plain value: copies name the same block, none owns it. Made by malloc()
// or make_buffer() alone.
class Buffer {
 public:
  explicit Buffer(void* block) : block_(block) {}
  void* raw_ptr() const;  // the memory; null for no block
  void* ptr() { return block_; }
  const void* ptr() const { return block_; }

 private:
  void* block_;
};

class Allocator {
 public:
  virtual ~Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // Uninitialised memory, aligned to 64 bytes. Throws std::runtime_error if the system has none.
  virtual Buffer malloc(size_t bytes) = 0;
  virtual void free(Buffer buffer) = 0;
  virtual size_t size(Buffer buffer) const = 0;  // in bytes, as asked for
  // Memory of the caller's, which stays the caller's: release() forgets it.
  virtual Buffer make_buffer(void* memory, size_t bytes) = 0;
  virtual void release(Buffer buffer) = 0;

 protected:
  Allocator() = default;
};
Allocator& allocator();

using Deleter = std::function<void(Buffer)>;

// Owns a block until an array takes it over.
class Data {
 public:
  // Memory of others: `deleter` is called once, on any thread, when the last array is gone.
  Data(Buffer buffer, Deleter deleter) : buffer_(buffer), deleter_(std::move(deleter)) {}
  Data(Data&& other) noexcept
      : buffer_(std::exchange(other.buffer_, Buffer(nullptr))),
        deleter_(std::exchange(other.deleter_, nullptr)),
        owned_(std::exchange(other.owned_, false)) {}
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;
  ~Data();

  Buffer buffer() const { return buffer_; }
  bool is_owned() const { return owned_; }
  const Deleter& deleter() const { return deleter_; }
  // Hands the block over: whoever calls it frees it.
  Buffer take() {
    owned_ = false;
    deleter_ = nullptr;
    return std::exchange(buffer_, Buffer(nullptr));
  }

 private:
  friend Data malloc(size_t bytes);
  explicit Data(Buffer buffer) : buffer_(buffer), owned_(true) {}

  Buffer buffer_;
  Deleter deleter_;
  bool owned_ = false;
};

Data malloc(size_t bytes);
Buffer make_buffer(void* memory, size_t bytes);
void release(Buffer buffer);

}  // namespace heddle::allocator
