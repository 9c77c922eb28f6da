#include <algorithm>
#include <stdexcept>

#include "core/threads.h"
#include "cpu/attention_rows.h"
#include "cpu/dnnl.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/attention_primitives.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/exp-inl.h"
#include "cpu/half_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// 2^y for y <= 0, to be rounded to bfloat16: relative error 4e-6 (Taylor polynomial of degree 4 on
// |r| <= 1/2), exactly 0 below the normal numbers. NaN stays.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V coarse_exp2(D d, V y) {
  const hn::RebindToSigned<D> di;
  const V n = hn::Round(y), r = hn::Sub(y, n);
  V p = hn::Set(d, 9.61812911e-3f);
  p = hn::MulAdd(p, r, hn::Set(d, 5.55041087e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 2.40226507e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 6.93147181e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.f));
  const V power =
      hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127))));
  return hn::IfThenZeroElse(hn::Lt(y, hn::Set(d, -126.f)), hn::Mul(p, power));
}

// Positive numbers rounded to bfloat16, ties upwards. (A NaN need not survive here: it is in the
// sum.)
template <class D>
HWY_INLINE void store_weights(hn::Vec<D> v, D d, bfloat16_t* to) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<uint16_t, D> narrow;
  const auto bits = hn::Add(hn::BitCast(wide, v), hn::Set(wide, 0x8000u));
  (void)d;
  hn::StoreU(hn::TruncateTo(narrow, hn::ShiftRight<16>(bits)), narrow,
             reinterpret_cast<uint16_t*>(to));
}

// One row of scores (times `scale`) becomes exp(score - maximum) in bfloat16; maximum and sum are
// brought up to date. Returns what sums so far have to be multiplied with.
float softmax_row(const float* scores, int64_t n, float scale, bfloat16_t* weights, float* maximum,
                  float* sum) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, scale);
  auto highest = hn::Set(d, *maximum), second = highest;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    highest = hn::Max(highest, hn::Mul(hn::LoadU(d, scores + i), factor));
    second = hn::Max(second, hn::Mul(hn::LoadU(d, scores + i + lanes), factor));
  }
  float top = hn::GetLane(hn::MaxOfLanes(d, hn::Max(highest, second)));
  for (; i < n; i++) top = std::max(top, scores[i] * scale);

  // The difference comes first: it is exact where it matters, and cannot overflow to +infinity.
  constexpr float log2_e = 1.44269504088896341f;
  const auto shift = hn::Set(d, top), base = hn::Set(d, log2_e);
  auto weight_of = [&](const float* from) HWY_ATTR {
    auto below = hn::Sub(hn::Mul(hn::LoadU(d, from), factor), shift);
    return coarse_exp2(d, hn::Mul(below, base));
  };
  auto total = hn::Zero(d), other = hn::Zero(d);
  for (i = 0; i + 2 * lanes <= n; i += 2 * lanes) {
    auto e = weight_of(scores + i), f = weight_of(scores + i + lanes);
    total = hn::Add(total, e);
    other = hn::Add(other, f);
    store_weights(e, d, weights + i);
    store_weights(f, d, weights + i + lanes);
  }
  float rest = 0;
  for (; i < n; i++) {
    auto below = hn::Set(d, (scores[i] * scale - top) * log2_e);
    float e = hn::GetLane(coarse_exp2(d, below));
    rest += e;
    weights[i] = e;
  }
  float correction =
      *maximum == top ? 1.f : hn::GetLane(exp_of_negative(d, hn::Set(d, *maximum - top)));
  *sum = *sum * correction + hn::GetLane(hn::SumOfLanes(d, hn::Add(total, other))) + rest;
  *maximum = top;
  return correction;
}

void scale_row(float* row, int64_t n, float factor) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, factor)), d, row + i);
  }
  for (; i < n; i++) row[i] *= factor;
}

