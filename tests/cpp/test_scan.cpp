#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/scan.h"

using namespace heddle;
using cpu::tile::Source;

namespace {

template <class T>
View dense(T* values, const Shape& shape) {
  return {values, dtype_of<T>, shape, row_major_strides(shape)};
}

double log_add_exp(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
}

template <class T>
double identity(ScanKind kind) {
  const bool is_integer = std::is_integral_v<T>;
  switch (kind) {
    case ScanKind::sum:
      return 0;
    case ScanKind::prod:
      return 1;
    case ScanKind::min:
      return is_integer ? static_cast<double>(std::numeric_limits<T>::max()) : INFINITY;
    case ScanKind::max:
      return is_integer ? static_cast<double>(std::numeric_limits<T>::lowest()) : -INFINITY;
    default:
      return -INFINITY;
  }
}

// One scan in doubles; element `at` of x is x[at * stride].
template <class T>
std::vector<double> expected_scan(ScanKind kind, const T* x, int64_t n, int64_t stride,
                                  bool reverse, bool inclusive) {
  std::vector<double> out(static_cast<size_t>(n));
  double total = identity<T>(kind);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = reverse ? n - 1 - i : i;
    const double v = static_cast<double>(x[at * stride]);
    const double before = total;
    switch (kind) {
      case ScanKind::sum:
        total = total + v;
        break;
      case ScanKind::prod:
        total = i == 0 ? v : total * v;
        break;
      case ScanKind::min:
        total = i == 0 ? v : std::min(total, v);
        break;
      case ScanKind::max:
        total = i == 0 ? v : std::max(total, v);
        break;
      default:
        total = i == 0 ? v : log_add_exp(total, v);
    }
    out[static_cast<size_t>(at)] = inclusive ? total : before;
  }
  return out;
}

struct Layout {
  int64_t outer, n, inner;
};
const std::vector<Layout> layouts = {{1, 1, 1},    {3, 5, 1},    {2, 511, 1}, {2, 512, 1},
                                     {2, 1500, 1}, {1, 4000, 1}, {3, 7, 2},   {1, 300, 3},
                                     {2, 9, 600},  {4, 100, 512}};

