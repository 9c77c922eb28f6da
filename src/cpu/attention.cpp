#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/threads.h"
#include "cpu/attention_rows.h"
#include "cpu/dnnl.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"
#include "cpu/tile/bytecode.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/exp-inl.h"
#include "cpu/matrix_blocks-inl.h"

#ifndef HEDDLE_CPU_ATTENTION_CPP_ONCE
#define HEDDLE_CPU_ATTENTION_CPP_ONCE
namespace heddle::cpu {
using namespace attention_detail;
namespace {

constexpr int64_t key_block = 128;    // scores of one block of keys stay in the L1 cache
constexpr int64_t split_keys = 1024;  // pieces of the keys; threads share them where rows are few
constexpr int64_t few_queries = 4;    // fewer than this many do not fill a vector
constexpr int64_t one_block = 16;     // so few rows do not keep threads busy

// What is known of one block of rows after some keys: for each row (a lane of `width`) the maximum
// of the scores, the sum of exp(score - maximum), and the sum of values weighted so (values as
// rows).
struct Running {
  int64_t width;
  float* maximum;
  float* sum;
  float* weighted;  // (value_depth, width)
};

}  // namespace
}  // namespace heddle::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

template <int vectors, bool adds>
void multiply_rows(int64_t rows, int64_t K, const float* a, int64_t row_stride, int64_t k_stride,
                   const float* b, float* c, const float* factors) {
  const hn::ScalableTag<float> d;
  const int64_t pitch = vectors * static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + block_rows <= rows; i += block_rows) {
    multiply_block<block_rows, vectors, adds>(d, K, a + i * row_stride, row_stride, k_stride, b,
                                              c + i * pitch, factors);
  }
  for (; i + 2 <= rows; i += 2) {
    multiply_block<2, vectors, adds>(d, K, a + i * row_stride, row_stride, k_stride, b,
                                     c + i * pitch, factors);
  }
  if (i < rows) {
    multiply_block<1, vectors, adds>(d, K, a + i * row_stride, row_stride, k_stride, b,
                                     c + i * pitch, factors);
  }
}

// Brings the running values up to date with the scores (keys, width), which become exp(score -
// maximum); `factors` are what sums so far have to be multiplied with.
template <int vectors>
void softmax_step(float* scores, int64_t keys, Running& run, float* factors) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V maximum[vectors], sum[vectors];
  for (int j = 0; j < vectors; j++) maximum[j] = hn::LoadU(d, run.maximum + j * lanes);
  for (int64_t i = 0; i < keys; i++) {
    const float* row = scores + i * vectors * lanes;
    for (int j = 0; j < vectors; j++)
      maximum[j] = hn::Max(maximum[j], hn::LoadU(d, row + j * lanes));
  }
  for (int j = 0; j < vectors; j++) {
    V factor = exp_of_negative(d, hn::Sub(hn::LoadU(d, run.maximum + j * lanes), maximum[j]));
    hn::StoreU(factor, d, factors + j * lanes);
    hn::StoreU(maximum[j], d, run.maximum + j * lanes);
    sum[j] = hn::Mul(hn::LoadU(d, run.sum + j * lanes), factor);
  }
  for (int64_t i = 0; i < keys; i++) {
    float* row = scores + i * vectors * lanes;
    for (int j = 0; j < vectors; j++) {
      V p = exp_of_negative(d, hn::Sub(hn::LoadU(d, row + j * lanes), maximum[j]));
      hn::StoreU(p, d, row + j * lanes);
      sum[j] = hn::Add(sum[j], p);
    }
  }
  for (int j = 0; j < vectors; j++) hn::StoreU(sum[j], d, run.sum + j * lanes);
}

// `count` rows of a key or value head from `key` on, as floats: in place, or converted into
// `space`.
template <class T>
const float* floats_of(const Problem& p, const View& view, const RowBlock& rows, int64_t key,
                       int64_t count, int64_t length, float* space, int64_t& stride) {
  const T* from = p.row_of<T>(view, rows.b, rows.key_head, key);
  if constexpr (std::is_same_v<T, float>) {
    stride = view.strides[2];
    return from;
  } else {
    for (int64_t i = 0; i < count; i++) {
      convert_run(from + i * view.strides[2], space + i * length, length);
    }
    stride = length;
    return space;
  }
}

