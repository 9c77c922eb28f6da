// The product of a few rows with a packed matrix, over the ways in which elements go from bits to
// registers; included once per target.
#if defined(HEDDLE_CPU_QUANTIZED_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEDDLE_CPU_QUANTIZED_VECTOR_INL_H_
#undef HEDDLE_CPU_QUANTIZED_VECTOR_INL_H_
#else
#define HEDDLE_CPU_QUANTIZED_VECTOR_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/half_vectors-inl.h"
#include "cpu/quantized_matmul.h"
#include "cpu/scratch.h"
#include "cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using Vector = hn::Vec<Floats>;
constexpr int lanes = static_cast<int>(hn::MaxLanes(Floats()));

// Codes of up to four bits, whatever is above them, by a table where a vector holds 16 values.
template <Element kind, int bits>
struct Decoder {
#if HWY_TARGET <= HWY_AVX3
  static constexpr bool by_table = bits <= 4;
  HWY_INLINE Decoder() {
    HWY_ALIGN static constexpr float floats[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,
                                                   4.0f,  6.0f,  -0.0f, -0.5f, -1.0f, -1.5f,
                                                   -2.0f, -3.0f, -4.0f, -6.0f};
    HWY_ALIGN float values[16];
    for (int i = 0; i < 16; i++) {
      values[i] = kind == Element::e2m1 ? floats[i] : static_cast<float>(i & ((1 << bits) - 1));
    }
    table = hn::Load(Floats(), values);
  }
  Vector table;
  HWY_INLINE Vector operator()(hn::Vec<Codes> codes) const {
    if constexpr (by_table) {
      return hn::TableLookupLanes(table, hn::Indices512<float>{codes.raw});
    } else {
      return decode<kind>(hn::And(codes, hn::Set(Codes(), (1u << bits) - 1)));
    }
  }
#else
  HWY_INLINE Vector operator()(hn::Vec<Codes> codes) const {
    return decode<kind>(hn::And(codes, hn::Set(Codes(), (1u << bits) - 1)));
  }
#endif
};

// Bytes beyond a row of scales that are read.
constexpr int64_t scales_slack = lanes * static_cast<int64_t>(sizeof(float));

// Scales or biases as floats; may write up to scales_slack bytes more.
inline void widen_scales(const QuantizedMatrix& m, const void* from, int64_t first, int64_t n,
                         float* to) {
  if (m.format.affine()) {
    switch (m.dtype) {
      case Dtype::float16:
        return convert_run(static_cast<const float16_t*>(from) + first, to, n);
      case Dtype::bfloat16:
        return convert_run(static_cast<const bfloat16_t*>(from) + first, to, n);
      default:
        std::copy_n(static_cast<const float*>(from) + first, n, to);
        return;
    }
  }
  const hn::Rebind<uint8_t, Codes> bytes;
  const auto* codes = static_cast<const uint8_t*>(from) + first;
  auto widen = [&](hn::Vec<decltype(bytes)> some, float* scales) HWY_ATTR {
    const auto wide = hn::PromoteTo(Codes(), some);
    if (m.format.mode == QuantizationMode::nvfp4) {
      hn::StoreU(decode<Element::e4m3>(wide), Floats(), scales);
    } else {
      const auto bits = hn::Max(hn::ShiftLeft<23>(wide), hn::Set(Codes(), 0x00400000u));
      hn::StoreU(hn::BitCast(Floats(), bits), Floats(), scales);
    }
  };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) widen(hn::LoadU(bytes, codes + i), to + i);
  if (i < n) {
    HWY_ALIGN uint8_t last[lanes] = {};
    std::copy_n(codes + i, n - i, last);
    widen(hn::Load(bytes, last), to + i);
  }
}

// The product of biases with the sums of x over groups.
HWY_INLINE float dot_biases(const float* biases, const float* sums, int64_t n) {
  const Floats d;
  auto total = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    total = hn::MulAdd(hn::LoadU(d, biases + i), hn::LoadU(d, sums + i), total);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, total));
  for (; i < n; i++) sum += biases[i] * sums[i];
  return sum;
}

template <class Method>
class Product {
 public:
  Product(const float* x, int64_t rows, const QuantizedMatrix& m)
      : m_(m),
        method_(m.format.group_size),
        rows_(rows),
        pitch_(Method::padded(m.columns)),
        arranged_(static_cast<size_t>(rows * pitch_) * sizeof(float)),
        sums_(static_cast<size_t>(rows * m.groups()) * sizeof(float)) {
    for (int64_t r = 0; r < rows; r++) {
      const float* row = x + r * m.columns;
      Method::arrange(row, m.columns, arranged_.as<float>() + r * pitch_);
      if (!m.biases) continue;
      for (int64_t g = 0; g < m.groups(); g++) {
        float sum = 0;
        for (int k = 0; k < m.format.group_size; k++) sum += row[g * m.format.group_size + k];
        sums_.as<float>()[r * m.groups() + g] = sum;
      }
    }
  }

  // Columns [begin, end) of the product: y[r * (end - begin) + n - begin].
  void columns(int64_t begin, int64_t end, float* y) const {
    for (int64_t r = 0; r < rows_;) {
      switch (std::min<int64_t>(4, rows_ - r)) {
        case 1:
          some<1>(r, begin, end, y);
          r += 1;
          break;
        case 2:
          some<2>(r, begin, end, y);
          r += 2;
          break;
        case 3:
          some<3>(r, begin, end, y);
          r += 3;
          break;
        default:
          some<4>(r, begin, end, y);
          r += 4;
      }
    }
  }

