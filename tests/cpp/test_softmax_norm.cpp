#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/norm.h"
#include "cpu/softmax.h"

using namespace heddle;
using cpu::tile::Source;

namespace {

template <class T>
std::vector<T> normal_values(int64_t n, uint32_t seed, double spread = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0, spread);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& v : values)
    v = T(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(
        normal(generator)));
  return values;
}

template <class T>
View dense(std::vector<T>& values, const Shape& shape) {
  return {values.data(), dtype_of<T>, shape, row_major_strides(shape)};
}

template <class T>
double value(T x) {
  if constexpr (sizeof(T) == 2) return static_cast<float>(x);
  return static_cast<double>(x);
}

// Relative error allowed of one rounded result.
template <class T>
constexpr double tolerance = std::is_same_v<T, double>      ? 1e-14
                             : std::is_same_v<T, float>     ? 2e-6
                             : std::is_same_v<T, float16_t> ? 1e-3
                                                            : 8e-3;

const std::vector<int64_t> lengths = {1, 2, 7, 15, 16, 17, 33, 64, 100, 512, 513, 768, 1500};

struct Normalised {
  std::vector<double> h;
  double scale = 0;
};

template <class T>
Normalised normalise(const T* x, int64_t n, double eps, bool center) {
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < n && center; ++i) mean += value(x[i]) / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) squares += (value(x[i]) - mean) * (value(x[i]) - mean);
  Normalised out;
  out.scale = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
  for (int64_t i = 0; i < n; ++i) out.h.push_back((value(x[i]) - mean) * out.scale);
  return out;
}

template <class F>
void on_one_and_two_threads(F&& f) {
  const int threads = num_threads();
  set_num_threads(1);
  f(0);
  set_num_threads(2);
  f(1);
  set_num_threads(threads);
}

}  // namespace

TEST_CASE_TEMPLATE("softmax and logsumexp against doubles", T, float, double, float16_t,
                   bfloat16_t) {
  for (int64_t n : lengths) {
    const int64_t rows = 37;
    std::vector<T> x = normal_values<T>(rows * n, 1, 5), y(x.size()), z(static_cast<size_t>(rows));
    const Source source(dense(x, {rows, n}));
    cpu::softmax(source, dense(y, {rows, n}));
    cpu::logsumexp(source, dense(z, {rows}));
    double worst = 0, worst_log = 0;
    for (int64_t r = 0; r < rows; ++r) {
      double max = -1e300, sum = 0;
      for (int64_t i = r * n; i < (r + 1) * n; ++i)
        max = std::max(max, value(x[static_cast<size_t>(i)]));
      for (int64_t i = r * n; i < (r + 1) * n; ++i)
        sum += std::exp(value(x[static_cast<size_t>(i)]) - max);
      for (int64_t i = r * n; i < (r + 1) * n; ++i) {
        const double expected = std::exp(value(x[static_cast<size_t>(i)]) - max) / sum;
        worst = std::max(worst,
                         (std::abs(value(y[static_cast<size_t>(i)]) - expected) - 6e-8) / expected);
      }
      const double expected = max + std::log(sum);
      worst_log = std::max(worst_log, std::abs(value(z[static_cast<size_t>(r)]) - expected) /
                                          (1 + std::abs(expected)));
    }
    CHECK(worst < tolerance<T>);
    CHECK(worst_log < tolerance<T>);
  }
}

TEST_CASE_TEMPLATE("softmax: float32 and float64 elements are relatively accurate", T, float,
                   double) {
  std::vector<T> x = normal_values<T>(64 * 300, 2, 10), y(x.size());
  cpu::softmax(Source(dense(x, {64, 300})), dense(y, {64, 300}));
  double worst = 0;
  for (size_t r = 0; r < 64; ++r) {
    double max = -1e300, sum = 0;
    for (size_t i = 0; i < 300; ++i) max = std::max<double>(max, x[r * 300 + i]);
    for (size_t i = 0; i < 300; ++i) sum += std::exp(x[r * 300 + i] - max);
    for (size_t i = 0; i < 300; ++i) {
      const double expected = std::exp(x[r * 300 + i] - max) / sum;
      worst = std::max(worst, std::abs(y[r * 300 + i] - expected) / expected);
    }
  }
  // The difference x - max is exact to half an ulp, which e^x multiplies by |x - max| <= 80.
  CHECK(worst < (std::is_same_v<T, float> ? 4e-6 : 1e-14));
}

