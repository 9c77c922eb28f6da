#include "heddle/allocator.h"

#include "core/buffer.h"

namespace heddle::allocator {
namespace {

heddle::Buffer* block_of(Buffer buffer) { return static_cast<heddle::Buffer*>(buffer.ptr()); }

// A block without an owner that counts.
Buffer let_go(const BufferRef& block) {
  block->references.fetch_add(1, std::memory_order_relaxed);
  return Buffer(block.get());
}

class EngineAllocator final : public Allocator {
 public:
  Buffer malloc(size_t bytes) override { return let_go(allocate(bytes)); }
  void free(Buffer buffer) override { BufferRef(block_of(buffer)); }
  size_t size(Buffer buffer) const override { return buffer.ptr() ? block_of(buffer)->bytes : 0; }
  Buffer make_buffer(void* memory, size_t bytes) override {
    return let_go(wrap_memory(memory, bytes, true, nullptr, nullptr));
  }
  void release(Buffer buffer) override { free(buffer); }
};

}  // namespace

void* Buffer::raw_ptr() const { return block_ ? block_of(*this)->data : nullptr; }

Allocator& allocator() {
  static auto* a = new EngineAllocator;  // outlives every array with static lifetime
  return *a;
}

Data::~Data() {
  if (owned_) {
    allocator().free(buffer_);
  } else if (deleter_) {
    deleter_(buffer_);
  }
}

Data malloc(size_t bytes) { return Data(allocator().malloc(bytes)); }
Buffer make_buffer(void* memory, size_t bytes) { return allocator().make_buffer(memory, bytes); }
void release(Buffer buffer) { allocator().release(buffer); }

}  // namespace heddle::allocator
