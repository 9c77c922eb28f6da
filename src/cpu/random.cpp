#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/random.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::ScalableTag<uint32_t>;

template <int kBits, class V>
HWY_INLINE void mix(V& x, V& y) {
  x = hn::Add(x, y);
  y = hn::Xor(hn::RotateRight<32 - kBits>(y), x);
}

template <int kA, int kB, int kC, int kD, class V>
HWY_INLINE void four_rounds(V& x, V& y, V& z, V& w) {
  mix<kA>(x, y);
  mix<kA>(z, w);
  mix<kB>(x, y);
  mix<kB>(z, w);
  mix<kC>(x, y);
  mix<kC>(z, w);
  mix<kD>(x, y);
  mix<kD>(z, w);
}

// Encrypts the pairs (first + i, second + i) for i < n; writes up to two vectors beyond n.
// Two vectors of pairs at a time: the rounds of one are a single chain of dependent operations.
void encrypt(uint32_t key0, uint32_t key1, uint32_t first, uint32_t second, int n,
             uint32_t* HWY_RESTRICT low, uint32_t* HWY_RESTRICT high) {
  const Words d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const uint32_t schedule[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDAu};
  for (int i = 0; i < n; i += 2 * lanes) {
    auto x = hn::Iota(d, first + static_cast<uint32_t>(i) + key0);
    auto y = hn::Iota(d, second + static_cast<uint32_t>(i) + key1);
    const auto step = hn::Set(d, static_cast<uint32_t>(lanes));
    auto z = hn::Add(x, step);
    auto w = hn::Add(y, step);
    const auto inject = [&](uint32_t round) HWY_ATTR {
      const auto a = hn::Set(d, schedule[round % 3]);
      const auto b = hn::Set(d, schedule[(round + 1) % 3] + round);
      x = hn::Add(x, a);
      z = hn::Add(z, a);
      y = hn::Add(y, b);
      w = hn::Add(w, b);
    };
    four_rounds<13, 15, 26, 6>(x, y, z, w);
    inject(1);
    four_rounds<17, 29, 16, 24>(x, y, z, w);
    inject(2);
    four_rounds<13, 15, 26, 6>(x, y, z, w);
    inject(3);
    four_rounds<17, 29, 16, 24>(x, y, z, w);
    inject(4);
    four_rounds<13, 15, 26, 6>(x, y, z, w);
    inject(5);
    hn::StoreU(x, d, low + i);
    hn::StoreU(z, d, low + i + lanes);
    hn::StoreU(y, d, high + i);
    hn::StoreU(w, d, high + i + lanes);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/random.h"
#include "cpu/scratch_array.h"

namespace heddle::cpu {
namespace {

HWY_EXPORT(encrypt);

constexpr int64_t block = 1024;   // pairs encrypted at a time, in L1
constexpr int64_t overrun = 128;  // words: two vectors of the widest target there may be

// Copies words [word, word + n) of a key's stream to its output, which may end inside a word.
void emit(const uint32_t* words, int64_t word, int64_t n, int64_t bytes, uint8_t* out) {
  const int64_t begin = word * 4;
  const int64_t end = std::min(begin + n * 4, bytes);
  if (begin < end) std::memcpy(out + begin, words, static_cast<size_t>(end - begin));
}

}  // namespace

void random_bits(const View& keys, int64_t bytes_per_key, void* out) {
  const int64_t words = (bytes_per_key + 3) / 4;
  const int64_t half = (words + 1) / 2;
  const int64_t blocks = (half + block - 1) / block;
  const auto encrypt_block = HWY_DYNAMIC_DISPATCH(encrypt);
  parallel_for(keys.shape[0] * blocks, 8, [&](int64_t begin, int64_t end) {
    const ScratchArray<uint32_t> low(block + overrun), high(block + overrun);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t first = item % blocks * block;
      const int64_t pairs = std::min(block, half - first);
      const uint32_t* key = keys.as<uint32_t>() + item / blocks * keys.strides[0];
      const uint32_t key0 = key[0];
      const uint32_t key1 = key[keys.strides[1]];
      uint8_t* stream = static_cast<uint8_t*>(out) + item / blocks * bytes_per_key;
      encrypt_block(key0, key1, static_cast<uint32_t>(first), static_cast<uint32_t>(half + first),
                    static_cast<int>(pairs), low, high);
      if (words % 2 == 1 && first + pairs == half) {
        uint32_t unused[overrun];
        uint32_t last[overrun];
        encrypt_block(key0, key1, static_cast<uint32_t>(half - 1), 0, 1, last, unused);
        low[pairs - 1] = last[0];
      }
      emit(low, first, pairs, bytes_per_key, stream);
      emit(high, half + first, pairs, bytes_per_key, stream);
    }
  });
}

}  // namespace heddle::cpu
#endif  // HWY_ONCE
