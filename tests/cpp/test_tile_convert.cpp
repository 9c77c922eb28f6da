// The tile interpreter's conversions: every pair of dtypes, floats out of an integer's range, and
// the two halves in full; each on every instruction set of the machine.
#include <doctest/doctest.h>

#include <string>

#include "cpu/tile/bytecode.h"
#include "tile_reference.h"
#include "tile_targets.h"

namespace heddle::testing {
namespace {

namespace tile = cpu::tile;

constexpr double inf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("tile: every conversion between dtypes") {
  for_each_target([&] {
    std::mt19937_64 random(9);
    for (Dtype from : all_dtypes) {
      Buffer x(from, 777);
      for (int64_t i = 0; i < x.size(); i++) {
        const double u = static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1;
        const double scales[] = {2, 300, 70000, 1e6};
        double v = u * scales[random() % (from == float16 ? 2 : 4)];
        if (random() % 8 == 0) v = 0;
        x.set(i, is_unsigned(from) ? std::fabs(v) : v);
      }
      for (Dtype to : all_dtypes) {
        Buffer y = apply(Code::copy, from, to, {&x});
        Buffer direct(to, x.size());
        tile::copy(x.flat(), direct.flat());
        CHECK(y.bytes == direct.bytes);
        for (int64_t i = 0; i < x.size(); i++) {
          const double v = x.real(i);
          double want = v;
          if (to == bool_) want = v != 0;
          if (is_integer(to)) {
            const auto whole = static_cast<int64_t>(v);
            visit_dtype(to, [&](auto tag) {
              using T = typename decltype(tag)::type;
              if constexpr (std::is_integral_v<T>)
                want = static_cast<double>(static_cast<T>(whole));
            });
          }
          if (to == float16) want = float16_t(static_cast<float>(v));
          if (to == bfloat16) want = bfloat16_t(static_cast<float>(v));
          if (to == float32 || to == complex64) want = static_cast<float>(v);
          INFO(std::string(name_of(from)), " to ", std::string(name_of(to)), ": ", v);
          CHECK(y.real(i) == want);
        }
      }
    }
  });
}

TEST_CASE("tile: floats out of an integer's range convert as x86 does") {
  for_each_target([&] {
    const double values[] = {std::nan(""), inf,  -inf,  3e9,  5e9,   1e19,
                             1e20,         -3e9, -1e19, -1.5, 300.7, -2147483648.0};
    Buffer x(float32, std::size(values));
    for (size_t i = 0; i < std::size(values); i++) x.set(static_cast<int64_t>(i), values[i]);
    const int32_t least = std::numeric_limits<int32_t>::min();
    const int64_t low = std::numeric_limits<int64_t>::min();
    const int32_t i32[] = {least, least, least, least, least, least,
                           least, least, least, -1,    300,   least};
    const int64_t i64[] = {low, low,         low, 3000000000, 5000000000, low,
                           low, -3000000000, low, -1,         300,        least};
    const uint64_t half = uint64_t{1} << 63;
    const uint64_t u64[] = {half,       0,
                            half,       3000000000,
                            5000000000, 9999999980506447872u,
                            0,          18446744070709551616u,
                            half,       ~uint64_t{0},
                            300,        18446744071562067968u};
    for (size_t i = 0; i < std::size(values); i++) {
      INFO(values[i]);
      const auto at = static_cast<int64_t>(i);
      CHECK(apply(Code::copy, float32, int32, {&x}).as<int32_t>()[at] == i32[i]);
      CHECK(apply(Code::copy, float32, int64, {&x}).as<int64_t>()[at] == i64[i]);
      CHECK(apply(Code::copy, float32, uint64, {&x}).as<uint64_t>()[at] == u64[i]);
      CHECK(apply(Code::copy, float32, uint8, {&x}).as<uint8_t>()[at] ==
            static_cast<uint8_t>(i32[i]));
      CHECK(apply(Code::copy, float32, uint32, {&x}).as<uint32_t>()[at] ==
            static_cast<uint32_t>(i64[i]));
      CHECK(apply(Code::copy, float32, bool_, {&x}).as<bool>()[at]);
    }
  });
}

TEST_CASE("tile: all halves convert and round as the storage types do") {
  for_each_target([&] {
    Buffer half(float16, 65536), brain(bfloat16, 65536);
    for (int64_t i = 0; i < 65536; i++)
      half.as<uint16_t>()[i] = brain.as<uint16_t>()[i] = static_cast<uint16_t>(i);
    Buffer wide = apply(Code::copy, float16, float32, {&half}),
           wide2 = apply(Code::copy, bfloat16, float32, {&brain});
    for (int64_t i = 0; i < 65536; i++) {
      const float a = half.as<float16_t>()[i], b = brain.as<bfloat16_t>()[i];
      CHECK((wide.as<float>()[i] == a || (std::isnan(a) && std::isnan(wide.as<float>()[i]))));
      CHECK((wide2.as<float>()[i] == b || (std::isnan(b) && std::isnan(wide2.as<float>()[i]))));
    }
    // Between and at the ties of neighbouring halves, every exponent.
    Buffer x(float32, 1 << 18);
    std::mt19937_64 random(1);
    for (int64_t i = 0; i < x.size(); i++) {
      uint32_t u = static_cast<uint32_t>(random());
      if (i % 3 == 0) u = (u & 0xffffe000u) | 0x1000u;
      if (i % 3 == 1) u = (u & 0xffff0000u) | 0x8000u;
      x.as<uint32_t>()[i] = u;
    }
    Buffer h = apply(Code::copy, float32, float16, {&x}),
           b = apply(Code::copy, float32, bfloat16, {&x});
    for (int64_t i = 0; i < x.size(); i++) {
      const float v = x.as<float>()[i];
      if (std::isnan(v)) {
        CHECK(std::isnan(static_cast<float>(h.as<float16_t>()[i])));
        CHECK(std::isnan(static_cast<float>(b.as<bfloat16_t>()[i])));
      } else {
        CHECK(h.as<uint16_t>()[i] == float16_t(v).bits);
        CHECK(b.as<uint16_t>()[i] == bfloat16_t(v).bits);
      }
    }
  });
}

}  // namespace heddle::testing
