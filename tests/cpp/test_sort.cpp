#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/sort.h"

using namespace heddle;

namespace {

// The order of the contract, written once more.
template <class T>
bool before(T a, T b) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    const bool a_nan = std::isnan(a.real()) || std::isnan(a.imag());
    const bool b_nan = std::isnan(b.real()) || std::isnan(b.imag());
    if (a_nan || b_nan) return !a_nan;
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  } else if constexpr (std::is_integral_v<T>) {
    return a < b;
  } else {
    if (std::isnan(static_cast<double>(a)) || std::isnan(static_cast<double>(b))) {
      return !std::isnan(static_cast<double>(a));
    }
    return a < b;
  }
}

template <class T>
bool same(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class T>
std::unique_ptr<T[]> draw(int64_t n, uint32_t seed, uint64_t range) {
  std::mt19937_64 generator(seed);
  auto values = std::make_unique<T[]>(static_cast<size_t>(n));
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN};
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t bits = generator();
    if constexpr (std::is_same_v<T, complex64_t>) {
      values[i] = {static_cast<float>(bits % 5),
                   bits % 97 == 0 ? NAN : static_cast<float>(bits / 8 % 5)};
    } else if constexpr (std::is_integral_v<T>) {
      values[i] = static_cast<T>(range == 0 ? bits : bits % range);
    } else {
      const float x = static_cast<float>(static_cast<int64_t>(bits >> 8) %
                                         static_cast<int64_t>(range == 0 ? 1000000 : range));
      values[i] = bits % 50 == 0 ? T(special[bits / 64 % 6]) : T(x / 64 - 3);
    }
  }
  return values;
}