 private:
  template <int rows>
  void some(int64_t first, int64_t begin, int64_t end, float* y) const {
    // Packed rows that share the loads of x, as many as registers hold sums. One row of x stays in
    // the first-level cache: there nothing is to be shared.
    constexpr int together = rows == 1 ? 1 : HWY_TARGET <= HWY_AVX3 ? 4 : 2;
    // Scales of several packed rows at a time become floats; float32 is read where it lies, where
    // that does not lead beyond its end. So are words.
    constexpr int64_t batch = 16;
    const int64_t groups = m_.groups(), row_bytes = m_.columns * m_.format.bits / 8;
    const uint8_t* words = reinterpret_cast<const uint8_t*>(m_.words);
    const int64_t scale_bytes = groups * static_cast<int64_t>(sizeof(float));
    const bool floats = m_.format.affine() && m_.dtype == Dtype::float32;
    const int64_t guarded =
        floats ? m_.rows - std::max<int64_t>(1, (scales_slack + scale_bytes - 1) / scale_bytes) : 0;
    const int64_t guarded_words = m_.rows - std::max<int64_t>(1, (16 + row_bytes - 1) / row_bytes);
    Scratch scale_copy(static_cast<size_t>(batch * scale_bytes + scales_slack));
    Scratch bias_copy(static_cast<size_t>(batch * scale_bytes));
    Scratch word_copy(static_cast<size_t>(row_bytes + 16));
    for (int64_t n = begin; n < end;) {
      const int64_t stop = std::min(end, n + batch);
      const float *scales, *biases;
      if (stop <= guarded) {
        scales = static_cast<const float*>(m_.scales) + n * groups;
        biases = static_cast<const float*>(m_.biases) + n * groups;
      } else {
        const int64_t count = (stop - n) * groups;
        std::memset(scale_copy.as<float>() + count, 0, static_cast<size_t>(scales_slack));
        widen_scales(m_, m_.scales, n * groups, count, scale_copy.as<float>());
        if (m_.biases) widen_scales(m_, m_.biases, n * groups, count, bias_copy.as<float>());
        scales = scale_copy.as<float>();
        biases = bias_copy.as<float>();
      }
      const int64_t start = n, words_end = std::min(stop, guarded_words);
      auto at = [&](const float* p) { return p + (n - start) * groups; };
      for (; n + together <= words_end; n += together) {
        finish<rows, together>(first, n, words + n * row_bytes, at(scales), at(biases), begin, end,
                               y);
      }
      for (; n < stop; n++) {
        const uint8_t* row = words + n * row_bytes;
        if (n >= guarded_words) {
          std::memcpy(word_copy.data(), row, static_cast<size_t>(row_bytes));
          row = word_copy.as<uint8_t>();
        }
        finish<rows, 1>(first, n, row, at(scales), at(biases), begin, end, y);
      }
    }
  }

  // Columns n, n + 1, ... of the product for rows of x from `first` on.
  template <int rows, int count>
  HWY_INLINE void finish(int64_t first, int64_t n, const uint8_t* row, const float* scales,
                         const float* biases, int64_t begin, int64_t end, float* y) const {
    const int64_t groups = m_.groups();
    float sums[rows * count];
    method_.template dot<rows, count>(row, m_.columns * m_.format.bits / 8, scales, groups,
                                      m_.columns, m_.format.group_size,
                                      arranged_.as<float>() + first * pitch_, pitch_, sums);
    for (int c = 0; c < count; c++) {
      for (int r = 0; r < rows; r++) {
        float sum = sums[c * rows + r];
        if (m_.biases) {
          sum += dot_biases(biases + c * groups, sums_.as<float>() + (first + r) * groups, groups);
        }
        y[(first + r) * (end - begin) + n + c - begin] = sum * m_.factor;
      }
    }
  }

  const QuantizedMatrix& m_;
  Method method_;
  int64_t rows_, pitch_;
  Scratch arranged_, sums_;
};

template <class Method>
void multiply_by(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype, void* out) {
  const Product<Method> product(x, rows, m);
  constexpr int64_t chunk_elements = 1 << 17;
  const int64_t grain = std::clamp<int64_t>(chunk_elements / m.columns, 16, 1024);
  parallel_for(m.rows, grain, [&](int64_t begin, int64_t end) {
    Scratch space(static_cast<size_t>(rows * grain) * sizeof(float) + 64);
    for (int64_t first = begin; first < end; first += grain) {
      const int64_t n = std::min(grain, end - first);
      float* y = space.as<float>();
      product.columns(first, first + n, y);
      for (int64_t r = 0; r < rows; r++) {
        const int64_t at = r * m.rows + first;
        switch (dtype) {
          case Dtype::float16:
            round_run(y + r * n, static_cast<float16_t*>(out) + at, n);
            break;
          case Dtype::bfloat16:
            round_run(y + r * n, static_cast<bfloat16_t*>(out) + at, n);
            break;
          default:
            std::copy_n(y + r * n, n, static_cast<float*>(out) + at);
        }
      }
    }
  });
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