// A block of rows against keys [begin, end): scores are computed transposed, so that each row is a
// lane and neither keys nor values have to be rearranged.
template <int vectors, class T>
void attend_lanes(const Problem& p, const RowBlock& rows, int64_t begin, int64_t end,
                  Running& run) {
  const int64_t width = run.width;
  constexpr bool converts = !std::is_same_v<T, float>;
  Scratch space((p.depth * width + key_block * width + width +
                 (converts ? key_block * (p.depth + p.value_depth) : 0)) *
                sizeof(float));
  float* queries = space.as<float>();
  float* scores = queries + p.depth * width;
  float* factors = scores + key_block * width;
  float* converted = factors + width;
  for (int64_t lane = 0; lane < width; lane++) {
    // Lanes beyond the block repeat its last row: they cost nothing and stay finite.
    int64_t row = rows.first + std::min(lane, rows.count - 1);
    const T* from = p.row_of<T>(p.q, rows.b, p.head_of(rows.key_head, row), row % p.queries);
    for (int64_t i = 0; i < p.depth; i++) {
      queries[i * width + lane] = static_cast<float>(from[i * p.q.strides[3]]) * p.params.scale;
    }
  }
  for (int64_t key = begin; key < end; key += key_block) {
    int64_t keys = std::min(key_block, end - key), stride;
    const float* k = floats_of<T>(p, p.k, rows, key, keys, p.depth, converted, stride);
    multiply_rows<vectors, false>(keys, p.depth, k, stride, 1, queries, scores, nullptr);
    if (mask_matters(p, rows, key, keys)) apply_mask(p, rows, key, keys, scores, width);
    softmax_step<vectors>(scores, keys, run, factors);
    const float* v = floats_of<T>(p, p.v, rows, key, keys, p.value_depth,
                                  converted + key_block * p.depth, stride);
    multiply_rows<vectors, true>(p.value_depth, keys, v, 1, stride, scores, run.weighted, factors);
  }
}

// The scores of one row (up to key_block keys) become exp(score - maximum), and its running maximum
// is brought up to date; returns what sums so far have to be multiplied with. Writes whole vectors.
inline float exponentials(float* scores, int64_t keys, float* running_maximum) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = (keys + lanes - 1) / lanes * lanes;
  // What lies beyond the last key is as good as masked.
  std::fill(scores + keys, scores + whole, -std::numeric_limits<float>::infinity());
  const auto before = hn::Set(d, *running_maximum);
  auto highest = before;
  for (int64_t i = 0; i < whole; i += lanes) highest = hn::Max(highest, hn::LoadU(d, scores + i));
  const auto maximum = hn::MaxOfLanes(d, highest);
  for (int64_t i = 0; i < whole; i += lanes) {
    hn::StoreU(exp_of_negative(d, hn::Sub(hn::LoadU(d, scores + i), maximum)), d, scores + i);
  }
  *running_maximum = hn::GetLane(maximum);
  return hn::GetLane(exp_of_negative(d, hn::Sub(before, maximum)));
}

// Squares of keys are not read in the order of memory, in which it is fastest: one number of each
// line is, before. (12 heads of 1000 keys, 64 deep, that are in no cache: bfloat16 0.2 ms of a
// core, without it 0.4; from caches 0.11 and 0.09.)
template <class T>
void touch(const T* from, int64_t n) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t i = 0; i < n; i += line) (void)*reinterpret_cast<const volatile char*>(from + i);
}

template <int rows, class T>
void scores_of_few(const Problem& p, const T* k, int64_t keys, const float* queries,
                   float* scores) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const int64_t stride = p.k.strides[2];
  for (int64_t i = 0; i < keys; i += lanes) {
    for (int64_t r = i; r < std::min(i + lanes, keys); r++) touch(k + r * stride, p.depth);
    dot_rows_in_order<rows>(k + i * stride, stride, keys - i, queries, p.depth, p.depth, scores + i,
                            key_block);
  }
}

