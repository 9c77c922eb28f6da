#include "cpu/rope.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rope.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/half_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// Turns the `half` pairs of one row of floats: (first, second) pairs, cosines and sines.
HWY_INLINE void turn_halves(const float* x, const float* cosine, const float* sine, int64_t half,
                            float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + half + i);
    auto c = hn::LoadU(d, cosine + i), s = hn::LoadU(d, sine + i);
    hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, out + i);
    hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), d, out + half + i);
  }
  for (; i < half; i++) {
    float a = x[i], b = x[half + i];
    out[i] = a * cosine[i] - b * sine[i];
    out[half + i] = a * sine[i] + b * cosine[i];
  }
}

HWY_INLINE void turn_neighbours(const float* x, const float* cosine, const float* sine,
                                int64_t half, float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    hn::Vec<decltype(d)> a, b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    auto c = hn::LoadU(d, cosine + i), s = hn::LoadU(d, sine + i);
    hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), d,
                          out + 2 * i);
  }
  for (; i < half; i++) {
    float a = x[2 * i], b = x[2 * i + 1];
    out[2 * i] = a * cosine[i] - b * sine[i];
    out[2 * i + 1] = a * sine[i] + b * cosine[i];
  }
}

// Rows [begin, end) of (B, H, L); `table` holds for each position the cosines, then the sines.
template <class T>
void turn_rows(const View& x, const View& out, const RopeParams& p, const float* table,
               bool table_per_batch, int64_t begin, int64_t end) {
  const int64_t heads = x.shape[1], length = x.shape[2], depth = x.shape[3], half = p.dims / 2;
  Scratch space(2 * depth * sizeof(float));
  float* row = space.as<float>();
  float* turned = row + depth;
  for (int64_t i = begin; i < end; i++) {
    int64_t l = i % length, h = i / length % heads, b = i / length / heads;
    const T* from = x.as<T>() + b * x.strides[0] + h * x.strides[1] + l * x.strides[2];
    T* to = out.as<T>() + b * out.strides[0] + h * out.strides[1] + l * out.strides[2];
    if (x.strides[3] == 1) {
      convert_run(from, row, depth);
    } else {
      for (int64_t j = 0; j < depth; j++) row[j] = static_cast<float>(from[j * x.strides[3]]);
    }
    const float* cosine = table + ((table_per_batch ? b : 0) * length + l) * 2 * half;
    if (p.traditional) {
      turn_neighbours(row, cosine, cosine + half, half, turned);
    } else {
      turn_halves(row, cosine, cosine + half, half, turned);
    }
    std::copy(row + p.dims, row + depth, turned + p.dims);
    round_run(turned, to, depth);
  }
}

void turn_float32(const View& x, const View& out, const RopeParams& p, const float* table,
                  bool per_batch, int64_t begin, int64_t end) {
  turn_rows<float>(x, out, p, table, per_batch, begin, end);
}
void turn_float16(const View& x, const View& out, const RopeParams& p, const float* table,
                  bool per_batch, int64_t begin, int64_t end) {
  turn_rows<float16_t>(x, out, p, table, per_batch, begin, end);
}
void turn_bfloat16(const View& x, const View& out, const RopeParams& p, const float* table,
                   bool per_batch, int64_t begin, int64_t end) {
  turn_rows<bfloat16_t>(x, out, p, table, per_batch, begin, end);
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {
namespace {

int64_t offset_of(const RopeParams& p, int64_t b) {
  if (!p.offset) return 0;
  int64_t i = p.offset->size() == 1 ? 0 : b * p.offset->strides[0];
  return p.offset->dtype == Dtype::int64 ? p.offset->as<int64_t>()[i] : p.offset->as<int32_t>()[i];
}

// Angle of pair i for one position.
double speed_of(const RopeParams& p, int64_t i) {
  if (p.freqs) return p.scale / static_cast<double>(p.freqs->as<float>()[i * p.freqs->strides[0]]);
  return p.scale * std::exp(-std::log(static_cast<double>(p.base)) * 2 * i / p.dims);
}

// Cosines and sines for positions offset .. offset + length - 1. Sine and cosine are expensive:
// they are computed for every 32nd position and for 32 steps from there, and combined by the
// addition theorem.
void fill_table(const RopeParams& p, int64_t offset, int64_t length, float* table) {
  constexpr int64_t block = 32;
  const int64_t half = p.dims / 2, steps = std::min(block, length);
  const double sign = p.inverse ? -1 : 1;
  Scratch space(2 * half * steps * sizeof(double));
  double* step_cosine = space.as<double>();
  double* step_sine = step_cosine + half * steps;
  for (int64_t i = 0; i < half; i++) {
    double speed = sign * speed_of(p, i);
    for (int64_t s = 0; s < steps; s++) {
      step_cosine[s * half + i] = std::cos(s * speed);
      step_sine[s * half + i] = std::sin(s * speed);
    }
  }
  int64_t blocks = (length + block - 1) / block;
  parallel_for(blocks, std::max<int64_t>(1, 64 / std::max<int64_t>(half, 1)),
               [&](int64_t begin, int64_t end) {
                 Scratch local(2 * half * sizeof(double));
                 double* cosine = local.as<double>();
                 double* sine = cosine + half;
                 for (int64_t b = begin; b < end; b++) {
                   for (int64_t i = 0; i < half; i++) {
                     double angle = sign * speed_of(p, i) * static_cast<double>(offset + b * block);
                     cosine[i] = std::cos(angle);
                     sine[i] = std::sin(angle);
                   }
                   for (int64_t s = 0; s < std::min(block, length - b * block); s++) {
                     float* to = table + (b * block + s) * 2 * half;
                     const double* c = step_cosine + s * half;
                     const double* t = step_sine + s * half;
                     for (int64_t i = 0; i < half; i++) {
                       to[i] = static_cast<float>(cosine[i] * c[i] - sine[i] * t[i]);
                       to[half + i] = static_cast<float>(sine[i] * c[i] + cosine[i] * t[i]);
                     }
                   }
                 }
               });
}

}  // namespace

HWY_EXPORT(turn_float32);
HWY_EXPORT(turn_float16);
HWY_EXPORT(turn_bfloat16);

void rope(const View& x, const View& out, const RopeParams& p) {
  if (out.size() == 0) return;
  const int64_t batch = x.shape[0], length = x.shape[2], depth = x.shape[3];
  const bool per_batch = p.offset && p.offset->size() > 1;
  const int64_t table_size = length * p.dims;
  Scratch table((per_batch ? batch : 1) * table_size * sizeof(float));
  for (int64_t b = 0; b < (per_batch ? batch : 1); b++) {
    fill_table(p, offset_of(p, b), length, table.as<float>() + b * table_size);
  }
  auto kernel = x.dtype == Dtype::float16    ? HWY_DYNAMIC_DISPATCH(turn_float16)
                : x.dtype == Dtype::bfloat16 ? HWY_DYNAMIC_DISPATCH(turn_bfloat16)
                                             : HWY_DYNAMIC_DISPATCH(turn_float32);
  parallel_for(batch * x.shape[1] * length, std::max<int64_t>(1, parallel_grain / depth),
               [&](int64_t begin, int64_t end) {
                 kernel(x, out, p, table.as<float>(), per_batch, begin, end);
               });
}

}  // namespace heddle::cpu
#endif