template <class T>
void check(ScanKind kind, const Layout& l, T* values, double tolerance) {
  const int64_t size = l.outer * l.n * l.inner;
  auto out = std::make_unique<T[]>(static_cast<size_t>(size));
  for (const bool reverse : {false, true}) {
    for (const bool inclusive : {true, false}) {
      const Shape shape = {l.outer, l.n, l.inner};
      cpu::scan(kind, Source(dense(values, shape)), 1, reverse, inclusive, dense(out.get(), shape));
      double worst = 0;
      for (int64_t o = 0; o < l.outer; ++o) {
        for (int64_t j = 0; j < l.inner; ++j) {
          const int64_t base = o * l.n * l.inner + j;
          const auto expected =
              expected_scan(kind, values + base, l.n, l.inner, reverse, inclusive);
          for (int64_t i = 0; i < l.n; ++i) {
            const double got = static_cast<double>(out[base + i * l.inner]);
            const double want = expected[static_cast<size_t>(i)];
            if (got != want) worst = std::max(worst, std::abs(got - want) / (1 + std::abs(want)));
          }
        }
      }
      CHECK(worst <= tolerance);
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("scan: integers exactly, every layout and direction", T, int8_t, uint8_t,
                   int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t) {
  std::mt19937 generator(1);
  for (const Layout& l : layouts) {
    const int64_t size = l.outer * l.n * l.inner;
    auto values = std::make_unique<T[]>(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) values[i] = static_cast<T>(generator() % 100);
    check<T>(ScanKind::max, l, values.get(), 0);
    check<T>(ScanKind::min, l, values.get(), 0);
    for (int64_t i = 0; i < size; ++i) values[i] = static_cast<T>(generator() % 40 == 0);
    check<T>(ScanKind::sum, l, values.get(), 0);
    for (int64_t i = 0; i < size; ++i) values[i] = static_cast<T>(1 + (generator() % 1000 == 0));
    if (l.n < 300) check<T>(ScanKind::prod, l, values.get(), 0);
  }
}

TEST_CASE_TEMPLATE("scan: floats against doubles", T, float, double) {
  std::mt19937 generator(2);
  std::normal_distribution<double> normal;
  // The reference for double is itself added one by one in doubles.
  const double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-14;
  for (const Layout& l : layouts) {
    const int64_t size = l.outer * l.n * l.inner;
    auto values = std::make_unique<T[]>(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) values[i] = static_cast<T>(normal(generator));
    check<T>(ScanKind::max, l, values.get(), 0);
    check<T>(ScanKind::min, l, values.get(), 0);
    for (int64_t i = 0; i < size; ++i) values[i] = std::abs(values[i]);
    // Added one by one in other layouts: n roundings.
    check<T>(ScanKind::sum, l, values.get(), l.inner == 1 ? tolerance : 4 * tolerance);
    check<T>(ScanKind::logaddexp, l, values.get(), 4 * tolerance);
    for (int64_t i = 0; i < size; ++i) values[i] = static_cast<T>(1 + values[i] / 1000);
    check<T>(ScanKind::prod, l, values.get(), tolerance * std::sqrt(static_cast<double>(l.n)));
  }
}

TEST_CASE("scan: wrapping, booleans, halves, complex numbers") {
  std::vector<int8_t> narrow(300, 1);
  cpu::scan(ScanKind::sum, Source(dense(narrow.data(), {300})), 0, false, true,
            dense(narrow.data(), {300}));
  CHECK(narrow[126] == 127);
  CHECK(narrow[127] == -128);
  CHECK(narrow[299] == 44);

  const bool flags[] = {true, true, false, true};
  int32_t counts[4];
  View in{const_cast<bool*>(flags), bool_, {4}, {1}};
  cpu::scan(ScanKind::sum, Source(in), 0, false, true, dense(counts, {4}));
  CHECK(std::vector<int32_t>(counts, counts + 4) == std::vector<int32_t>{1, 2, 2, 3});
  bool every[4];
  cpu::scan(ScanKind::min, Source(in), 0, false, false, dense(every, {4}));
  CHECK(std::vector<bool>(every, every + 4) == std::vector<bool>{true, true, true, false});

  std::vector<float16_t> halves(3000, float16_t(1.0f));
  cpu::scan(ScanKind::sum, Source(dense(halves.data(), {3000})), 0, false, true,
            dense(halves.data(), {3000}));
  CHECK(static_cast<float>(halves[2999]) == 3000.0f);

  std::vector<complex64_t> z = {{1, 1}, {0, 5}, {2, -1}, {2, 3}}, out(4);
  cpu::scan(ScanKind::max, Source(dense(z.data(), {4})), 0, false, true, dense(out.data(), {4}));
  CHECK(out == std::vector<complex64_t>{{1, 1}, {1, 1}, {2, -1}, {2, 3}});
  cpu::scan(ScanKind::prod, Source(dense(z.data(), {4})), 0, true, false, dense(out.data(), {4}));
  CHECK(out == std::vector<complex64_t>{{-20, 35}, {7, 4}, {2, 3}, {1, 0}});
}

TEST_CASE("scan: NaN stays, a product may not overflow in pieces, infinities of logaddexp") {
  const float inf = INFINITY;
  std::vector<float> x(1200, 1.0f), y(x.size());
  x[700] = NAN;
  cpu::scan(ScanKind::max, Source(dense(x.data(), {1200})), 0, false, true,
            dense(y.data(), {1200}));
  CHECK(y[699] == 1);
  for (size_t i = 700; i < 1200; ++i) CHECK(std::isnan(y[i]));
  std::fill(x.begin(), x.end(), 1e30f);
  x[0] = 0;
  cpu::scan(ScanKind::prod, Source(dense(x.data(), {1200})), 0, false, true,
            dense(y.data(), {1200}));
  CHECK(y == std::vector<float>(1200, 0.0f));
  x = {-inf, -inf, 1, inf, 2};
  cpu::scan(ScanKind::logaddexp, Source(dense(x.data(), {5})), 0, false, true,
            dense(y.data(), {5}));
  CHECK(std::vector<float>(y.begin(), y.begin() + 5) ==
        std::vector<float>{-inf, -inf, 1, inf, inf});
}

TEST_CASE("scan: long rows do not depend on threads, and sums of positive numbers never fall") {
  const int threads = num_threads();
  const int64_t n = (1 << 18) + 777;
  std::vector<float> x(static_cast<size_t>(n)), y[2];
  std::mt19937 generator(3);
  for (float& v : x) v = static_cast<float>(generator()) * 0x1p-32f;
  for (const bool reverse : {false, true}) {
    for (const bool inclusive : {false, true}) {
      for (int i : {0, 1}) {
        set_num_threads(i + 1);
        y[i].assign(x.begin(), x.end());
        cpu::scan(ScanKind::sum, Source(dense(y[i].data(), {n})), 0, reverse, inclusive,
                  dense(y[i].data(), {n}));
      }
      CHECK(y[0] == y[1]);
      if (reverse) std::reverse(y[0].begin(), y[0].end());
      CHECK(std::is_sorted(y[0].begin(), y[0].end()));
      double total = 0;
      for (int64_t i = inclusive ? 0 : 1; i < n; ++i)
        total += x[static_cast<size_t>(reverse ? i : i - !inclusive)];
      CHECK(std::abs(y[0].back() - total) < 2e-6 * total);
    }
  }
  set_num_threads(threads);
}