TEST_CASE_TEMPLATE("softmax and logsumexp: rows with infinities and NaN", T, float, double) {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (int64_t n : {2, 3, 20, 70}) {
    std::vector<T> x(static_cast<size_t>(5 * n), T(0.5)), y(x.size()), z(5);
    const auto row = [&](int64_t r) { return x.begin() + r * n; };
    std::fill(row(0), row(1), -inf);
    row(1)[n - 1] = nan;
    row(2)[0] = inf;
    row(3)[0] = -inf;
    row(4)[0] = inf;
    row(4)[1] = nan;
    cpu::softmax(Source(dense(x, {5, n})), dense(y, {5, n}));
    cpu::logsumexp(Source(dense(x, {5, n})), dense(z, {5}));
    for (int64_t r : {0, 1, 2, 4}) {
      for (int64_t i = 0; i < n; ++i) CHECK(std::isnan(y[static_cast<size_t>(r * n + i)]));
    }
    CHECK(y[static_cast<size_t>(3 * n)] == 0);
    CHECK(y[static_cast<size_t>(3 * n + 1)] == doctest::Approx(1.0 / static_cast<double>(n - 1)));
    CHECK(z[0] == -inf);
    CHECK(std::isnan(z[1]));
    CHECK(z[2] == inf);
    CHECK(std::isnan(z[4]));
  }
  std::vector<T> none, empty(2);
  cpu::softmax(Source(dense(none, {2, 0})), dense(none, {2, 0}));
  cpu::logsumexp(Source(dense(none, {2, 0})), dense(empty, {2}));
  CHECK(empty == std::vector<T>(2, -inf));
}

TEST_CASE("softmax: in place, from strided memory, on any number of threads") {
  std::vector<float> x = normal_values<float>(400 * 90, 3), y[2], expected(x.size());
  cpu::softmax(Source(dense(x, {400, 90})), dense(expected, {400, 90}));
  on_one_and_two_threads([&](int i) {
    y[i] = x;
    cpu::softmax(Source(dense(y[i], {400, 90})), dense(y[i], {400, 90}));
    CHECK(y[i] == expected);
  });
  std::vector<float> transposed(x.size()), out(x.size());
  for (size_t i = 0; i < 400; ++i) {
    for (size_t j = 0; j < 90; ++j) transposed[j * 400 + i] = x[i * 90 + j];
  }
  cpu::softmax(Source(View{transposed.data(), float32, {400, 90}, {1, 400}}),
               dense(out, {400, 90}));
  CHECK(out == expected);
}

TEST_CASE_TEMPLATE("norms against doubles", T, float, double, float16_t, bfloat16_t) {
  for (int64_t n : lengths) {
    const int64_t rows = 19;
    std::vector<T> x = normal_values<T>(rows * n, 4), y(x.size());
    for (T& v : x) v = T(static_cast<float>(value(v) + 3));
    std::vector<T> w = normal_values<T>(n, 5), b = normal_values<T>(n, 6);
    const View weight = dense(w, {n}), bias = dense(b, {n});
    for (const bool center : {true, false}) {
      if (center) {
        cpu::layer_norm(Source(dense(x, {rows, n})), &weight, &bias, 1e-5, dense(y, {rows, n}));
      } else {
        cpu::rms_norm(Source(dense(x, {rows, n})), &weight, 1e-5, dense(y, {rows, n}));
      }
      double worst = 0;
      for (int64_t r = 0; r < rows; ++r) {
        const Normalised expected = normalise(x.data() + r * n, n, 1e-5, center);
        for (int64_t i = 0; i < n; ++i) {
          const size_t j = static_cast<size_t>(i);
          const double v = expected.h[j] * value(w[j]) + (center ? value(b[j]) : 0);
          const double scale =
              1 + std::abs(v) + std::abs(expected.h[j] * value(w[j])) + expected.scale;
          worst = std::max(worst, std::abs(value(y[static_cast<size_t>(r * n + i)]) - v) / scale);
        }
      }
      CHECK(worst < tolerance<T>);
    }
  }
}

