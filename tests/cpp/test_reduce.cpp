#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/reduce.h"

using namespace heddle;
using cpu::Axes;

namespace {

template <class T>
std::vector<T> random_values(int64_t n, uint32_t seed = 1) {
  std::mt19937 generator(seed);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& v : values) {
    const int draw = static_cast<int>(generator() % 2001) - 1000;
    if constexpr (std::is_integral_v<T>) {
      v = static_cast<T>(draw % 50);
    } else {
      v = T(static_cast<float>(draw) / 500.0f);
    }
  }
  return values;
}

// The position in the output of every element of a row-major array.
std::vector<int64_t> targets(const Shape& shape, const Axes& axes) {
  std::vector<int64_t> at(static_cast<size_t>(element_count(shape)));
  for (size_t i = 0; i < at.size(); ++i) {
    int64_t index = static_cast<int64_t>(i), step = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      const int64_t coordinate = index % shape[d];
      index /= shape[d];
      if (std::find(axes.begin(), axes.end(), static_cast<int>(d)) != axes.end()) continue;
      at[i] += coordinate * step;
      step *= shape[d];
    }
  }
  return at;
}

Shape kept_shape(const Shape& shape, const Axes& axes) {
  Shape kept;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (std::find(axes.begin(), axes.end(), static_cast<int>(d)) == axes.end())
      kept.push_back(shape[d]);
  }
  return kept;
}

template <class T>
View dense(std::vector<T>& values, const Shape& shape) {
  return {values.data(), dtype_of<T>, shape, row_major_strides(shape)};
}

template <class Out, class T>
std::vector<Out> run(Reduction reduction, const View& in, const Axes& axes) {
  const Shape shape = kept_shape(in.shape, axes);
  std::vector<Out> out(static_cast<size_t>(element_count(shape)), Out(77));
  cpu::reduce(reduction, in, axes, dense(out, shape));
  return out;
}

const std::vector<std::pair<Shape, Axes>> layouts = {
    {{1000}, {0}},
    {{200000}, {0}},
    {{}, {}},
    {{5, 7}, {1}},
    {{5, 7}, {0}},
    {{5, 7}, {0, 1}},
    {{5, 7}, {}},
    {{300, 513}, {1}},
    {{300, 513}, {0}},
    {{3, 70000}, {1}},
    {{70000, 3}, {0}},
    {{70001, 7}, {0}},
    {{2, 6000}, {0}},
    {{4, 129, 33}, {1}},
    {{4, 129, 33}, {0, 2}},
    {{9, 1, 8, 1, 5}, {2}},
    {{3, 4, 5, 6}, {1, 3}},
    {{3, 4, 5, 6}, {0, 2}},
    {{6, 100, 700}, {0, 2}},
    {{66, 3, 65, 2}, {0, 2}},
    {{200, 30, 2}, {1, 2}},
    {{4, 6, 2, 5, 2, 3}, {2, 4}},
    {{2, 16, 2, 16, 2, 32}, {2, 4}},
    {{3, 5, 7, 41, 2, 33}, {0, 2, 4}},
    {{1000, 3, 5}, {1}},
    {{7, 65, 90, 3, 19}, {1, 3}},
};

}  // namespace

TEST_CASE("reduce: sums of every layout against doubles") {
  for (const auto& [shape, axes] : layouts) {
    std::vector<float> values = random_values<float>(element_count(shape));
    const std::vector<float> got = run<float, float>(Reduction::sum, dense(values, shape), axes);
    std::vector<double> expected(got.size()), magnitude(got.size());
    const std::vector<int64_t> at = targets(shape, axes);
    for (size_t i = 0; i < values.size(); ++i) {
      expected[static_cast<size_t>(at[i])] += values[i];
      magnitude[static_cast<size_t>(at[i])] += std::abs(values[i]);
    }
    for (size_t i = 0; i < got.size(); ++i) {
      CHECK(std::abs(got[i] - expected[i]) <= 1e-6 * magnitude[i]);
    }
  }
}

