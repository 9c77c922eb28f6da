// Products of bfloat16 with packed matrices: exact where one element of x counts, near the dense
// ones elsewhere, and the same bits whatever the number of threads or rows.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/dnnl.h"
#include "cpu/quantized_matmul.h"
#include "cpu/quantized_tiles.h"
#include "heddle/half.h"

using namespace heddle;
using cpu::QuantizedMatrix;

namespace {

using Halves = std::vector<bfloat16_t>;

Halves normal_halves(int64_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Halves values(static_cast<size_t>(n));
  for (bfloat16_t& v : values) v = normal(generator);
  return values;
}

// A packed matrix with memory of its exact size.
struct Packed {
  std::vector<uint32_t> words;
  Halves scales, biases;
  std::vector<uint8_t> codes;
  QuantizedMatrix matrix;

  Packed(const Quantization& format, int64_t rows, int64_t columns, uint32_t seed) {
    Halves w = normal_halves(rows * columns, seed);
    const auto groups = static_cast<size_t>(rows * columns / format.group_size);
    words.resize(static_cast<size_t>(format.words(rows * columns)));
    scales.resize(groups), biases.resize(groups), codes.resize(groups);
    const View view{w.data(), Dtype::bfloat16, {rows, columns}, {columns, 1}};
    void* scale_data = format.affine() ? static_cast<void*>(scales.data()) : codes.data();
    cpu::quantize(view, format, nullptr, words.data(), scale_data, biases.data());
    matrix = {format, rows, columns, words.data(), words.data() + words.size(), scale_data};
    if (format.affine()) matrix.biases = biases.data(), matrix.dtype = Dtype::bfloat16;
  }

  // As the products take it: rounded to bfloat16 on machines that multiply that.
  std::vector<float> restored() const {
    const auto size = static_cast<size_t>(matrix.rows * matrix.columns);
    std::vector<float> wide(size);
    Halves narrow(size);
    for (int64_t r = 0; r < matrix.rows; r++) {
      const int64_t first = r * matrix.columns;
      cpu::dequantize_run(matrix, r, 0, matrix.columns, Dtype::float32, cpu::Rounding::once,
                          wide.data() + first);
      cpu::dequantize_run(matrix, r, 0, matrix.columns, Dtype::bfloat16, cpu::Rounding::once,
                          narrow.data() + first);
    }
    if (cpu::onednn::native(Dtype::bfloat16)) wide.assign(narrow.begin(), narrow.end());
    return wide;
  }

  Halves product(const Halves& x) const {
    const int64_t M = static_cast<int64_t>(x.size()) / matrix.columns;
    const bfloat16_t untouched(12345.0f);
    Halves out(static_cast<size_t>(M * matrix.rows + 32), untouched);
    cpu::quantized_product(x.data(), M, matrix, true, Dtype::bfloat16, out.data());
    for (int i = 0; i < 32; i++) {
      CHECK(out.back().bits == untouched.bits);
      out.pop_back();
    }
    return out;
  }
};

bool same_bits(const Halves& a, const Halves& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
}

const Quantization formats[] = {{32, 4},
                                {64, 4},
                                {128, 4},
                                {64, 8},
                                {32, 3},
                                {32, 4, QuantizationMode::mxfp4},
                                {16, 4, QuantizationMode::nvfp4}};

}  // namespace

TEST_CASE("a row with a single one gives a column of the packed matrix, bit for bit") {
  for (const Quantization& format : formats) {
    CAPTURE(format.bits);
    CAPTURE(format.group_size);
    // Widths that end within a step of restoring and within a panel.
    for (int64_t K : {int64_t{128}, int64_t{640}}) {
      K += K == 640 && format.group_size < 128 ? format.group_size : 0;
      const int64_t N = 45;
      const Packed packed(format, N, K, 1);
      const std::vector<float> dense = packed.restored();
      Halves x(static_cast<size_t>(K * K));
      for (int64_t k = 0; k < K; k++) x[static_cast<size_t>(k * K + k)] = 1.0f;
      const Halves out = packed.product(x);
      int64_t wrong = 0;
      for (int64_t k = 0; k < K; k++) {
        for (int64_t n = 0; n < N; n++) {
          wrong += static_cast<float>(out[static_cast<size_t>(k * N + n)]) !=
                   bfloat16_t(dense[static_cast<size_t>(n * K + k)]);
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("products of bfloat16 with packed matrices are sums in float32, rounded once") {
  for (const Quantization& format : formats) {
    const int64_t K = 1536 + (format.group_size < 128 ? format.group_size : 0);
    for (int64_t N : {int64_t{1}, int64_t{32}, int64_t{71}}) {
      const Packed packed(format, N, K, 2);
      const std::vector<float> dense = packed.restored();
      for (int64_t M : {int64_t{5}, int64_t{16}, int64_t{17}, int64_t{49}}) {
        CAPTURE(format.bits);
        CAPTURE(format.group_size);
        CAPTURE(N);
        CAPTURE(M);
        const Halves x = normal_halves(M * K, 3);
        const Halves out = packed.product(x);
        int64_t wrong = 0;
        for (int64_t m = 0; m < M; m++) {
          for (int64_t n = 0; n < N; n++) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < K; k++) {
              const double term = static_cast<double>(x[static_cast<size_t>(m * K + k)]) *
                                  dense[static_cast<size_t>(n * K + k)];
              sum += term;
              size += std::fabs(term);
            }
            const double error = std::fabs(out[static_cast<size_t>(m * N + n)] - sum);
            wrong += !(error <= std::fabs(sum) / 256 + 1e-6 * size);
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("in tiles neither the number of threads nor that of rows changes a bit") {
  // Rows enough for x to be larger than the cache, and for two parts.
  const int64_t K = 2048, N = 300, most = 600;
  const Packed packed({64, 4}, N, K, 4);
  const Halves x = normal_halves(most * K, 5);
  Halves all(static_cast<size_t>(most * N));
  if (!cpu::quantized_product_in_tiles(x.data(), most, packed.matrix, all.data())) {
    MESSAGE("no tiles on this machine");
    return;
  }
  const int before = num_threads();
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    for (int64_t M : {int64_t{1}, int64_t{31}, int64_t{32}, int64_t{320}, most}) {
      CAPTURE(threads);
      CAPTURE(M);
      Halves some(static_cast<size_t>(M * N));
      CHECK(cpu::quantized_product_in_tiles(x.data(), M, packed.matrix, some.data()));
      CHECK(same_bits(some, Halves(all.begin(), all.begin() + M * N)));
    }
  }
  set_num_threads(before);
}
