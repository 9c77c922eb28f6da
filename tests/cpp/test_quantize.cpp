// Packing and restoring against formulas, products against dense ones, on every instruction set.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/threads.h"
#include "cpu/quantize.h"
#include "cpu/quantized_matmul.h"
#include "cpu/small_floats.h"
#include "heddle/half.h"
#include "tile_targets.h"

using namespace heddle;
using cpu::QuantizedMatrix;

namespace {

std::vector<float> normal_values(int64_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = normal(generator);
  return values;
}

// A packed matrix with memory of its exact size, so that a sanitizer sees what is read beyond it.
struct Packed {
  std::vector<uint32_t> words;
  std::vector<float> scales, biases;
  std::vector<uint8_t> codes;
  QuantizedMatrix matrix;

  Packed(const Quantization& format, const std::vector<float>& w, int64_t rows, int64_t columns) {
    const int64_t groups = rows * columns / format.group_size;
    words.resize(static_cast<size_t>(format.words(rows * columns)));
    scales.resize(static_cast<size_t>(groups));
    biases.resize(static_cast<size_t>(groups));
    codes.resize(static_cast<size_t>(groups));
    const View view{const_cast<float*>(w.data()), Dtype::float32, {rows, columns}, {columns, 1}};
    void* scale_data = format.affine() ? static_cast<void*>(scales.data()) : codes.data();
    cpu::quantize(view, format, nullptr, words.data(), scale_data, biases.data());
    matrix = {format, rows, columns, words.data(), words.data() + words.size(), scale_data};
    if (format.affine()) matrix.biases = biases.data();
  }

  std::vector<float> restored() const {
    std::vector<float> out(static_cast<size_t>(matrix.rows * matrix.columns));
    for (int64_t r = 0; r < matrix.rows; r++) {
      cpu::dequantize_run(matrix, r, 0, matrix.columns, Dtype::float32, cpu::Rounding::each_step,
                          out.data() + r * matrix.columns);
    }
    return out;
  }
};

const Quantization formats[] = {{32, 1},
                                {32, 2},
                                {64, 3},
                                {64, 4},
                                {128, 5},
                                {32, 6},
                                {128, 8},
                                {32, 4},
                                {32, 5},
                                {32, 4, QuantizationMode::mxfp4},
                                {32, 8, QuantizationMode::mxfp8},
                                {16, 4, QuantizationMode::nvfp4}};

}  // namespace

TEST_CASE("what is restored lies within half a step of what was packed") {
  heddle::testing::for_each_target([] {
    const int64_t rows = 3, columns = 384;
    const std::vector<float> w = normal_values(rows * columns, 1);
    for (const Quantization& format : formats) {
      CAPTURE(format.bits);
      CAPTURE(static_cast<int>(format.mode));
      const Packed packed(format, w, rows, columns);
      const std::vector<float> back = packed.restored();
      for (size_t i = 0; i < w.size(); i++) {
        const size_t group = i / static_cast<size_t>(format.group_size);
        if (format.affine()) {
          // The scale was stretched so that zero has a code: the far end may lie half a step more
          // off.
          CHECK(std::fabs(back[i] - w[i]) <= 1.01f * std::fabs(packed.scales[group]));
        } else {
          const float step = format.bits == 4 ? 0.5f : 0.07f;
          CHECK(std::fabs(back[i] - w[i]) <= step * std::fabs(w[i]) + 0.3f);
        }
      }
    }
  });
}

TEST_CASE("codes are a little-endian stream of bits") {
  std::vector<float> w(32);
  for (int bits : {3, 5, 6}) {
    const float most = static_cast<float>((1 << bits) - 1);
    for (size_t i = 0; i < 32; i++) w[i] = std::fmod(static_cast<float>(5 * i), most + 1);
    w[7] = -most;  // the extreme: codes count from here upwards
    w[8] = 0;
    const Packed packed({32, bits}, w, 1, 32);
    for (size_t i = 0; i < 32; i++) {
      uint32_t code = 0;
      for (int b = 0; b < bits; b++) {
        const size_t bit = i * static_cast<size_t>(bits) + static_cast<size_t>(b);
        code |= (packed.words[bit / 32] >> bit % 32 & 1u) << b;
      }
      const float q = std::rint((w[i] - packed.biases[0]) / packed.scales[0]);
      CHECK(static_cast<float>(code) == std::fmin(std::fmax(q, 0.0f), most));
    }
  }
}