TEST_CASE_TEMPLATE("reduce: exact on integers, min, max, all, any", T, int8_t, uint8_t, int16_t,
                   uint16_t, int32_t, uint32_t, int64_t, uint64_t, float, double, bool) {
  using Sum = std::conditional_t<(sizeof(T) >= 4), T,
                                 std::conditional_t<std::is_unsigned_v<T>, uint32_t, int32_t>>;
  for (const auto& [shape, axes] : layouts) {
    std::vector<T> storage;
    const int64_t n = element_count(shape);
    auto values = std::make_unique<T[]>(static_cast<size_t>(n));
    std::mt19937 generator(3);
    for (int64_t i = 0; i < n; ++i)
      values[i] =
          static_cast<T>(generator() % 101) - static_cast<T>(std::is_unsigned_v<T> ? 0 : 50);
    const View in{values.get(), dtype_of<T>, shape, row_major_strides(shape)};
    const std::vector<int64_t> at = targets(shape, axes);
    const Shape kept = kept_shape(shape, axes);
    const size_t m = static_cast<size_t>(element_count(kept));
    std::vector<double> sum(m), low(m, 1e9), high(m, -1e9), all(m, 1), any(m, 0);
    for (int64_t i = 0; i < n; ++i) {
      const size_t j = static_cast<size_t>(at[static_cast<size_t>(i)]);
      const double v = static_cast<double>(values[i]);
      sum[j] += v;
      low[j] = std::min(low[j], v);
      high[j] = std::max(high[j], v);
      all[j] = all[j] != 0 && v != 0;
      any[j] = any[j] != 0 || v != 0;
    }
    const auto check = [&]<class Out>(Reduction reduction, Out,
                                      const std::vector<double>& expected) {
      auto out = std::make_unique<Out[]>(m);
      cpu::reduce(reduction, in, axes, {out.get(), dtype_of<Out>, kept, row_major_strides(kept)});
      int64_t wrong = 0;
      for (size_t i = 0; i < m; ++i) wrong += static_cast<double>(out[i]) != expected[i];
      CHECK(wrong == 0);
    };
    check(Reduction::sum, Sum{}, sum);
    check(Reduction::min, T{}, low);
    check(Reduction::max, T{}, high);
    check(Reduction::all, bool{}, all);
    check(Reduction::any, bool{}, any);
  }
}

TEST_CASE("reduce: halves accumulate in float32 and round once") {
  std::vector<float16_t> ones(70000, float16_t(1.0f));
  CHECK(std::isinf(
      static_cast<float>(run<float16_t, float16_t>(Reduction::sum, dense(ones, {70000}), {0})[0])));
  std::vector<bfloat16_t> brain(4096, bfloat16_t(1.0f));
  CHECK(static_cast<float>(
            run<bfloat16_t, bfloat16_t>(Reduction::sum, dense(brain, {4096}), {0})[0]) == 4096.0f);
  std::vector<float16_t> columns(3000 * 5, float16_t(0.5f));
  for (float16_t x : run<float16_t, float16_t>(Reduction::sum, dense(columns, {3000, 5}), {0})) {
    CHECK(static_cast<float>(x) == 1500.0f);
  }
}

TEST_CASE("reduce: products and wrapping") {
  std::vector<double> values = {1.5, -2, 4, 0.25, 3, 1};
  CHECK(run<double, double>(Reduction::prod, dense(values, {2, 3}), {1}) ==
        std::vector<double>{-12, 0.75});
  CHECK(run<double, double>(Reduction::prod, dense(values, {2, 3}), {0}) ==
        std::vector<double>{0.375, -6, 4});
  std::vector<int8_t> narrow(300, 1);
  CHECK(run<int8_t, int8_t>(Reduction::sum, dense(narrow, {300}), {0})[0] == 44);
  std::vector<int32_t> big(3, 2000000000);
  CHECK(run<int32_t, int32_t>(Reduction::sum, dense(big, {3}), {0})[0] == 1705032704);
  std::vector<int64_t> wide(64, 3);
  uint64_t power = 1;
  for (int i = 0; i < 64; ++i) power *= 3;
  CHECK(run<int64_t, int64_t>(Reduction::prod, dense(wide, {64}), {0})[0] ==
        static_cast<int64_t>(power));
}

