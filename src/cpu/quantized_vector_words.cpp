// A few rows times packed elements whose bits divide a word.
#include "cpu/quantized_matmul.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/quantized_vector_words.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/quantized_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {

// Elements whose bits divide a word: each lane takes a word and sums its elements, so that lanes of
// one group share a scale. x stands in the order that this visits it: block by block, in each the
// first elements of all words, then the second ones, ...
template <Element kind, int bits>
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

  // sums[c * rows + m] = row c . x[m] without biases, for `count` packed rows that follow each
  // other.
  template <int rows, int count>
  HWY_INLINE void dot(const uint8_t* row, int64_t row_bytes, const float* scales, int64_t groups,
                      int64_t columns, int group_size, const float* x, int64_t pitch,
                      float* sums) const {
    const Floats d;
    Vector total[rows * count], scale[count];
    for (int i = 0; i < rows * count; i++) total[i] = hn::Zero(d);
    int64_t first = 0;
    for (; first + block <= columns; first += block) {
      for (int c = 0; c < count; c++) {
        scale[c] = hn::LoadU(Floats(), scales + c * groups + first / group_size);
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
        hn::Store(hn::LoadU(Floats(), scales + c * groups + first / group_size), d, loaded);
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

void by_words(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype, void* out) {
  switch (m.format.mode) {
    case QuantizationMode::mxfp4:
    case QuantizationMode::nvfp4:
      return multiply_by<ByWords<Element::e2m1, 4>>(x, rows, m, dtype, out);
    case QuantizationMode::mxfp8:
      return multiply_by<ByWords<Element::e4m3, 8>>(x, rows, m, dtype, out);
    case QuantizationMode::affine:
      break;
  }
  switch (m.format.bits) {
    case 1:
      return multiply_by<ByWords<Element::integer, 1>>(x, rows, m, dtype, out);
    case 2:
      return multiply_by<ByWords<Element::integer, 2>>(x, rows, m, dtype, out);
    case 4:
      return multiply_by<ByWords<Element::integer, 4>>(x, rows, m, dtype, out);
    default:
      return multiply_by<ByWords<Element::integer, 8>>(x, rows, m, dtype, out);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(by_words);

void quantized_vectors_by_words(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype,
                                void* out) {
  HWY_DYNAMIC_DISPATCH(by_words)(x, rows, m, dtype, out);
}

}  // namespace heddle::cpu
#endif
