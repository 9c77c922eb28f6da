// Scaled dot-product attention without a score matrix: blocks of keys pass by while a running
// maximum, sum and weighted mean are kept for each query.
#pragma once

#include "core/view.h"

namespace heddle::cpu {

struct AttentionParams {
  float scale = 1;
  bool causal = false;  // query i sees keys up to i + Lk - Lq
  // Of shape (B, Hq, Lq, Lk), strides 0 where broadcast: bool_ (true: attend) or a floating dtype
  // (added to the scores). Null if there is none.
  const View* mask = nullptr;
  const View* sinks = nullptr;  // (Hq): one more logit for each head, which attends to nothing
};

// out (B, Hq, Lq, Dv) = softmax(scale q k^T + mask) v for q (B, Hq, Lq, D), k (B, Hkv, Lk, D),
// v (B, Hkv, Lk, Dv), where Hkv divides Hq and each key head serves Hq / Hkv query heads in a row.
// One dtype of float16, bfloat16, float32; everything in between is float32. Any strides (a last
// one other than 1 costs a copy of k, v); out has a last stride of 1 and overlaps nothing. A query
// that may attend to nothing by a boolean or causal mask gets the mean of the values (as MLX has
// it), by an additive mask of -inf NaN. Keys and values that have no weight count as absent, be
// they infinite or NaN; rows that meet such values are computed a second time, without them. Memory
// beyond the operands does not grow with Lq Lk. Results do not depend on the number of threads. A
// query's result does not depend on the other queries either, nor on whether keys that a mask hides
// at the end are there; but in bfloat16, where oneDNN multiplies it, from 16 rows of a key head on
// the weights are rounded for its products. Thread-safe.
void attention(const View& q, const View& k, const View& v, const View& out,
               const AttentionParams& params);

}  // namespace heddle::cpu
