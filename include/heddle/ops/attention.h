// Attention and rotary embedding as single operations.
#pragma once

#include <optional>
#include <string>

#include "heddle/array.h"

namespace heddle::fast {

// softmax(scale q k^T + mask) v for q (B, Hq, Lq, D), k (B, Hkv, Lk, D), v (B, Hkv, Lk, Dv); Hkv
// divides Hq, and each key head serves Hq / Hkv query heads in a row. mask_mode "" or "causal"
// (aligned at the lower right); `mask` broadcasts to (B, Hq, Lq, Lk): bool (true attends) or added
// to the scores. `sinks` (Hq) adds a logit to every softmax of a head that attends to nothing. The
// softmax is taken in float32. No score matrix is stored.
Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v, float scale,
                                   const std::string& mask_mode = "",
                                   const std::optional<Array>& mask = {},
                                   const std::optional<Array>& sinks = {}, bool force_fused = false,
                                   StreamOrDevice s = {});

// Turns pairs of the first `dims` elements of the last dimension of a (B, ..., L, D) by
// (offset + position) * scale * frequency, where frequency i is base^(-2 i / dims) or 1 / freqs[i].
// Traditional pairs are neighbours, others lie dims / 2 apart. `offset` is a scalar or one per
// batch.
Array rope(const Array& a, int dims, bool traditional, std::optional<float> base, float scale,
           const Array& offset, const std::optional<Array>& freqs = {}, StreamOrDevice s = {});

}  // namespace heddle::fast
