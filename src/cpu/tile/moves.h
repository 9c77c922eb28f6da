// Operands between memory and registers: strided runs and runs at listed places, in any dtype.
#pragma once

#include "cpu/tile/kernels.h"

namespace heddle::cpu::tile {

// A pattern of n = run * count elements: `count` runs of `run` elements `stride` apart. Run i
// begins at starts[i] (in elements), or at i where `starts` is null: then the runs lie side by side
// in memory, as the rows of a transposed matrix do, and are moved column by column.
struct Pattern {
  int64_t stride = 1;
  int run = 0;
  int count = 1;
  const int64_t* starts = nullptr;

  int size() const { return run * count; }
  bool dense() const { return count == 1 && stride == 1; }
};

// From this many bytes written on, whole cache lines go to memory past the caches: a third of the
// traffic is then saved, which is the reading of lines that will be overwritten. Below, the next
// operation finds its input in a cache.
inline constexpr int64_t stream_bytes = int64_t{16} << 20;

// Elements of 1, 2, 4 or 8 bytes between memory and a dense buffer in the pattern's order. With
// `stream`, runs of whole cache lines are written past the caches.
void gather(size_t width, const void* memory, const Pattern& p, void* dense);
void scatter(size_t width, const void* dense, const Pattern& p, void* memory, bool stream);

// memory -> lanes of `dtype`; lanes are filled up to a whole block. At most tile_size elements.
void read(const Kernels& k, const void* memory, Dtype dtype, const Pattern& p, void* lanes);
// lanes -> memory
void write(const Kernels& k, const void* lanes, Dtype dtype, const Pattern& p, void* memory,
           bool stream);

inline bool fills_lane(Dtype t) { return static_cast<int>(size_of(t)) == lane_bytes(lane_of(t)); }

inline const void* advance(const void* memory, int64_t elements, size_t width) {
  return static_cast<const unsigned char*>(memory) + elements * static_cast<int64_t>(width);
}
inline void* advance(void* memory, int64_t elements, size_t width) {
  return static_cast<unsigned char*>(memory) + elements * static_cast<int64_t>(width);
}

}  // namespace heddle::cpu::tile
