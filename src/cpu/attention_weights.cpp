// Attention of one row in plain steps: for rows with infinite or NaN values among their keys.
#include <cmath>

#include "cpu/attention_rows.h"
#include "cpu/scratch.h"

namespace heddle::cpu::attention_detail {
namespace {

// The fast kernels' exponential is 0 below the normal numbers.
float weight_of(float score, float maximum) {
  const float below = score - maximum;
  return below < -87.3f ? 0.f : std::exp(below);
}

template <class T>
void attend_row(const Problem& p, const RowBlock& row, float* values) {
  const int64_t keys = key_limit(p, row);
  Scratch space((p.depth + keys) * sizeof(float));
  float* query = space.as<float>();
  float* scores = query + p.depth;
  const T* q = p.row_of<T>(p.q, row.b, p.head_of(row.key_head, row.first), row.first % p.queries);
  for (int64_t i = 0; i < p.depth; i++) {
    query[i] = static_cast<float>(q[i * p.q.strides[3]]) * p.params.scale;
  }
  const T* k = p.row_of<T>(p.k, row.b, row.key_head, 0);
  for (int64_t key = 0; key < keys; key++) {
    const T* from = k + key * p.k.strides[2];
    float sum = 0;
    for (int64_t i = 0; i < p.depth; i++) sum += static_cast<float>(from[i]) * query[i];
    scores[key] = sum;
  }
  if (mask_matters(p, row, 0, keys)) apply_mask(p, row, 0, keys, scores, 1);
  float maximum = p.params.sinks ? sink_of(p, row, 0) : lowest;
  float sum = 0;
  for (int64_t key = 0; key < keys; key++) maximum = std::max(maximum, scores[key]);
  if (p.params.sinks) sum = weight_of(sink_of(p, row, 0), maximum);
  std::fill_n(values, p.value_depth, 0.f);
  const T* v = p.row_of<T>(p.v, row.b, row.key_head, 0);
  for (int64_t key = 0; key < keys; key++) {
    const float weight = weight_of(scores[key], maximum);
    if (weight == 0) continue;
    sum += weight;
    const T* from = v + key * p.v.strides[2];
    for (int64_t i = 0; i < p.value_depth; i++) values[i] += weight * static_cast<float>(from[i]);
  }
  for (int64_t i = 0; i < p.value_depth; i++) values[i] /= sum;
}

}  // namespace

void attend_row_by_weights(const Problem& p, const RowBlock& row, float* values) {
  switch (p.q.dtype) {
    case Dtype::float16:
      return attend_row<float16_t>(p, row, values);
    case Dtype::bfloat16:
      return attend_row<bfloat16_t>(p, row, values);
    default:
      return attend_row<float>(p, row, values);
  }
}

}  // namespace heddle::cpu::attention_detail
