#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "core/threads.h"
#include "cpu/random.h"

using namespace heddle;

namespace {

// The generator of one pair, written from its definition.
void threefry(uint32_t k0, uint32_t k1, uint32_t& x, uint32_t& y) {
  const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t ks[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  x += ks[0];
  y += ks[1];
  for (uint32_t i = 0; i < 5; ++i) {
    for (int r : rotations[i % 2]) {
      x += y;
      y = ((y << r) | (y >> (32 - r))) ^ x;
    }
    x += ks[(i + 1) % 3];
    y += ks[(i + 2) % 3] + i + 1;
  }
}

std::vector<uint8_t> expected_bytes(uint32_t k0, uint32_t k1, size_t bytes) {
  const size_t words = (bytes + 3) / 4, half = (words + 1) / 2;
  std::vector<uint32_t> stream(2 * half);
  for (size_t i = 0; i < half; ++i) {
    uint32_t x = static_cast<uint32_t>(i);
    uint32_t y = half + i < words ? static_cast<uint32_t>(half + i) : 0;
    threefry(k0, k1, x, y);
    stream[i] = x;
    stream[half + i] = y;
  }
  std::vector<uint8_t> out(bytes);
  if (bytes > 0) std::memcpy(out.data(), stream.data(), bytes);
  return out;
}

std::vector<uint8_t> draw(std::vector<uint32_t> keys, size_t bytes_per_key) {
  const int64_t n = static_cast<int64_t>(keys.size() / 2);
  View view{keys.data(), uint32, {n, 2}, {2, 1}};
  std::vector<uint8_t> out(static_cast<size_t>(n) * bytes_per_key + 1, 0xAB);
  cpu::random_bits(view, static_cast<int64_t>(bytes_per_key), out.data());
  CHECK(out.back() == 0xAB);
  out.pop_back();
  return out;
}

}  // namespace

TEST_CASE("random bits: golden values of key 0") {
  std::vector<uint8_t> wide = draw({0, 0}, 12);
  uint32_t words[3];
  std::memcpy(words, wide.data(), 12);
  CHECK(words[0] == 4146024105u);
  CHECK(words[1] == 1351547692u);
  CHECK(words[2] == 2718843009u);
  std::vector<uint8_t> medium = draw({0, 0}, 6);
  uint16_t shorts[3];
  std::memcpy(shorts, medium.data(), 6);
  CHECK(shorts[0] == 9103);
  CHECK(shorts[1] == 14175);
  CHECK(shorts[2] == 5405);
  CHECK(draw({0, 0}, 5) == std::vector<uint8_t>{143, 35, 95, 55, 29});
}

TEST_CASE("random bits: every length, several keys, unaligned streams") {
  for (size_t bytes :
       {0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 63, 64, 65, 129, 1000, 8191, 8192, 8196, 8200, 20001}) {
    std::vector<uint32_t> keys = {1, 2, 0xffffffffu, 7, 0, 0};
    std::vector<uint8_t> got = draw(keys, bytes);
    for (size_t k = 0; k < 3; ++k) {
      std::vector<uint8_t> one(got.begin() + static_cast<long>(k * bytes),
                               got.begin() + static_cast<long>((k + 1) * bytes));
      CHECK_MESSAGE(one == expected_bytes(keys[2 * k], keys[2 * k + 1], bytes), bytes);
    }
  }
}

TEST_CASE("random bits: strided keys, any number of threads") {
  std::vector<uint32_t> keys = {5, 0, 6, 0, 7, 0, 8, 0};  // (5, 7) and (6, 8), read by columns
  View view{keys.data(), uint32, {2, 2}, {2, 4}};
  std::vector<uint8_t> one(400004), two(400004);
  const int threads = num_threads();
  set_num_threads(1);
  cpu::random_bits(view, 200002, one.data());
  set_num_threads(2);
  cpu::random_bits(view, 200002, two.data());
  set_num_threads(threads);
  CHECK(one == two);
  one.resize(200002);
  CHECK(one == expected_bytes(5, 7, 200002));
}