void round_row(const float* row, int64_t n, bfloat16_t* out) { round_run(row, out, n); }

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(softmax_row);
HWY_EXPORT(scale_row);
HWY_EXPORT(round_row);

namespace attention_detail {
namespace {

// Large enough that rearranging keys and values for AMX is paid for by many rows; scores, weights
// and sums of a block stay in the L2 cache.
constexpr int64_t row_block = 128;
constexpr int64_t key_block = 512;

// Blocks are filled up with zeros to a few sizes: making a primitive for each length of a prompt
// would take longer than the attention itself.
int64_t padded_rows(int64_t n) { return n <= 16 ? 16 : (n + 31) / 32 * 32; }
int64_t padded_keys(int64_t n) { return (n + 63) / 64 * 64; }

onednn::Tensor matrix(Dtype t, int64_t rows, int64_t columns, int64_t row_stride,
                      int64_t column_stride) {
  onednn::Tensor m;
  m.dtype = static_cast<int64_t>(t);
  m.rank = 2;
  m.dims[0] = rows;
  m.dims[1] = columns;
  m.strides[0] = row_stride;
  m.strides[1] = column_stride;
  return m;
}

void multiply(const onednn::MatmulRequest& request, const void* a, const void* b, void* out) {
  if (!onednn::matmul(request, a, b, out)) {
    throw std::runtime_error("[scaled_dot_product_attention] oneDNN has no fast bfloat16 product.");
  }
}

struct Space {
  bfloat16_t *queries, *weights, *filled;
  float *scores, *weighted, *maximum, *sum;
};

struct Rows {
  const bfloat16_t* data;
  int64_t stride;
};

// `n` rows of keys or values, of `padded` of which the rest are zeros.
Rows filled_up(const bfloat16_t* data, int64_t stride, int64_t n, int64_t padded, int64_t width,
               bfloat16_t* space) {
  if (n == padded) return {data, stride};
  for (int64_t r = 0; r < n; r++) std::copy_n(data + r * stride, width, space + r * width);
  std::fill_n(space + n * width, (padded - n) * width, bfloat16_t(0.f));
  return {space, width};
}

// The queries of a block, filled up, and what is summed over keys before the first.
void start(const Problem& p, const RowBlock& rows, int64_t height, const Space& space) {
  const int64_t n = rows.count;
  std::fill_n(space.queries + n * p.depth, (height - n) * p.depth, bfloat16_t(0.f));
  for (int64_t r = 0; r < n; r++) {
    int64_t row = rows.first + r;
    const bfloat16_t* from =
        p.row_of<bfloat16_t>(p.q, rows.b, p.head_of(rows.key_head, row), row % p.queries);
    for (int64_t i = 0; i < p.depth; i++) space.queries[r * p.depth + i] = from[i * p.q.strides[3]];
    space.maximum[r] = p.params.sinks ? sink_of(p, rows, r) : lowest;
    space.sum[r] = p.params.sinks ? 1 : 0;
  }
}

void store(const Problem& p, const RowBlock& rows, const Space& space) {
  for (int64_t r = 0; r < rows.count; r++) {
    int64_t row = rows.first + r;
    float* sums = space.weighted + r * p.value_depth;
    HWY_DYNAMIC_DISPATCH(scale_row)(sums, p.value_depth, 1 / space.sum[r]);
    if (!all_finite(sums, p.value_depth)) {
      attend_row_by_weights(p, {rows.b, rows.key_head, row, 1}, sums);
    }
    HWY_DYNAMIC_DISPATCH(round_row)
    (sums, p.value_depth,
     const_cast<bfloat16_t*>(
         p.row_of<bfloat16_t>(p.out, rows.b, p.head_of(rows.key_head, row), row % p.queries)));
  }
}

void attend_block(const Problem& p, const RowBlock& rows, const Space& space) {
  const Dtype half = Dtype::bfloat16, full = Dtype::float32;
  const int64_t n = rows.count, height = padded_rows(n);
  start(p, rows, height, space);
  const int64_t end = key_limit(p, rows);
  for (int64_t key = 0; key < end; key += key_block) {
    const int64_t keys = std::min(key_block, end - key), width = padded_keys(keys);
    const Rows k = filled_up(p.row_of<bfloat16_t>(p.k, rows.b, rows.key_head, key), p.k.strides[2],
                             keys, width, p.depth, space.filled);
    onednn::MatmulRequest scores;
    scores.a = matrix(half, height, p.depth, p.depth, 1);
    scores.b = matrix(half, p.depth, width, 1, k.stride);
    scores.out = matrix(full, height, width, width, 1);
    multiply(scores, space.queries, k.data, space.scores);
    std::fill_n(space.weights + n * width, (height - n) * width, bfloat16_t(0.f));
    const bool masked = mask_matters(p, rows, key, keys);
    for (int64_t r = 0; r < n; r++) {
      float* row = space.scores + r * width;
      float scale = p.params.scale;
      if (masked) {
        HWY_DYNAMIC_DISPATCH(scale_row)(row, keys, scale);
        scale = 1;
        apply_mask(p, {rows.b, rows.key_head, rows.first + r, 1}, key, keys, row, 1);
      }
      float correction = HWY_DYNAMIC_DISPATCH(softmax_row)(
          row, keys, scale, space.weights + r * width, space.maximum + r, space.sum + r);
      std::fill_n(space.weights + r * width + keys, width - keys, bfloat16_t(0.f));
      if (key > 0 && correction != 1) {
        HWY_DYNAMIC_DISPATCH(scale_row)
        (space.weighted + r * p.value_depth, p.value_depth, correction);
      }
    }
    const Rows v = filled_up(p.row_of<bfloat16_t>(p.v, rows.b, rows.key_head, key), p.v.strides[2],
                             keys, width, p.value_depth, space.filled);
    onednn::MatmulRequest weighted;
    weighted.a = matrix(half, height, width, width, 1);
    weighted.b = matrix(half, width, p.value_depth, v.stride, 1);
    weighted.out = matrix(full, height, p.value_depth, p.value_depth, 1);
    weighted.accumulate = key > 0;
    multiply(weighted, space.weights, v.data, space.weighted);
  }
  store(p, rows, space);
}

}  // namespace

void attend_by_primitives(const Problem& p) {
  const int64_t blocks = (p.rows + row_block - 1) / row_block;
  // Short rows of few heads are not worth waking other threads.
  const int64_t each = padded_rows(std::min(p.rows, row_block)) * padded_keys(p.keys) * p.depth;
  const int64_t grain = std::max<int64_t>(1, parallel_grain * 32 / std::max<int64_t>(each, 1));
  parallel_for(p.q.shape[0] * p.key_heads * blocks, grain, [&](int64_t begin, int64_t end) {
    Scratch queries(row_block * p.depth * sizeof(bfloat16_t));
    Scratch weights(row_block * key_block * sizeof(bfloat16_t));
    Scratch scores(row_block * key_block * sizeof(float));
    Scratch weighted(row_block * p.value_depth * sizeof(float));
    Scratch filled(key_block * std::max(p.depth, p.value_depth) * sizeof(bfloat16_t));
    Scratch states(2 * row_block * sizeof(float));
    Space space{queries.as<bfloat16_t>(),      weights.as<bfloat16_t>(),
                filled.as<bfloat16_t>(),       scores.as<float>(),
                weighted.as<float>(),          states.as<float>(),
                states.as<float>() + row_block};
    for (int64_t i = begin; i < end; i++) {
      int64_t first = i % blocks * row_block, head = i / blocks;
      attend_block(
          p, {head / p.key_heads, head % p.key_heads, first, std::min(row_block, p.rows - first)},
          space);
    }
  });
}

}  // namespace attention_detail
}  // namespace heddle::cpu
#endif
