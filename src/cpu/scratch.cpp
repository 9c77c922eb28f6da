#include "cpu/scratch.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#include "core/per_thread.h"

namespace heddle::cpu {
namespace {

constexpr size_t alignment = 64;
constexpr size_t margin = 64;
constexpr size_t first_block = size_t{1} << 18;
constexpr size_t huge_page = size_t{1} << 21;
// Blocks beyond this size are returned to the system when they are no longer used.
constexpr size_t kept_block = size_t{1} << 27;

char* allocate(size_t size) {
  bool huge = size >= huge_page;
  char* memory = static_cast<char*>(std::aligned_alloc(huge ? huge_page : alignment, size));
  if (!memory) throw std::bad_alloc();
  // Without huge pages the first touch of a large block costs more than most kernels.
  if (huge) madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

struct ScratchStack {
  struct Block {
    char* memory;
    size_t size;
  };
  std::vector<Block> blocks;
  size_t block = 0;  // the one in use
  size_t offset = 0;

  ~ScratchStack() {
    for (Block& b : blocks) std::free(b.memory);
  }

  void* take(size_t bytes) {
    if (block < blocks.size() && offset + bytes <= blocks[block].size) {
      void* p = blocks[block].memory + offset;
      offset += bytes;
      return p;
    }
    size_t next = blocks.empty() ? 0 : block + 1;
    if (next < blocks.size() && blocks[next].size < bytes) {
      for (size_t i = next; i < blocks.size(); i++) std::free(blocks[i].memory);
      blocks.resize(next);
    }
    if (next == blocks.size()) {
      size_t size = std::max(bytes, blocks.empty() ? first_block : 2 * blocks.back().size);
      if (size > kept_block) size = bytes;
      size_t unit = size >= huge_page ? huge_page : alignment;
      size = (size + unit - 1) / unit * unit;
      blocks.reserve(next + 1);
      blocks.push_back({allocate(size), size});
    }
    block = next;
    offset = bytes;
    return blocks[block].memory;
  }

  void rewind(size_t to_block, size_t to_offset) {
    if (blocks.size() == to_block + 1 && blocks.back().size <= kept_block) {  // nearly always
      block = to_block;
      offset = to_offset;
      return;
    }
    while (blocks.size() > to_block + 1 && blocks.back().size > kept_block) {
      std::free(blocks.back().memory);
      blocks.pop_back();
    }
    if (to_block == 0 && to_offset == 0 && blocks.size() > 1 && blocks.back().size <= kept_block) {
      // Keep only the largest block, so that the next use of this depth finds one piece.
      std::swap(blocks.front(), blocks.back());
      for (size_t i = 1; i < blocks.size(); i++) std::free(blocks[i].memory);
      blocks.resize(1);
    } else if (to_block == 0 && to_offset == 0 && !blocks.empty() &&
               blocks.front().size > kept_block) {
      std::free(blocks.front().memory);
      blocks.clear();
    }
    block = to_block;
    offset = to_offset;
  }
};

Scratch::Scratch(size_t bytes) {
  ScratchStack& stack = per_thread<ScratchStack>();
  stack_ = &stack;
  block_ = stack.block;
  offset_ = stack.offset;
  data_ = stack.take((bytes + margin + alignment - 1) / alignment * alignment);
}

Scratch::~Scratch() { stack_->rewind(block_, offset_); }

}  // namespace heddle::cpu
