#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/arg_reduce.h"

using namespace heddle;
using cpu::tile::Source;

namespace {

template <class T>
bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>) return false;
  return std::isnan(static_cast<double>(x));
}

template <class T>
std::vector<uint32_t> expected(ArgReduction reduction, const T* x, int64_t outer, int64_t n,
                               int64_t inner) {
  std::vector<uint32_t> out;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t j = 0; j < inner; ++j) {
      int64_t best = 0;
      for (int64_t i = 1; i < n; ++i) {
        const T a = x[(o * n + i) * inner + j], b = x[(o * n + best) * inner + j];
        if (is_nan(b)) break;
        if (is_nan(a) || (reduction == ArgReduction::argmax ? a > b : a < b)) best = i;
      }
      out.push_back(static_cast<uint32_t>(best));
    }
  }
  return out;
}

}  // namespace

TEST_CASE_TEMPLATE("arg_reduce: every layout, ties, NaN", T, bool, int8_t, uint8_t, int16_t,
                   uint16_t, int32_t, uint32_t, int64_t, uint64_t, float16_t, bfloat16_t, float,
                   double) {
  std::mt19937 generator(1);
  const int64_t layouts[][3] = {{1, 1, 1},    {5, 3, 1},      {3, 40, 1},
                                {2, 1300, 1}, {1, 200000, 1}, {1, 70, 3},
                                {3, 33, 300}, {2, 100, 20},   {1, 1000, 257}};
  for (const auto& [outer, n, inner] : layouts) {
    const int64_t size = outer * n * inner;
    auto x = std::make_unique<T[]>(static_cast<size_t>(size));
    for (int round = 0; round < 2; ++round) {
      for (int64_t i = 0; i < size; ++i) {
        const int draw = static_cast<int>(generator() % 100);
        x[i] = static_cast<T>(static_cast<float>(std::is_unsigned_v<T> ? draw : draw - 50));
        if constexpr (!std::is_integral_v<T>) {
          if (round == 1 && generator() % 150 == 0)
            x[i] = T(std::numeric_limits<float>::quiet_NaN());
        }
      }
      for (const ArgReduction reduction : {ArgReduction::argmin, ArgReduction::argmax}) {
        std::vector<uint32_t> out(static_cast<size_t>(outer * inner));
        const Shape shape = {outer, n, inner};
        const Source in(View{x.get(), dtype_of<T>, shape, row_major_strides(shape)});
        cpu::arg_reduce(reduction, in, 1, {out.data(), uint32, {outer, inner}, {inner, 1}});
        CHECK(out == expected(reduction, x.get(), outer, n, inner));
      }
    }
  }
}

TEST_CASE("arg_reduce: strided memory, complex numbers, any number of threads") {
  std::vector<float> x = {5, 1, 4, 2, 3, 0};
  std::vector<uint32_t> out(3);
  const Source transposed(View{x.data(), float32, {3, 2}, {1, 3}});
  cpu::arg_reduce(ArgReduction::argmin, transposed, 1, {out.data(), uint32, {3}, {1}});
  CHECK(out == std::vector<uint32_t>{1, 0, 1});
  cpu::arg_reduce(ArgReduction::argmax, transposed, 0, {out.data(), uint32, {2}, {1}});
  CHECK(out[0] == 0);
  CHECK(out[1] == 1);

  std::vector<complex64_t> z = {{1, 2}, {1, 3}, {0, 9}, {1, 3}};
  cpu::arg_reduce(ArgReduction::argmax, Source(View{z.data(), complex64, {4}, {1}}), 0,
                  {out.data(), uint32, {}, {}});
  CHECK(out[0] == 1);
  z[3] = {0, NAN};
  cpu::arg_reduce(ArgReduction::argmin, Source(View{z.data(), complex64, {4}, {1}}), 0,
                  {out.data(), uint32, {}, {}});
  CHECK(out[0] == 3);

  const int threads = num_threads();
  std::vector<float> ties(300000, 1.0f);
  ties[70000] = ties[250000] = 2.0f;
  for (int i : {1, 2}) {
    set_num_threads(i);
    cpu::arg_reduce(ArgReduction::argmax, Source(View{ties.data(), float32, {300000}, {1}}), 0,
                    {out.data(), uint32, {}, {}});
    CHECK(out[0] == 70000);
  }
  set_num_threads(threads);
}