TEST_CASE("norms: no weight and bias are ones and zeros; mixed dtypes; in place") {
  std::vector<float> x = normal_values<float>(50 * 70, 7), y(x.size()), z(x.size());
  std::vector<float> ones(70, 1), zeros(70, 0);
  std::vector<float16_t> halves(140, float16_t(1.0f));
  const View weight = dense(ones, {70}), bias = dense(zeros, {70});
  const View strided{halves.data(), float16, {70}, {2}};
  cpu::layer_norm(Source(dense(x, {50, 70})), &weight, &bias, 1e-5, dense(y, {50, 70}));
  cpu::layer_norm(Source(dense(x, {50, 70})), nullptr, nullptr, 1e-5, dense(z, {50, 70}));
  CHECK(y == z);
  cpu::layer_norm(Source(dense(x, {50, 70})), &strided, nullptr, 1e-5, dense(x, {50, 70}));
  CHECK(x == y);
}

TEST_CASE_TEMPLATE("norms: cotangents against their formulas in doubles", T, float, double,
                   float16_t) {
  for (int64_t n : {1, 5, 16, 40, 768}) {
    const int64_t rows = 150;
    std::vector<T> x = normal_values<T>(rows * n, 8), g = normal_values<T>(rows * n, 9);
    std::vector<T> w = normal_values<T>(n, 10), gx(x.size()), gw(w.size()), gb(w.size());
    const View weight = dense(w, {n});
    const View out_w = dense(gw, {n}), out_b = dense(gb, {n});
    for (const bool center : {true, false}) {
      const Source from(dense(x, {rows, n})), cotangent(dense(g, {rows, n}));
      if (center) {
        cpu::layer_norm_vjp(from, &weight, cotangent, 1e-3, dense(gx, {rows, n}), &out_w, &out_b);
      } else {
        cpu::rms_norm_vjp(from, &weight, cotangent, 1e-3, dense(gx, {rows, n}), &out_w);
      }
      std::vector<double> ew(static_cast<size_t>(n)), eb(static_cast<size_t>(n));
      double worst = 0;
      for (int64_t r = 0; r < rows; ++r) {
        const Normalised m = normalise(x.data() + r * n, n, 1e-3, center);
        double level = 0, along = 0;
        for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
          const double gi = value(g[static_cast<size_t>(r * n) + i]);
          ew[i] += gi * m.h[i];
          eb[i] += gi;
          level += center ? gi * value(w[i]) / static_cast<double>(n) : 0;
          along += gi * value(w[i]) * m.h[i] / static_cast<double>(n);
        }
        for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
          const size_t j = static_cast<size_t>(r * n) + i;
          const double v = m.scale * (value(g[j]) * value(w[i]) - level - m.h[i] * along);
          worst =
              std::max(worst, std::abs(value(gx[j]) - v) /
                                  (m.scale * 4 * (1 + std::abs(along)) * (1 + std::abs(m.h[i]))));
        }
      }
      CHECK(worst < tolerance<T>);
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        CHECK(std::abs(value(gw[i]) - ew[i]) < 20 * tolerance<T> * (1 + std::abs(ew[i])));
        if (center)
          CHECK(std::abs(value(gb[i]) - eb[i]) < 20 * tolerance<T> * (1 + std::abs(eb[i])));
      }
    }
  }
}

TEST_CASE("norms: cotangents do not depend on the number of threads") {
  const int64_t rows = 1000, n = 96;
  std::vector<float> x = normal_values<float>(rows * n, 11), g = normal_values<float>(rows * n, 12);
  std::vector<float> gx[2], gw[2], gb[2];
  on_one_and_two_threads([&](int i) {
    gx[i].resize(x.size());
    gw[i].resize(static_cast<size_t>(n));
    gb[i].resize(static_cast<size_t>(n));
    const View out_w = dense(gw[i], {n}), out_b = dense(gb[i], {n});
    cpu::layer_norm_vjp(Source(dense(x, {rows, n})), nullptr, Source(dense(g, {rows, n})), 1e-5,
                        dense(gx[i], {rows, n}), &out_w, &out_b);
  });
  CHECK(gx[0] == gx[1]);
  CHECK(gw[0] == gw[1]);
  CHECK(gb[0] == gb[1]);
}
