// A few rows times a packed matrix: bound by memory, so elements go from bits to registers and are
// never stored.
#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/quantized_matmul.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/quantized_vector.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/half_vectors-inl.h"
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

// Scales of E8M0 and E4M3 as types, to stand beside the floats.
struct E8M0 {
  uint8_t code;
};
struct E4M3 {
  uint8_t code;
};

HWY_INLINE hn::Vec<Codes> load_bytes(const uint8_t* p) {
  return hn::PromoteTo(Codes(), hn::LoadU(hn::Rebind<uint8_t, Codes>(), p));
}

template <class S>
HWY_INLINE Vector load_scales(const S* p) {
  if constexpr (std::is_same_v<S, E8M0>) {
    const auto bits = hn::ShiftLeft<23>(load_bytes(reinterpret_cast<const uint8_t*>(p)));
    return hn::BitCast(Floats(), hn::Max(bits, hn::Set(Codes(), 0x00400000u)));
  } else if constexpr (std::is_same_v<S, E4M3>) {
    return decode<Element::e4m3>(load_bytes(reinterpret_cast<const uint8_t*>(p)));
  } else {
    return load_as(Floats(), p);
  }
}

// Bytes beyond a row of scales that load_scales may read.
constexpr int64_t scales_slack = lanes * static_cast<int64_t>(sizeof(float));

// Elements whose bits divide a word: each lane takes a word and sums its elements, so that lanes of
// one group share a scale. x stands in the order that this visits it: block by block, in each the
// first elements of all words, then the second ones, ...
template <Element kind, int bits, class S>
class ByWords {
 public:
  static constexpr int per_word = 32 / bits;
  static constexpr int block = lanes * per_word;

  explicit ByWords(int group_size) {
    HWY_ALIGN int32_t spread[lanes];
    for (int i = 0; i < lanes; i++) spread[i] = group_size >= block ? 0 : i * per_word / group_size;
    spread_ = hn::SetTableIndices(Floats(), spread);
  }

  static int64_t padded(int64_t columns) { return (columns + block - 1) / block * block; }

  static void arrange(const float* x, int64_t columns, float* to) {
    for (int64_t i = 0; i < padded(columns); i++) to[i] = 0;
    for (int64_t i = 0; i < columns; i++) {
      const int64_t in = i % block;
      to[i - in + in % per_word * lanes + in / per_word] = x[i];
    }
  }

  // sums[c * rows + m] = row c . x[m] without biases, for `count` packed rows that follow each other.
  template <int rows, int count>
  HWY_INLINE void dot(const uint8_t* row, int64_t row_bytes, const S* scales, int64_t groups,
                      int64_t columns, int group_size, const float* x, int64_t pitch,
                      float* sums) const {
    const Floats d;
    Vector total[rows * count], scale[count];
    for (int i = 0; i < rows * count; i++) total[i] = hn::Zero(d);
    int64_t first = 0;
    for (; first + block <= columns; first += block) {
      for (int c = 0; c < count; c++) {
        scale[c] = load_scales(scales + c * groups + first / group_size);
      }
      add_block<rows, count>(row + first * bits / 8, row_bytes, scale, x + first, pitch, total);
    }
    if (first < columns) {  // what is left of the rows, with zeros
      constexpr int64_t bytes = block * bits / 8;
      HWY_ALIGN uint8_t words[count * bytes] = {};
      for (int c = 0; c < count; c++) {
        std::memcpy(words + c * bytes, row + c * row_bytes + first * bits / 8,
                    static_cast<size_t>((columns - first) * bits / 8));
        HWY_ALIGN float left[lanes] = {}, loaded[lanes];
        hn::Store(load_scales(scales + c * groups + first / group_size), d, loaded);
        std::copy_n(loaded, std::max<int64_t>((columns - first) / group_size, 1), left);
        scale[c] = hn::Load(d, left);
      }
      add_block<rows, count>(words, bytes, scale, x + first, pitch, total);
    }
    for (int i = 0; i < rows * count; i++) sums[i] = hn::GetLane(hn::SumOfLanes(d, total[i]));
  }

