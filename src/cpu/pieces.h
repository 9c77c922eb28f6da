// How products and convolutions are cut for threads. Cuts look at shapes alone, so that results do
// not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace heddle::cpu {

// How many pieces keep threads busy to the end, also where some come late, and cost little: of some
// five microseconds at least, then of some hundreds.
inline int64_t wanted_pieces(int64_t multiplications) {
  return std::max({int64_t{1}, std::min<int64_t>(multiplications >> 18, 4),
                   std::min<int64_t>(multiplications >> 21, 8),
                   std::min<int64_t>(multiplications >> 24, 16), multiplications >> 28});
}

// Pieces of one size that an extent has, the last of which may be shorter.
inline int64_t parts(int64_t extent, int64_t piece) { return (extent + piece - 1) / piece; }

}  // namespace heddle::cpu
