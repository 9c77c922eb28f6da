#include "cpu/sort_columns.h"

#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/sort_columns.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// The network for any n, as Knuth gives it (The Art of Computer Programming 3, 5.2.2, algorithm M):
// rows i and i + d are compared where i has bit p in the way that r says.
template <class K>
void sort_network(K* keys, int64_t n) {
  constexpr int64_t width = columns_at_once<K>;
  const hn::CappedTag<K, static_cast<size_t>(width)> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t top = 1;
  while (2 * top < n) top *= 2;
  for (int64_t p = top; p > 0; p /= 2) {
    int64_t q = top, r = 0, distance = p;
    while (true) {
      for (int64_t i = 0; i + distance < n; ++i) {
        if ((i & p) != r) continue;
        K* a = keys + i * width;
        K* b = a + distance * width;
        for (int64_t j = 0; j < width; j += lanes) {
          const auto x = hn::LoadU(d, a + j);
          const auto y = hn::LoadU(d, b + j);
          hn::StoreU(hn::Min(x, y), d, a + j);
          hn::StoreU(hn::Max(x, y), d, b + j);
        }
      }
      if (q == p) break;
      distance = q - p;
      q /= 2;
      r = p;
    }
  }
}

void sort_i16(int16_t* keys, int64_t n) { sort_network(keys, n); }
void sort_u16(uint16_t* keys, int64_t n) { sort_network(keys, n); }
void sort_i32(int32_t* keys, int64_t n) { sort_network(keys, n); }
void sort_u32(uint32_t* keys, int64_t n) { sort_network(keys, n); }
void sort_i64(int64_t* keys, int64_t n) { sort_network(keys, n); }
void sort_u64(uint64_t* keys, int64_t n) { sort_network(keys, n); }

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(sort_i16);
HWY_EXPORT(sort_u16);
HWY_EXPORT(sort_i32);
HWY_EXPORT(sort_u32);
HWY_EXPORT(sort_i64);
HWY_EXPORT(sort_u64);

void sort_columns(int16_t* keys, int64_t n) { HWY_DYNAMIC_DISPATCH(sort_i16)(keys, n); }
void sort_columns(uint16_t* keys, int64_t n) { HWY_DYNAMIC_DISPATCH(sort_u16)(keys, n); }
void sort_columns(int32_t* keys, int64_t n) { HWY_DYNAMIC_DISPATCH(sort_i32)(keys, n); }
void sort_columns(uint32_t* keys, int64_t n) { HWY_DYNAMIC_DISPATCH(sort_u32)(keys, n); }
void sort_columns(int64_t* keys, int64_t n) { HWY_DYNAMIC_DISPATCH(sort_i64)(keys, n); }
void sort_columns(uint64_t* keys, int64_t n) { HWY_DYNAMIC_DISPATCH(sort_u64)(keys, n); }

}  // namespace heddle::cpu
#endif  // HWY_ONCE