// The same for a handful of rows, one after the other (run.width = rows.count): memory bound, each
// key and value read once for all of them. Sums run in the same order as there, so that a row does
// not depend on how many stand beside it.
template <class T>
HWY_NOINLINE void attend_few(const Problem& p, const RowBlock& rows, int64_t begin, int64_t end,
                             Running& run) {
  Scratch space((p.depth + key_block + p.value_depth) * rows.count * sizeof(float));
  float* queries = space.as<float>();
  float* scores = queries + p.depth * rows.count;
  float* weighted = scores + key_block * rows.count;  // (rows, value_depth), turned at the end
  std::fill_n(weighted, rows.count * p.value_depth, 0.f);
  for (int64_t r = 0; r < rows.count; r++) {
    int64_t row = rows.first + r;
    const T* from = p.row_of<T>(p.q, rows.b, p.head_of(rows.key_head, row), row % p.queries);
    for (int64_t i = 0; i < p.depth; i++) {
      queries[r * p.depth + i] = static_cast<float>(from[i * p.q.strides[3]]) * p.params.scale;
    }
  }
  for (int64_t key = begin; key < end; key += key_block) {
    int64_t keys = std::min(key_block, end - key);
    const T* k = p.row_of<T>(p.k, rows.b, rows.key_head, key);
    const T* v = p.row_of<T>(p.v, rows.b, rows.key_head, key);
    switch (rows.count) {
      case 1:
        scores_of_few<1>(p, k, keys, queries, scores);
        break;
      case 2:
        scores_of_few<2>(p, k, keys, queries, scores);
        break;
      case 3:
        scores_of_few<3>(p, k, keys, queries, scores);
        break;
      default:
        scores_of_few<few_queries>(p, k, keys, queries, scores);
    }
    for (int64_t r = 0; r < rows.count; r++) {
      float* weights = scores + r * key_block;
      RowBlock one{rows.b, rows.key_head, rows.first + r, 1};
      if (mask_matters(p, one, key, keys)) apply_mask(p, one, key, keys, weights, 1);
      const float factor = exponentials(weights, keys, run.maximum + r);
      float* to = weighted + r * p.value_depth;
      for (int64_t i = 0; i < p.value_depth; i++) to[i] *= factor;
      // The weights are summed one by one, which takes no longer than what goes on beside it.
      float sum = run.sum[r] * factor;
      int64_t i = 0;
      for (; i + 4 <= keys; i += 4) {
        for (int64_t j = i; j < i + 4; j++) sum += weights[j];
        add_rows<4>(v + i * p.v.strides[2], p.v.strides[2], weights + i, p.value_depth, to);
      }
      for (; i < keys; i++) {
        sum += weights[i];
        add_rows<1>(v + i * p.v.strides[2], p.v.strides[2], weights + i, p.value_depth, to);
      }
      run.sum[r] = sum;
    }
  }
  for (int64_t r = 0; r < rows.count; r++) {
    for (int64_t i = 0; i < p.value_depth; i++) {
      run.weighted[i * rows.count + r] = weighted[r * p.value_depth + i];
    }
  }
}

template <class T>
void store_rows(const Problem& p, const RowBlock& rows, const Running& run) {
  Scratch space(p.value_depth * sizeof(float));
  float* values = space.as<float>();
  for (int64_t lane = 0; lane < rows.count; lane++) {
    int64_t row = rows.first + lane;
    T* to =
        const_cast<T*>(p.row_of<T>(p.out, rows.b, p.head_of(rows.key_head, row), row % p.queries));
    const float factor = 1 / run.sum[lane];
    for (int64_t i = 0; i < p.value_depth; i++) {
      values[i] = run.weighted[i * run.width + lane] * factor;
    }
    if (!all_finite(values, p.value_depth)) {
      attend_row_by_weights(p, {rows.b, rows.key_head, row, 1}, values);
    }
    round_run(values, to, p.value_depth);
  }
}

