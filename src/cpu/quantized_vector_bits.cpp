// A few rows times packed elements of 3, 5 and 6 bits.
#include "cpu/quantized_matmul.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/quantized_vector_bits.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/quantized_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {

// Elements of 3, 5 and 6 bits: in order, 16 at a time.
template <int bits>
class InOrder {
 public:
  using U = Unpack<bits>;

  explicit InOrder(int) {}
  static int64_t padded(int64_t columns) { return columns; }
  static void arrange(const float* x, int64_t columns, float* to) { std::copy_n(x, columns, to); }

  template <int rows, int count>
  HWY_INLINE void dot(const uint8_t* row, int64_t row_bytes, const float* scales, int64_t groups,
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
        const Vector scale = hn::Set(d, scales[c * groups + g]);
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

void in_order(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype, void* out) {
  switch (m.format.bits) {
    case 3:
      return multiply_by<InOrder<3>>(x, rows, m, dtype, out);
    case 5:
      return multiply_by<InOrder<5>>(x, rows, m, dtype, out);
    default:
      return multiply_by<InOrder<6>>(x, rows, m, dtype, out);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(in_order);

void quantized_vectors_in_order(const float* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype,
                                void* out) {
  HWY_DYNAMIC_DISPATCH(in_order)(x, rows, m, dtype, out);
}

}  // namespace heddle::cpu
#endif
