// The caching allocator. A block is a 64-byte header (the Buffer) followed by the data. Small
// blocks come from malloc in size classes; blocks of 1 MB and more are mapped, with huge pages
// asked for, because a fresh page costs far more than the arithmetic done on it.
//
// Freed blocks are kept up to the cache limit. A mapped block beyond it is marked MADV_FREE: the
// kernel may take its pages whenever it wants memory, but while it does not, the block is reused
// without page faults. Such blocks count as freed, and their address space is bounded.
#include "core/buffer.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "heddle/memory.h"

namespace heddle {
namespace {

constexpr size_t header_bytes = 64;
constexpr size_t mapped_from = size_t{1} << 20;
constexpr size_t huge_page = size_t{2} << 20;
constexpr size_t default_cache_limit = size_t{32} << 20;  // MLX's on a CPU
static_assert(sizeof(Buffer) <= header_bytes);

// Four classes per power of two waste at most a quarter; the first class holds 64 bytes.
int class_of(size_t bytes) {
  if (bytes <= 64) return 0;
  int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power+1)
  size_t quarter = ((bytes - 1) >> (power - 2)) & 3;
  return (power - 6) * 4 + static_cast<int>(quarter) + 1;
}

size_t class_bytes(int c) {
  if (c == 0) return 64;
  int power = (c - 1) / 4 + 6;
  size_t quarter = static_cast<size_t>((c - 1) % 4);
  return (size_t{1} << power) + ((quarter + 1) << (power - 2));
}

constexpr int class_count = 4 * 42;

size_t physical_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Memory behind a mapped block starts on a huge page so that the kernel can use them.
void* map_block(size_t total) {
  size_t length = (total + huge_page - 1) / huge_page * huge_page;
  size_t reserve = length + huge_page;
  void* raw = mmap(nullptr, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto start = reinterpret_cast<uintptr_t>(raw);
  uintptr_t aligned = (start + huge_page - 1) / huge_page * huge_page;
  if (aligned > start) munmap(raw, aligned - start);
  size_t tail = start + reserve - (aligned + length);
  if (tail) munmap(reinterpret_cast<void*>(aligned + length), tail);
  madvise(reinterpret_cast<void*>(aligned), length, MADV_HUGEPAGE);
  return reinterpret_cast<void*>(aligned);
}

void unmap_block(void* block, size_t total) {
  munmap(block, (total + huge_page - 1) / huge_page * huge_page);
}

// Blocks that nobody holds, the last one first. They are linked through their contexts, which ours
// have no other use for: memory that is given back must not need memory.
class Stack {
 public:
  bool empty() const { return top_ == nullptr; }
  void push(Buffer* b) { b->context = std::exchange(top_, b); }
  Buffer* pop() {
    Buffer* b = top_;
    top_ = static_cast<Buffer*>(std::exchange(b->context, nullptr));
    return b;
  }

 private:
  Buffer* top_ = nullptr;
};

class Allocator {
 public:
  static Allocator& get() {
    static Allocator* allocator = new Allocator;  // outlives every array with static lifetime
    return *allocator;
  }

  Buffer* take(size_t bytes) {
    int c = class_of(bytes);
    if (c >= class_count) fail(bytes);
    size_t capacity = class_bytes(c);
    Buffer* b = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!free_[c].empty()) {
        b = free_[c].pop();
        cached_ -= b->bytes;
      } else if (!spare_[c].empty()) {
        b = spare_[c].pop();
        spare_bytes_ -= capacity;
      } else if (active_ + bytes > memory_limit_) {
        drop_cache();
      }
      active_ += bytes;
      peak_ = std::max(peak_, active_);
    }
    if (!b) {
      void* block = new_block(capacity);
      if (!block) {
        clear();
        block = new_block(capacity);
      }
      if (!block) {
        std::lock_guard<std::mutex> lock(mutex_);
        active_ -= bytes;
        fail(bytes);
      }
      b = new (block) Buffer;
      b->data = static_cast<char*>(block) + header_bytes;
      b->capacity = capacity;
    }
    b->references.store(1, std::memory_order_relaxed);
    b->bytes = bytes;
    return b;
  }

