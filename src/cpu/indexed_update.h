// What kernels share that return an array with some elements changed.
#pragma once

#include "cpu/kernel.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// Gives output 0 the elements of input 0, row-major: in its own memory if nobody else wants it.
void begin_update(const Work& work);

// A box of elements as a few loops: dimensions of size one dropped, neighbours that lie evenly in
// all operands merged. The last loop is the innermost; there is always at least one.
struct BoxLoop {
  int64_t count;
  int64_t a;  // steps in elements of the operands
  int64_t b;
};
std::vector<BoxLoop> collapse_box(const Shape& shape, const Strides& a, const Strides& b);

// Calls f(offset_a, offset_b) for each position of all loops but the last.
template <class F>
void for_each_row(const std::vector<BoxLoop>& loops, F&& f) {
  size_t outer = loops.size() - 1;
  int64_t rows = 1;
  for (size_t i = 0; i < outer; i++) rows *= loops[i].count;
  for (int64_t r = 0; r < rows; r++) {
    int64_t rest = r, a = 0, b = 0;
    for (size_t i = outer; i-- > 0;) {
      int64_t at = rest % loops[i].count;
      rest /= loops[i].count;
      a += at * loops[i].a;
      b += at * loops[i].b;
    }
    f(a, b);
  }
}

}  // namespace heddle::cpu
