// Rotary position embedding.
#pragma once

#include "core/view.h"

namespace heddle::cpu {

struct RopeParams {
  int dims = 0;                 // how many of the last dimension's elements are rotated; even
  bool traditional = false;     // pairs are neighbours; else element i pairs with i + dims / 2
  float base = 10000;           // pair i turns by base^(-2 i / dims) a position,
  const View* freqs = nullptr;  // or by 1 / freqs[i]: float32, (dims / 2)
  float scale = 1;
  const View* offset = nullptr;  // int32 or int64, (1) or (B): the first position; null for 0
  bool inverse = false;          // turn back: the transpose, which gradients need
};

// out = x with pairs of elements turned by (offset + l) * scale * frequency.
// x and out are (B, H, L, D) of one dtype of float16, bfloat16, float32, any strides but a last one
// of 1 in out; out may be x itself. Angles are computed in float64. Thread-safe, parallel inside.
void rope(const View& x, const View& out, const RopeParams& params);

}  // namespace heddle::cpu