// Folds what another piece of the keys gave into `run`.
inline void merge(const Problem& p, Running& run, const Running& other) {
  for (int64_t lane = 0; lane < run.width; lane++) {
    float maximum = std::max(run.maximum[lane], other.maximum[lane]);
    float mine = std::exp(run.maximum[lane] - maximum);
    float theirs = std::exp(other.maximum[lane] - maximum);
    run.maximum[lane] = maximum;
    run.sum[lane] = run.sum[lane] * mine + other.sum[lane] * theirs;
    for (int64_t i = 0; i < p.value_depth; i++) {
      float& w = run.weighted[i * run.width + lane];
      w = w * mine + other.weighted[i * run.width + lane] * theirs;
    }
  }
}

inline void start(const Problem& p, const RowBlock& rows, bool with_sinks, Running& run) {
  with_sinks = with_sinks && p.params.sinks;
  for (int64_t lane = 0; lane < run.width; lane++) {
    bool sink = with_sinks && lane < rows.count;
    run.maximum[lane] = sink ? sink_of(p, rows, lane) : lowest;
    run.sum[lane] = sink ? 1 : 0;
  }
  std::fill_n(run.weighted, run.width * p.value_depth, 0.f);
}

// How the rows of queries and the keys are cut. A block of rows takes its keys in pieces, whose
// results are merged in order; so many threads can share a block, and bits do not depend on it.
struct Cuts {
  explicit Cuts(const Problem& p)
      : p(p),
        lanes(static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()))),
        few(p.rows <= few_queries),
        most(few ? p.rows : panel_vectors * lanes),
        blocks((p.rows + most - 1) / most),
        pieces((p.keys + split_keys - 1) / split_keys),
        run_size(most * (2 + p.value_depth)) {}

  int64_t block_count() const { return p.q.shape[0] * p.key_heads * blocks; }
  RowBlock rows_of(int64_t block) const {
    const int64_t first = block % blocks * most;
    block /= blocks;
    return RowBlock{block / p.key_heads, block % p.key_heads, first,
                    std::min(most, p.rows - first)};
  }
  Running running_in(float* space, const RowBlock& rows) const {
    const int64_t width = few ? rows.count : (rows.count + lanes - 1) / lanes * lanes;
    return Running{width, space, space + width, space + 2 * width};
  }
  // Of tasks that compute so many keys each.
  int64_t grain(int64_t keys) const {
    const int64_t work = most * keys * (p.depth + p.value_depth);
    return std::max<int64_t>(1, 8 * parallel_grain / std::max<int64_t>(work, 1));
  }

  const Problem& p;
  const int64_t lanes;
  const bool few;
  const int64_t most;  // rows of a block
  const int64_t blocks;
  const int64_t pieces;
  const int64_t run_size;
};

// One piece of a block of rows, without what the pieces before it gave.
template <class T>
void attend_piece(const Cuts& cuts, const RowBlock& rows, int64_t piece, Running& run) {
  const Problem& p = cuts.p;
  start(p, rows, piece == 0, run);
  const int64_t first = piece * split_keys;
  const int64_t last = std::min(key_limit(p, rows), first + split_keys);
  if (first >= last) return;
  if (cuts.few) return attend_few<T>(p, rows, first, last, run);
  switch (run.width / cuts.lanes) {
    case 1:
      return attend_lanes<1, T>(p, rows, first, last, run);
    case 2:
      return attend_lanes<2, T>(p, rows, first, last, run);
    default:
      return attend_lanes<3, T>(p, rows, first, last, run);
  }
}