template <class T>
void check_rows(int64_t rows, int64_t n, uint64_t range) {
  auto values = draw<T>(rows * n, 7, range);
  auto sorted = std::make_unique<T[]>(static_cast<size_t>(rows * n));
  std::vector<uint32_t> order(static_cast<size_t>(rows * n), 0xffffffffu);
  const View in{values.get(), dtype_of<T>, {rows, n}, {n, 1}};
  cpu::sort(in, {sorted.get(), dtype_of<T>, {rows, n}, {n, 1}});
  cpu::argsort(in, {order.data(), uint32, {rows, n}, {n, 1}});
  int64_t wrong = 0;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<uint32_t> expected(static_cast<size_t>(n));
    std::iota(expected.begin(), expected.end(), 0u);
    const T* row = values.get() + r * n;
    std::stable_sort(expected.begin(), expected.end(), [&](uint32_t i, uint32_t j) {
      return before(row[i], row[j]) && !before(row[j], row[i]);
    });
    for (int64_t i = 0; i < n; ++i) {
      const T value = row[expected[static_cast<size_t>(i)]];
      if constexpr (std::is_same_v<T, complex64_t>) {
        wrong += std::memcmp(&value, &sorted[r * n + i], sizeof(T)) != 0;
      } else {
        wrong += !same(value, sorted[r * n + i]);
      }
      wrong += order[static_cast<size_t>(r * n + i)] != expected[static_cast<size_t>(i)];
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE_TEMPLATE("sort and argsort: every dtype", T, bool, int8_t, uint8_t, int16_t, uint16_t,
                   int32_t, uint32_t, int64_t, uint64_t, float16_t, bfloat16_t, float, double,
                   complex64_t) {
  check_rows<T>(5, 1, 0);
  for (int64_t n = 2; n <= 20; ++n) check_rows<T>(70, n, 0);  // side by side
  check_rows<T>(33, 127, 0);
  check_rows<T>(64, 128, 9);
  check_rows<T>(40, 129, 0);
  check_rows<T>(300, 7, 0);
  check_rows<T>(20, 100, 10);
  check_rows<T>(3, 1000, 0);
  check_rows<T>(2, 70000, 0);  // beyond 16 bits of position
  check_rows<T>(1, 200001, 1000);
}

TEST_CASE_TEMPLATE("sort and argsort: rows shared by five threads", T, uint8_t, int16_t, uint16_t,
                   int32_t, uint32_t, int64_t, uint64_t, float16_t, float, double) {
  const int threads = num_threads();
  set_num_threads(5);
  for (const uint64_t range : {0, 1, 3, 1000}) check_rows<T>(1, 70003, range);
  set_num_threads(threads);
}

TEST_CASE("sort: from strided memory, in place, empty, a single element") {
  std::vector<float> x = {5, 1, 4, 2, 3, 0}, y(6);
  cpu::sort({x.data(), float32, {3, 2}, {1, 3}}, {y.data(), float32, {3, 2}, {2, 1}});
  CHECK(y == std::vector<float>{2, 5, 1, 3, 0, 4});
  std::vector<uint32_t> order(6);
  cpu::argsort({x.data(), float32, {3, 2}, {1, 3}}, {order.data(), uint32, {3, 2}, {2, 1}});
  CHECK(order == std::vector<uint32_t>{1, 0, 0, 1, 1, 0});
  const View whole{x.data(), float32, {6}, {1}};
  cpu::sort(whole, whole);
  CHECK(x == std::vector<float>{0, 1, 2, 3, 4, 5});
  cpu::sort({x.data(), float32, {2, 0}, {0, 1}}, {y.data(), float32, {2, 0}, {0, 1}});
  cpu::sort({x.data() + 3, float32, {}, {}}, {y.data(), float32, {}, {}});
  CHECK(y[0] == 3);
}

TEST_CASE("sort: results do not depend on the number of threads") {
  const int threads = num_threads();
  const int64_t n = 300007;
  auto values = draw<float>(n, 3, 0);
  std::vector<float> sorted[3];
  std::vector<uint32_t> order[3];
  for (int i = 0; i < 3; ++i) {
    set_num_threads(i == 2 ? 5 : i + 1);
    sorted[i].resize(static_cast<size_t>(n));
    order[i].resize(static_cast<size_t>(n));
    const View in{values.get(), float32, {n}, {1}};
    cpu::sort(in, {sorted[i].data(), float32, {n}, {1}});
    cpu::argsort(in, {order[i].data(), uint32, {n}, {1}});
  }
  set_num_threads(threads);
  for (int i : {1, 2}) {
    CHECK(std::memcmp(sorted[0].data(), sorted[i].data(), sorted[0].size() * sizeof(float)) == 0);
    CHECK(order[0] == order[i]);
  }
}

TEST_CASE("sort: float32 rows with infinities and without, neither NaN nor negative zero") {
  for (const auto& [n, limit] : std::vector<std::pair<int64_t, float>>{
           {200, INFINITY}, {100003, INFINITY}, {100003, 3.4028235e38f}}) {
    auto values = draw<float>(n, 5, 0);
    for (int64_t i = 0; i < n; ++i) {
      if (std::isnan(values[i]) || values[i] == 0) values[i] = i % 2 ? limit : -limit;
      values[i] = std::clamp(values[i], -limit, limit);
    }
    std::vector<float> expected(values.get(), values.get() + n);
    std::sort(expected.begin(), expected.end());
    const View row{values.get(), float32, {n}, {1}};
    cpu::sort(row, row);
    CHECK(std::memcmp(expected.data(), values.get(), expected.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("searchsorted: both sides, NaN, rows") {
  std::vector<float> sorted = {1, 2, 2, NAN, 0, 5, 7, 9}, values = {2, NAN, 0, 5, 10, -1};
  std::vector<uint32_t> out(6);
  const View s{sorted.data(), float32, {2, 4}, {4, 1}}, v{values.data(), float32, {2, 3}, {3, 1}};
  const View o{out.data(), uint32, {2, 3}, {3, 1}};
  cpu::searchsorted(s, v, cpu::Side::left, o);
  CHECK(out == std::vector<uint32_t>{1, 3, 0, 1, 4, 0});
  cpu::searchsorted(s, v, cpu::Side::right, o);
  CHECK(out == std::vector<uint32_t>{3, 4, 0, 2, 4, 0});
}

TEST_CASE_TEMPLATE("searchsorted agrees with the standard library", T, int8_t, uint64_t, float,
                   bfloat16_t) {
  const int64_t n = 500, m = 3000;
  auto sorted = draw<T>(n, 1, 100);
  auto values = draw<T>(m, 2, 100);
  std::sort(sorted.get(), sorted.get() + n, [](T a, T b) { return before(a, b) && !before(b, a); });
  const auto order = [](T a, T b) { return before(a, b) && !before(b, a); };
  for (const cpu::Side side : {cpu::Side::left, cpu::Side::right}) {
    std::vector<uint32_t> out(static_cast<size_t>(m));
    cpu::searchsorted({sorted.get(), dtype_of<T>, {1, n}, {n, 1}},
                      {values.get(), dtype_of<T>, {1, m}, {m, 1}}, side,
                      {out.data(), uint32, {1, m}, {m, 1}});
    int64_t wrong = 0;
    for (int64_t i = 0; i < m; ++i) {
      const T* end = sorted.get() + n;
      const T* at = side == cpu::Side::left
                        ? std::lower_bound(sorted.get() + 0, sorted.get() + n, values[i], order)
                        : std::upper_bound(sorted.get() + 0, sorted.get() + n, values[i], order);
      wrong += out[static_cast<size_t>(i)] != static_cast<uint32_t>(n - (end - at));
    }
    CHECK(wrong == 0);
  }
}
