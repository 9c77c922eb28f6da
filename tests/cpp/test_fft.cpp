// Transforms of lengths that go other ways than the short ones of the Python samples: long lines,
// split into rows and columns, and long convolutions. Judged by sums in double.
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <vector>

#include "heddle/heddle.h"

using namespace heddle;

namespace {

// Element k of the transform of x, term by term.
std::complex<double> element(const std::vector<float>& x, int64_t k) {
  const auto n = static_cast<int64_t>(x.size());
  std::complex<double> sum = 0;
  for (int64_t j = 0; j < n; j++) {
    sum += static_cast<double>(x[static_cast<size_t>(j)]) *
           std::polar(1.0, -2 * M_PI * static_cast<double>(j * k % n) / static_cast<double>(n));
  }
  return sum;
}

std::vector<float> signal(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525 + 1013904223;
    v = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
  }
  return x;
}

}  // namespace

TEST_CASE("long transforms agree with their definition and with their inverse") {
  // Powers of two, a mixed length, an odd one, a prime; each by the long line's way.
  for (int64_t n : {65536, 92400, 45045, 50021, 8190}) {
    CAPTURE(n);
    const std::vector<float> x = signal(n);
    Array a(x.begin(), Shape{n});
    Array whole = fft::fft(a), half = fft::rfft(a),
          back = fft::irfft(half, static_cast<int>(n), -1);
    Array again = real(fft::ifft(whole));
    eval(whole, half, back, again);
    const double scale = std::sqrt(static_cast<double>(n));
    for (int64_t k : {int64_t{0}, int64_t{1}, n / 3, n / 2}) {
      const std::complex<double> wanted = element(x, k);
      CHECK(std::abs(std::complex<double>(whole.data<complex64_t>()[k]) - wanted) < 3e-6 * scale);
      CHECK(std::abs(std::complex<double>(half.data<complex64_t>()[k]) - wanted) < 3e-6 * scale);
    }
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
      const float v = x[static_cast<size_t>(i)];
      worst = std::max<double>(
          {worst, std::abs(back.data<float>()[i] - v), std::abs(again.data<float>()[i] - v)});
    }
    CHECK(worst < 2e-6);
  }
}

TEST_CASE("many long lines equal each alone, bit for bit") {
  const int64_t n = 8192;
  const std::vector<float> x = signal(5 * n);
  Array rows(x.begin(), Shape{5, n});
  Array all = fft::fft(rows);
  Array columns = transpose(fft::fft(transpose(rows), 0));
  eval(all, columns);
  CHECK(array_equal(all, columns).item<bool>());
}

TEST_CASE("sums of a real line, plain and with alternating signs, are real exactly") {
  for (int64_t n : {1, 2, 4, 5, 20, 31, 64, 101, 1000, 45045, 65536}) {
    CAPTURE(n);
    for (float sign : {1.0f, -1.0f}) {
      std::vector<float> x = signal(n);
      for (float& v : x) v *= sign;
      Array half = fft::rfft(Array(x.begin(), Shape{n}));
      eval(half);
      const complex64_t *sum = half.data<complex64_t>(), *alternating = sum + n / 2;
      CHECK(sum->imag() == 0);
      CHECK_FALSE(std::signbit(sum->imag()));
      if (n % 2 == 0) {
        CHECK(alternating->imag() == 0);
        CHECK_FALSE(std::signbit(alternating->imag()));
      }
    }
  }
}