TEST_CASE("reduce: complex numbers") {
  std::vector<complex64_t> values;
  for (int i = 0; i < 2000; ++i)
    values.push_back({static_cast<float>(i % 7), static_cast<float>(i % 5)});
  for (const Axes& axes : {Axes{0}, Axes{1}}) {
    const std::vector<int64_t> at = targets({40, 50}, axes);
    const auto sums = run<complex64_t, complex64_t>(Reduction::sum, dense(values, {40, 50}), axes);
    const auto high = run<complex64_t, complex64_t>(Reduction::max, dense(values, {40, 50}), axes);
    std::vector<complex64_t> expected(sums.size());
    for (size_t i = 0; i < values.size(); ++i) expected[static_cast<size_t>(at[i])] += values[i];
    CHECK(sums == expected);
    for (size_t i = 0; i < high.size(); ++i) {
      CHECK(high[i] == complex64_t(6, axes[0] == 0 ? static_cast<float>(i % 5) : 4.0f));
    }
  }
  values[777] = {1, std::numeric_limits<float>::quiet_NaN()};
  CHECK(std::isnan(
      run<complex64_t, complex64_t>(Reduction::min, dense(values, {2000}), {0})[0].imag()));
  std::vector<complex64_t> zeros = {{0, -0.0f}, {-0.0f, 0}};
  std::vector<uint8_t> out(1, 9);
  cpu::reduce(Reduction::any, dense(zeros, {2}), {0}, {out.data(), bool_, {}, {}});
  CHECK(out[0] == 0);
}

TEST_CASE("reduce: NaN wins wherever it stands; zeros of both signs are false") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int64_t n : {1, 3, 17, 100, 600, 5000}) {
    for (int64_t at = 0; at < n; at += 1 + n / 7) {
      std::vector<float> values = random_values<float>(n);
      values[static_cast<size_t>(at)] = nan;
      CHECK(std::isnan(run<float, float>(Reduction::max, dense(values, {n}), {0})[0]));
      CHECK(std::isnan(run<float, float>(Reduction::min, dense(values, {n}), {0})[0]));
      std::vector<float> twice(values);
      twice.insert(twice.end(), values.begin(), values.end());
      CHECK(std::isnan(
          run<float, float>(Reduction::min, dense(twice, {2, n}), {0})[static_cast<size_t>(at)]));
    }
  }
  std::vector<float> zeros(100, -0.0f);
  std::vector<uint8_t> out(1);
  cpu::reduce(Reduction::any, dense(zeros, {100}), {0}, {out.data(), bool_, {}, {}});
  CHECK(out[0] == 0);
  zeros[50] = nan;
  cpu::reduce(Reduction::any, dense(zeros, {100}), {0}, {out.data(), bool_, {}, {}});
  CHECK(out[0] == 1);
}

TEST_CASE("reduce: nothing to reduce gives the identity") {
  std::vector<float> none;
  CHECK(run<float, float>(Reduction::sum, dense(none, {3, 0}), {1}) == std::vector<float>(3, 0.0f));
  CHECK(run<float, float>(Reduction::prod, dense(none, {0}), {0}) == std::vector<float>{1.0f});
  std::vector<uint8_t> out(1, 7);
  cpu::reduce(Reduction::all, dense(none, {0}), {0}, {out.data(), bool_, {}, {}});
  CHECK(out[0] == 1);
  CHECK(run<float, float>(Reduction::sum, dense(none, {0, 3}), {1}).empty());
}

