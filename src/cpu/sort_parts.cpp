#include "cpu/sort_parts.h"

#include <algorithm>

#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/sort_parts.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class K>
void count(const K* keys, int64_t n, const K* splitters, int64_t parts, int64_t* counts) {
  const hn::ScalableTag<K> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t before = 0;
  for (int64_t p = 0; p + 1 < parts; ++p) {
    const auto splitter = hn::Set(d, splitters[p]);
    int64_t below = 0, i = 0;
    for (; i + lanes <= n; i += lanes) {
      below += static_cast<int64_t>(hn::CountTrue(d, hn::Lt(hn::LoadU(d, keys + i), splitter)));
    }
    for (; i < n; ++i) below += keys[i] < splitters[p];
    counts[p] = below - before;
    before = below;
  }
  counts[parts - 1] = n - before;
}

template <class K>
void move(const K* keys, int64_t n, const K* splitters, int64_t parts, K** to) {
  const hn::ScalableTag<K> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN K last[HWY_MAX_BYTES / sizeof(K)] = {};
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t valid = i + lanes <= n ? lanes : n - i;
    const K* from = keys + i;
    if (valid < lanes) {
      std::copy_n(keys + i, valid, last);
      from = last;
    }
    const auto v = hn::LoadU(d, from);
    auto rest = hn::FirstN(d, static_cast<size_t>(valid));  // keys whose part is yet to be found
    for (int64_t p = 0; p + 1 < parts; ++p) {
      const auto below = hn::Lt(v, hn::Set(d, splitters[p]));
      to[p] += hn::CompressBlendedStore(v, hn::And(rest, below), d, to[p]);
      rest = hn::AndNot(below, rest);
    }
    to[parts - 1] += hn::CompressBlendedStore(v, rest, d, to[parts - 1]);
  }
}

template <class K>
const PartKernels<K>* table() {
  static constexpr PartKernels<K> kernels = {count<K>, move<K>};
  return &kernels;
}
const PartKernels<int16_t>* table_i16() { return table<int16_t>(); }
const PartKernels<uint16_t>* table_u16() { return table<uint16_t>(); }
const PartKernels<int32_t>* table_i32() { return table<int32_t>(); }
const PartKernels<uint32_t>* table_u32() { return table<uint32_t>(); }
const PartKernels<int64_t>* table_i64() { return table<int64_t>(); }
const PartKernels<uint64_t>* table_u64() { return table<uint64_t>(); }
const PartKernels<float>* table_f32() { return table<float>(); }

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {
namespace {

// Pairs of 64 bits have no vector comparison.
using Pair = hwy::uint128_t;
int64_t part_of(const Pair& key, const Pair* splitters, int64_t parts) {
  int64_t p = 0;
  while (p + 1 < parts &&
         !(key.hi != splitters[p].hi ? key.hi < splitters[p].hi : key.lo < splitters[p].lo)) {
    ++p;
  }
  return p;
}
void count_pairs(const Pair* keys, int64_t n, const Pair* splitters, int64_t parts,
                 int64_t* counts) {
  for (int64_t p = 0; p < parts; ++p) counts[p] = 0;
  for (int64_t i = 0; i < n; ++i) ++counts[part_of(keys[i], splitters, parts)];
}
void move_pairs(const Pair* keys, int64_t n, const Pair* splitters, int64_t parts, Pair** to) {
  for (int64_t i = 0; i < n; ++i) *to[part_of(keys[i], splitters, parts)]++ = keys[i];
}

}  // namespace

HWY_EXPORT(table_i16);
HWY_EXPORT(table_u16);
HWY_EXPORT(table_i32);
HWY_EXPORT(table_u32);
HWY_EXPORT(table_i64);
HWY_EXPORT(table_u64);
HWY_EXPORT(table_f32);

template <>
const PartKernels<int16_t>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_i16)();
}
template <>
const PartKernels<uint16_t>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_u16)();
}
template <>
const PartKernels<int32_t>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_i32)();
}
template <>
const PartKernels<uint32_t>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_u32)();
}
template <>
const PartKernels<int64_t>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_i64)();
}
template <>
const PartKernels<uint64_t>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_u64)();
}
template <>
const PartKernels<float>& part_kernels() {
  return *HWY_DYNAMIC_DISPATCH(table_f32)();
}
template <>
const PartKernels<hwy::uint128_t>& part_kernels() {
  static constexpr PartKernels<hwy::uint128_t> kernels = {count_pairs, move_pairs};
  return kernels;
}

}  // namespace heddle::cpu
#endif  // HWY_ONCE