// Threads share the blocks.
template <class T>
void attend_by_blocks(const Cuts& cuts) {
  const Problem& p = cuts.p;
  parallel_for(cuts.block_count(), cuts.grain(p.keys), [&](int64_t begin, int64_t end) HWY_ATTR {
    Scratch space((cuts.pieces > 1 ? 2 : 1) * cuts.run_size * sizeof(float));
    for (int64_t i = begin; i < end; i++) {
      const RowBlock rows = cuts.rows_of(i);
      Running run = cuts.running_in(space.as<float>(), rows);
      Running next = cuts.running_in(space.as<float>() + cuts.run_size, rows);
      attend_piece<T>(cuts, rows, 0, run);
      const int64_t limit = key_limit(p, rows);
      for (int64_t piece = 1; piece * split_keys < limit; piece++) {
        attend_piece<T>(cuts, rows, piece, next);
        merge(p, run, next);
      }
      store_rows<T>(p, rows, run);
    }
  });
}

// Threads share the pieces of all blocks.
template <class T>
void attend_by_pieces(const Cuts& cuts) {
  const Problem& p = cuts.p;
  const int64_t pieces = cuts.pieces, tasks = cuts.block_count() * pieces;
  Scratch space(tasks * cuts.run_size * sizeof(float));
  auto run_of = [&](int64_t task) {
    return cuts.running_in(space.as<float>() + task * cuts.run_size, cuts.rows_of(task / pieces));
  };
  const int64_t grain = cuts.grain(std::min(p.keys, split_keys));
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) HWY_ATTR {
    for (int64_t task = begin; task < end; task++) {
      Running run = run_of(task);
      attend_piece<T>(cuts, cuts.rows_of(task / pieces), task % pieces, run);
    }
  });
  for (int64_t i = 0; i < cuts.block_count(); i++) {
    Running run = run_of(i * pieces);
    for (int64_t piece = 1; piece < pieces; piece++) merge(p, run, run_of(i * pieces + piece));
    store_rows<T>(p, cuts.rows_of(i), run);
  }
}

template <class T>
void attend(const Problem& p) {
  const Cuts cuts(p);
  if (p.rows <= one_block && cuts.pieces > 1) {
    attend_by_pieces<T>(cuts);
  } else {
    attend_by_blocks<T>(cuts);
  }
}

void attend_float32(const Problem& p) { attend<float>(p); }
void attend_float16(const Problem& p) { attend<float16_t>(p); }
void attend_bfloat16(const Problem& p) { attend<bfloat16_t>(p); }

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {
namespace {

// The same with a last stride of 1.
View with_dense_rows(const View& v, std::optional<Scratch>& space) {
  if (v.strides[3] == 1 || v.shape[3] == 1) return v;
  View copy{nullptr, v.dtype, v.shape, row_major_strides(v.shape)};
  space.emplace(v.size() * size_of(v.dtype));
  copy.data = space->data();
  tile::copy(v, copy);
  return copy;
}

}  // namespace

HWY_EXPORT(attend_float32);
HWY_EXPORT(attend_float16);
HWY_EXPORT(attend_bfloat16);

void attention(const View& q, const View& k, const View& v, const View& out,
               const AttentionParams& params) {
  if (out.size() == 0) return;
  std::optional<Scratch> k_space, v_space;
  Problem p;
  p.q = q;
  p.k = with_dense_rows(k, k_space);
  p.v = with_dense_rows(v, v_space);
  p.out = out;
  p.params = params;
  p.key_heads = k.shape[1];
  p.group = q.shape[1] / p.key_heads;
  p.queries = q.shape[2];
  p.keys = k.shape[2];
  p.depth = q.shape[3];
  p.value_depth = v.shape[3];
  p.rows = p.group * p.queries;
  constexpr int64_t rows_for_primitives = 16;
  bool plain_rows = p.k.strides[2] >= p.depth && p.v.strides[2] >= p.value_depth;
  if (q.dtype == Dtype::bfloat16 && onednn::native(q.dtype) && plain_rows &&
      p.rows >= rows_for_primitives) {
    return attend_by_primitives(p);
  }
  switch (q.dtype) {
    case Dtype::float16:
      return HWY_DYNAMIC_DISPATCH(attend_float16)(p);
    case Dtype::bfloat16:
      return HWY_DYNAMIC_DISPATCH(attend_bfloat16)(p);
    default:
      return HWY_DYNAMIC_DISPATCH(attend_float32)(p);
  }
}

}  // namespace heddle::cpu
#endif
