// What the attention kernels share: the problem as blocks of rows, masks, and which keys a block
// needs.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/attention.h"

namespace heddle::cpu::attention_detail {

inline constexpr float lowest = std::numeric_limits<float>::lowest();

// The problem with the query heads of one key head seen as one long list of rows.
struct Problem {
  View q, k, v, out;
  AttentionParams params;
  int64_t key_heads, group, queries, keys, depth, value_depth;
  int64_t rows;  // group * queries

  int64_t head_of(int64_t key_head, int64_t row) const { return key_head * group + row / queries; }
  template <class T>
  const T* row_of(const View& view, int64_t b, int64_t head, int64_t at) const {
    return view.as<T>() + b * view.strides[0] + head * view.strides[1] + at * view.strides[2];
  }
};

// Rows [first, first + count) of key head `key_head` of batch entry b.
struct RowBlock {
  int64_t b, key_head, first, count;
};

// Applies the mask to scores (keys from `key` on, width): an additive mask is added, where a
// boolean or causal one forbids, the score becomes the lowest number. What the score was does not
// matter then, nor where an infinite mask is added, be it NaN.
inline void apply_mask(const Problem& p, const RowBlock& rows, int64_t key, int64_t keys,
                       float* scores, int64_t width) {
  if (p.params.causal) {
    for (int64_t lane = 0; lane < rows.count; lane++) {
      int64_t last = (rows.first + lane) % p.queries + p.keys - p.queries;
      for (int64_t i = std::max<int64_t>(0, last + 1 - key); i < keys; i++) {
        scores[i * width + lane] = lowest;
      }
    }
  }
  if (!p.params.mask) return;
  const View& mask = *p.params.mask;
  for (int64_t lane = 0; lane < rows.count; lane++) {
    int64_t row = rows.first + lane, step = mask.strides[3];
    int64_t offset = rows.b * mask.strides[0] + p.head_of(rows.key_head, row) * mask.strides[1] +
                     row % p.queries * mask.strides[2] + key * step;
    float* to = scores + lane;
    if (mask.dtype == Dtype::bool_) {
      const bool* from = mask.as<bool>() + offset;
      for (int64_t i = 0; i < keys; i++) {
        if (!from[i * step]) to[i * width] = lowest;
      }
    } else {
      visit_dtype(mask.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (!std::is_same_v<T, complex64_t>) {
          const T* from = mask.as<T>() + offset;
          for (int64_t i = 0; i < keys; i++) {
            const float more = static_cast<float>(from[i * step]), sum = to[i * width] + more;
            to[i * width] = more == -std::numeric_limits<float>::infinity() ? more : sum;
          }
        }
      });
    }
  }
}

// The keys that a block of rows has to look at: causal rows stop early, unless one of them may
// attend to nothing, which then averages all values.
inline int64_t key_limit(const Problem& p, const RowBlock& rows) {
  if (!p.params.causal) return p.keys;
  int64_t shift = p.keys - p.queries, first = rows.first % p.queries;
  bool wraps = first + rows.count > p.queries;
  if (shift < 0 && (wraps || first + shift < 0)) return p.keys;
  int64_t last = wraps ? p.queries - 1 : first + rows.count - 1;
  return std::clamp<int64_t>(last + shift + 1, 0, p.keys);
}

inline bool mask_matters(const Problem& p, const RowBlock& rows, int64_t key, int64_t keys) {
  if (p.params.mask) return true;
  if (!p.params.causal) return false;
  bool wraps = rows.first % p.queries + rows.count > p.queries;
  int64_t first = wraps ? 0 : rows.first % p.queries;
  return key + keys - 1 > first + p.keys - p.queries;
}

// The logit of the sink that a row competes with.
inline float sink_of(const Problem& p, const RowBlock& rows, int64_t lane) {
  const View& sinks = *p.params.sinks;
  int64_t head = p.head_of(rows.key_head, rows.first + lane);
  float logit = 0;
  visit_dtype(sinks.dtype, [&](auto tag) {
    using S = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<S, complex64_t>) {
      logit = static_cast<float>(sinks.as<S>()[head * sinks.strides[0]]);
    }
  });
  return logit;
}

// Whether all of a row of results are finite. Infinite or NaN values that a row does not attend to
// spoil its sums as 0 times themselves; such rows are computed again, leaving out what has no
// weight.
inline bool all_finite(const float* values, int64_t n) {
  int strange = 0;
  for (int64_t i = 0; i < n; i++) {
    strange |= !(std::abs(values[i]) <= std::numeric_limits<float>::max());
  }
  return !strange;
}
// One row (rows.count = 1) that way, into `values`.
void attend_row_by_weights(const Problem& p, const RowBlock& row, float* values);

// By oneDNN's matmul primitive, for a dtype that it multiplies natively; takes some dozens of rows.
void attend_by_primitives(const Problem& p);

}  // namespace heddle::cpu::attention_detail