 private:
  template <int rows, int count>
  HWY_INLINE void add_block(const uint8_t* words, int64_t row_bytes, const Vector* scales,
                            const float* x, int64_t pitch, Vector* total) const {
    const Floats d;
    hn::Vec<Codes> codes[count];
    Vector sum[rows * count];
#pragma GCC unroll 4
    for (int c = 0; c < count; c++) {
      codes[c] = hn::LoadU(Codes(), reinterpret_cast<const uint32_t*>(words + c * row_bytes));
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows * count; i++) sum[i] = hn::Zero(d);
#pragma GCC unroll 8
    for (int j = 0; j < per_word; j++) {
      Vector q[count];
#pragma GCC unroll 4
      for (int c = 0; c < count; c++) {
        q[c] = decoder_(codes[c]);
        codes[c] = hn::ShiftRight<bits>(codes[c]);
      }
#pragma GCC unroll 4
      for (int m = 0; m < rows; m++) {
        const Vector v = hn::LoadU(d, x + m * pitch + j * lanes);
#pragma GCC unroll 4
        for (int c = 0; c < count; c++) sum[c * rows + m] = hn::MulAdd(q[c], v, sum[c * rows + m]);
      }
    }
#pragma GCC unroll 4
    for (int c = 0; c < count; c++) {
      const Vector scale = hn::TableLookupLanes(scales[c], spread_);
#pragma GCC unroll 4
      for (int m = 0; m < rows; m++) {
        total[c * rows + m] = hn::MulAdd(sum[c * rows + m], scale, total[c * rows + m]);
      }
    }
  }

  using Spread = decltype(hn::SetTableIndices(Floats(), static_cast<const int32_t*>(nullptr)));
  Spread spread_;
  Decoder<kind, bits> decoder_;
};

// Elements of 3, 5 and 6 bits: in order, 16 at a time.
template <int bits, class S>
class InOrder {
 public:
  using U = Unpack<bits>;

  explicit InOrder(int) {}
  static int64_t padded(int64_t columns) { return columns; }
  static void arrange(const float* x, int64_t columns, float* to) { std::copy_n(x, columns, to); }

  template <int rows, int count>
  HWY_INLINE void dot(const uint8_t* row, int64_t row_bytes, const S* scales, int64_t groups,
                      int64_t columns, int group_size, const float* x, int64_t pitch,
                      float* sums) const {
    const Floats d;
    Vector total[rows * count];
    for (int i = 0; i < rows * count; i++) total[i] = hn::Zero(d);
    for (int64_t g = 0; g < columns / group_size; g++) {
      Vector sum[rows * count];
#pragma GCC unroll 16
      for (int i = 0; i < rows * count; i++) sum[i] = hn::Zero(d);
      for (int k = 0; k < group_size; k += U::step, row += U::bytes, x += U::step) {
        for (int v = 0; v < U::vectors; v++) {
          Vector q[count];
#pragma GCC unroll 4
          for (int c = 0; c < count; c++) {
            q[c] = decode<Element::integer>(unpack_(row + c * row_bytes, v));
          }
#pragma GCC unroll 4
          for (int m = 0; m < rows; m++) {
            const Vector y = hn::LoadU(d, x + m * pitch + v * U::lanes);
#pragma GCC unroll 4
            for (int c = 0; c < count; c++) {
              sum[c * rows + m] = hn::MulAdd(q[c], y, sum[c * rows + m]);
            }
          }
        }
      }
#pragma GCC unroll 4
      for (int c = 0; c < count; c++) {
        const Vector scale = hn::Set(d, static_cast<float>(scales[c * groups + g]));
#pragma GCC unroll 4
        for (int m = 0; m < rows; m++) {
          total[c * rows + m] = hn::MulAdd(sum[c * rows + m], scale, total[c * rows + m]);
        }
      }
    }
    for (int i = 0; i < rows * count; i++) sums[i] = hn::GetLane(hn::SumOfLanes(d, total[i]));
  }

 private:
  U unpack_;
};

// The product of biases with the sums of x over groups.
template <class S>
HWY_INLINE float dot_biases(const S* biases, const float* sums, int64_t n) {
  const Floats d;
  auto total = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    total = hn::MulAdd(load_as(d, biases + i), hn::LoadU(d, sums + i), total);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, total));
  for (; i < n; i++) sum += static_cast<float>(biases[i]) * sums[i];
  return sum;
}