TEST_CASE("products with packed matrices equal dense ones") {
  heddle::testing::for_each_target([] {
    const int64_t rows = 37, columns = 384;
    const std::vector<float> w = normal_values(rows * columns, 2);
    for (const Quantization& format : formats) {
      const Packed packed(format, w, rows, columns);
      const std::vector<float> dense = packed.restored();
      for (bool transpose : {true, false}) {
        const int64_t K = transpose ? columns : rows, N = transpose ? rows : columns;
        for (int64_t M : {int64_t{1}, int64_t{3}, int64_t{7}, int64_t{20}}) {
          CAPTURE(format.bits);
          CAPTURE(M);
          const std::vector<float> x = normal_values(M * K, 3);
          std::vector<float> out(static_cast<size_t>(M * N));
          cpu::quantized_product(x.data(), M, packed.matrix, transpose, Dtype::float32, out.data());
          for (int64_t m = 0; m < M; m++) {
            for (int64_t n = 0; n < N; n++) {
              double sum = 0, size = 0;
              for (int64_t k = 0; k < K; k++) {
                const double term = static_cast<double>(x[static_cast<size_t>(m * K + k)]) *
                                    dense[static_cast<size_t>(transpose ? n * K + k : k * N + n)];
                sum += term;
                size += std::fabs(term);
              }
              CHECK(std::fabs(out[static_cast<size_t>(m * N + n)] - sum) <= 1e-5 * size + 1e-6);
            }
          }
        }
      }
    }
  });
}

TEST_CASE("quantized products do not depend on the number of threads") {
  const int64_t rows = 700, columns = 512;
  const Packed packed({64, 4}, normal_values(rows * columns, 4), rows, columns);
  const int before = num_threads();
  for (int64_t M : {int64_t{2}, int64_t{33}}) {
    const std::vector<float> x = normal_values(M * columns, 5);
    std::vector<float> one(static_cast<size_t>(M * rows)), two = one;
    set_num_threads(1);
    cpu::quantized_product(x.data(), M, packed.matrix, true, Dtype::float32, one.data());
    set_num_threads(2);
    cpu::quantized_product(x.data(), M, packed.matrix, true, Dtype::float32, two.data());
    CHECK(one == two);

    std::vector<bfloat16_t> halves(x.begin(), x.end()), first(one.size()), second(one.size());
    set_num_threads(1);
    cpu::quantized_product(halves.data(), M, packed.matrix, true, Dtype::bfloat16, first.data());
    set_num_threads(2);
    cpu::quantized_product(halves.data(), M, packed.matrix, true, Dtype::bfloat16, second.data());
    CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(bfloat16_t)) == 0);
  }
  set_num_threads(before);
}

TEST_CASE("floats of 8 and 4 bits round to the nearest") {
  for (int code = 0; code < 256; code++) {
    const float value = cpu::from_e4m3(static_cast<uint8_t>(code));
    if (!std::isnan(value)) CHECK(cpu::to_e4m3(value) == code);
  }
  CHECK(cpu::to_e4m3(1e9f) == 0x7e);
  CHECK(std::isnan(cpu::from_e4m3(0x7f)));
  CHECK(cpu::to_e2m1(0.25f) == 0);
  CHECK(cpu::to_e2m1(5.0f) == 6);
  CHECK(cpu::to_e2m1(-5.1f) == 15);
  CHECK(cpu::to_e2m1(-0.1f) == 0);
  CHECK(cpu::to_e8m0_up(1.0f) == 127);
  CHECK(cpu::to_e8m0_up(std::nextafter(1.0f, 2.0f)) == 128);
  CHECK(cpu::to_e8m0_up(0.0f) == 127);
  CHECK(cpu::to_e8m0_up(1e-45f) == 0);
  CHECK(cpu::to_e8m0_up(INFINITY) == 255);
}