TEST_CASE("reduce: views of any strides, outputs of any strides") {
  std::vector<float> values = random_values<float>(30 * 40 * 50);
  const View transposed{values.data(), float32, {50, 30, 40}, {1, 2000, 50}};
  std::vector<float> copy;
  for (int64_t i = 0; i < 50; ++i) {
    for (int64_t j = 0; j < 30; ++j) {
      for (int64_t k = 0; k < 40; ++k)
        copy.push_back(values[static_cast<size_t>(i + 2000 * j + 50 * k)]);
    }
  }
  for (const Axes& axes :
       {Axes{0}, Axes{1}, Axes{2}, Axes{0, 1}, Axes{0, 2}, Axes{1, 2}, Axes{0, 1, 2}}) {
    const auto got = run<float, float>(Reduction::max, transposed, axes);
    CHECK(got == run<float, float>(Reduction::max, dense(copy, {50, 30, 40}), axes));
  }
  // Windows that overlap, of few and of many channels; the last of a width that fills no vector.
  for (int64_t channels : {1, 3, 16, 37}) {
    const int64_t row = 20 * channels;
    const View windows{values.data(),
                       float32,
                       {3, 5, 9, 3, 3, channels},
                       {12 * row, 2 * row, 2 * channels, row, channels, 1}};
    std::vector<float> copied(static_cast<size_t>(windows.size()));
    cpu::tile::copy(windows, dense(copied, windows.shape));
    for (Reduction reduction : {Reduction::sum, Reduction::max}) {
      for (const Axes& axes : {Axes{3, 4}, Axes{3}, Axes{4}, Axes{0, 4}, Axes{1, 2}}) {
        const auto got = run<float, float>(reduction, windows, axes);
        const auto wanted = run<float, float>(reduction, dense(copied, windows.shape), axes);
        REQUIRE(got.size() == wanted.size());
        for (size_t i = 0; i < got.size(); ++i) {
          CHECK(std::abs(got[i] - wanted[i]) <= (reduction == Reduction::sum ? 1e-4f : 0.0f));
        }
      }
    }
  }
  const View backwards{values.data() + 999, float32, {10, 100}, {-100, -1}};
  std::vector<float> out(20, 5.0f);
  cpu::reduce(Reduction::max, backwards, {1}, {out.data(), float32, {10}, {2}});
  for (int64_t i = 0; i < 10; ++i) {
    const auto row = values.begin() + 900 - 100 * i;
    CHECK(out[static_cast<size_t>(2 * i)] == *std::max_element(row, row + 100));
    CHECK(out[static_cast<size_t>(2 * i + 1)] == 5.0f);
  }
  std::vector<float> few = {1, 2, 3};
  const View repeated{few.data(), float32, {3, 1000}, {1, 0}};
  CHECK(run<float, float>(Reduction::sum, repeated, {1}) == std::vector<float>{1000, 2000, 3000});
  CHECK(run<float, float>(Reduction::sum, repeated, {0}) == std::vector<float>(1000, 6.0f));
}

TEST_CASE("reduce: bits do not depend on threads, nor on where the values come from") {
  const int threads = num_threads();
  for (const auto& [shape, axes] : layouts) {
    std::vector<float> values = random_values<float>(element_count(shape), 9);
    std::vector<bfloat16_t> halves(values.begin(), values.end());
    std::vector<float> rounded(halves.begin(), halves.end());
    set_num_threads(1);
    const auto one = run<float, float>(Reduction::sum, dense(rounded, shape), axes);
    set_num_threads(2);
    CHECK(one == run<float, float>(Reduction::sum, dense(rounded, shape), axes));
    // bfloat16 comes through tiles, float32 straight from memory.
    CHECK(one == run<float, float>(Reduction::sum, dense(halves, shape), axes));
  }
  set_num_threads(threads);
}

TEST_CASE("reduce: a sum of 16 million floats is accurate") {
  const int64_t n = 1 << 24;
  std::vector<float> values(static_cast<size_t>(n));
  std::mt19937 generator(5);
  double expected = 0;
  for (float& v : values) {
    v = static_cast<float>(generator()) * 0x1p-32f;
    expected += v;
  }
  const float all = run<float, float>(Reduction::sum, dense(values, {n}), {0})[0];
  CHECK(std::abs(all - expected) <= 2e-7 * expected);
}