template <class Method, class S>
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
    const int64_t groups = m_.groups(), row_bytes = m_.columns * m_.format.bits / 8;
    const uint8_t* words = reinterpret_cast<const uint8_t*>(m_.words);
    const S* scales = static_cast<const S*>(m_.scales);
    // Rows from here on must not be read beyond their end.
    const int64_t scale_bytes = groups * static_cast<int64_t>(sizeof(S));
    const int64_t guarded = m_.rows - std::max<int64_t>(1, (scales_slack + scale_bytes - 1) / scale_bytes);
    const int64_t guarded_words = m_.rows - std::max<int64_t>(1, (16 + row_bytes - 1) / row_bytes);
    Scratch copy(static_cast<size_t>(scale_bytes + scales_slack));
    Scratch word_copy(static_cast<size_t>(row_bytes + 16));
    const int64_t free_end = std::min({end, guarded, guarded_words});
    int64_t n = begin;
    for (; n + together <= free_end; n += together) {
      finish<rows, together>(first, n, words + n * row_bytes, scales + n * groups, begin, end, y);
    }
    for (; n < end; n++) {
      const S* row_scales = scales + n * groups;
      const uint8_t* row = words + n * row_bytes;
      if (n >= guarded) {
        std::memset(copy.data(), 0, static_cast<size_t>(scale_bytes + scales_slack));
        std::memcpy(copy.data(), row_scales, static_cast<size_t>(scale_bytes));
        row_scales = copy.as<S>();
      }
      if (n >= guarded_words) {
        std::memcpy(word_copy.data(), row, static_cast<size_t>(row_bytes));
        row = word_copy.as<uint8_t>();
      }
      finish<rows, 1>(first, n, row, row_scales, begin, end, y);
    }
  }

  // Columns n, n + 1, ... of the product for rows of x from `first` on.
  template <int rows, int count>
  HWY_INLINE void finish(int64_t first, int64_t n, const uint8_t* row, const S* scales, int64_t begin,
                         int64_t end, float* y) const {
    const int64_t groups = m_.groups();
    float sums[rows * count];
    method_.template dot<rows, count>(row, m_.columns * m_.format.bits / 8, scales, groups,
                                      m_.columns, m_.format.group_size,
                                      arranged_.as<float>() + first * pitch_, pitch_, sums);
    for (int c = 0; c < count; c++) {
      for (int r = 0; r < rows; r++) {
        float sum = sums[c * rows + r];
        if constexpr (!std::is_same_v<S, E8M0> && !std::is_same_v<S, E4M3>) {
          sum += dot_biases(static_cast<const S*>(m_.biases) + (n + c) * groups,
                            sums_.as<float>() + (first + r) * groups, groups);
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

template <class Method, class S>
void multiply_by(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype, void* out) {
  const Product<Method, S> product(x, rows, m);
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

template <class S>
void multiply_affine(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype, void* out) {
  constexpr Element kind = Element::integer;
  switch (m.format.bits) {
    case 1:
      return multiply_by<ByWords<kind, 1, S>, S>(x, rows, m, dtype, out);
    case 2:
      return multiply_by<ByWords<kind, 2, S>, S>(x, rows, m, dtype, out);
    case 3:
      return multiply_by<InOrder<3, S>, S>(x, rows, m, dtype, out);
    case 4:
      return multiply_by<ByWords<kind, 4, S>, S>(x, rows, m, dtype, out);
    case 5:
      return multiply_by<InOrder<5, S>, S>(x, rows, m, dtype, out);
    case 6:
      return multiply_by<InOrder<6, S>, S>(x, rows, m, dtype, out);
    default:
      return multiply_by<ByWords<kind, 8, S>, S>(x, rows, m, dtype, out);
  }
}

void multiply(const void* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype, void* out) {
  Scratch wide(static_cast<size_t>(rows * m.columns) * sizeof(float));
  float* values = wide.as<float>();
  switch (dtype) {
    case Dtype::float16:
      convert_run(static_cast<const float16_t*>(x), values, rows * m.columns);
      break;
    case Dtype::bfloat16:
      convert_run(static_cast<const bfloat16_t*>(x), values, rows * m.columns);
      break;
    default:
      std::copy_n(static_cast<const float*>(x), rows * m.columns, values);
  }
  switch (m.format.mode) {
    case QuantizationMode::mxfp4:
      return multiply_by<ByWords<Element::e2m1, 4, E8M0>, E8M0>(values, rows, m, dtype, out);
    case QuantizationMode::nvfp4:
      return multiply_by<ByWords<Element::e2m1, 4, E4M3>, E4M3>(values, rows, m, dtype, out);
    case QuantizationMode::mxfp8:
      return multiply_by<ByWords<Element::e4m3, 8, E8M0>, E8M0>(values, rows, m, dtype, out);
    case QuantizationMode::affine:
      break;
  }
  switch (m.dtype) {
    case Dtype::float16:
      return multiply_affine<float16_t>(values, rows, m, dtype, out);
    case Dtype::bfloat16:
      return multiply_affine<bfloat16_t>(values, rows, m, dtype, out);
    default:
      return multiply_affine<float>(values, rows, m, dtype, out);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(multiply);

void quantized_vectors(const void* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype,
                       void* out) {
  HWY_DYNAMIC_DISPATCH(multiply)(x, rows, m, dtype, out);
}

}  // namespace heddle::cpu
#endif