  void give_back(Buffer* b) {
    int c = class_of(b->capacity);
    std::unique_lock<std::mutex> lock(mutex_);
    active_ -= b->bytes;
    if (cached_ + b->bytes <= cache_limit_) {
      cached_ += b->bytes;
      free_[c].push(b);
    } else if (cache_limit_ > 0 && b->capacity >= mapped_from &&
               spare_bytes_ + b->capacity <= spare_limit_) {
      spare_bytes_ += b->capacity;
      spare_[c].push(b);
      lock.unlock();
      // The first huge page, which holds the header, is not given away.
      size_t length = (b->capacity + header_bytes) / huge_page * huge_page;
      if (length > huge_page) {
        madvise(reinterpret_cast<char*>(b) + huge_page, length - huge_page, MADV_FREE);
      }
    } else {
      lock.unlock();
      delete_block(b);
    }
  }

  void clear() {
    std::lock_guard<std::mutex> lock(mutex_);
    drop_cache();
  }

  template <class F>
  auto locked(F&& f) {
    std::lock_guard<std::mutex> lock(mutex_);
    return f(*this);
  }

  void trim() {
    for (int c = class_count; c-- > 0 && cached_ > cache_limit_;) {
      while (!free_[c].empty() && cached_ > cache_limit_) {
        Buffer* b = free_[c].pop();
        cached_ -= b->bytes;
        delete_block(b);
      }
    }
    if (cache_limit_ == 0) drop_spare();
  }

  size_t active_ = 0, peak_ = 0, cached_ = 0, spare_bytes_ = 0;
  size_t cache_limit_ = default_cache_limit;
  size_t memory_limit_ = physical_memory() / 10 * 8;

 private:
  [[noreturn]] static void fail(size_t bytes) {
    throw OutOfMemoryError(fmt::format("[malloc] Unable to allocate {} bytes.", bytes));
  }

  static void* new_block(size_t capacity) {
    size_t total = capacity + header_bytes;
    if (capacity >= mapped_from) return map_block(total);
    return std::aligned_alloc(64, (total + 63) / 64 * 64);
  }

  static void delete_block(Buffer* b) {
    size_t capacity = b->capacity;
    b->~Buffer();
    if (capacity >= mapped_from) {
      unmap_block(b, capacity + header_bytes);
    } else {
      std::free(b);
    }
  }

  void drop_spare() {
    for (Stack& stack : spare_) {
      while (!stack.empty()) delete_block(stack.pop());
    }
    spare_bytes_ = 0;
  }

  void drop_cache() {
    for (Stack& stack : free_) {
      while (!stack.empty()) delete_block(stack.pop());
    }
    cached_ = 0;
    drop_spare();
  }

  std::mutex mutex_;
  Stack free_[class_count];
  Stack spare_[class_count];
  size_t spare_limit_ = physical_memory() / 4;
};

}  // namespace

void BufferRef::free(Buffer* b) {
  if (b->capacity) {
    Allocator::get().give_back(b);
  } else {
    if (b->release) b->release(b->context);
    delete b;
  }
}

BufferRef allocate(size_t bytes) { return BufferRef(Allocator::get().take(bytes)); }

BufferRef wrap_memory(void* data, size_t bytes, bool writable, void (*release)(void*),
                      void* context) {
  auto* b = new Buffer;
  b->data = data;
  b->bytes = bytes;
  b->writable = writable;
  b->release = release;
  b->context = context;
  return BufferRef(b);
}

size_t get_active_memory() {
  return Allocator::get().locked([](Allocator& a) { return a.active_; });
}
size_t get_peak_memory() {
  return Allocator::get().locked([](Allocator& a) { return a.peak_; });
}
void reset_peak_memory() {
  Allocator::get().locked([](Allocator& a) { a.peak_ = 0; });
}
size_t get_cache_memory() {
  return Allocator::get().locked([](Allocator& a) { return a.cached_; });
}
size_t get_memory_limit() {
  return Allocator::get().locked([](Allocator& a) { return a.memory_limit_; });
}
size_t set_memory_limit(size_t bytes) {
  return Allocator::get().locked(
      [&](Allocator& a) { return std::exchange(a.memory_limit_, bytes); });
}
size_t set_cache_limit(size_t bytes) {
  return Allocator::get().locked([&](Allocator& a) {
    size_t former = std::exchange(a.cache_limit_, bytes);
    a.trim();
    return former;
  });
}
size_t set_wired_limit(size_t) { return 0; }
void clear_cache() { Allocator::get().clear(); }

}  // namespace heddle
