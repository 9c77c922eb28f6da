#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "cpu/norm.h"
#include "cpu/softmax.h"

using namespace heddle;
using cpu::tile::Source;

namespace {

struct Rows {
  Rows(int64_t rows, int64_t n)
      : shape{rows, n},
        in(static_cast<size_t>(rows * n)),
        out(in.size()),
        vector(static_cast<size_t>(n), 1.0f) {
    std::mt19937 generator(1);
    for (float& x : in) x = static_cast<float>(generator()) * 0x1p-31f;
  }
  View source() { return {in.data(), float32, shape, row_major_strides(shape)}; }
  View result() { return {out.data(), float32, shape, row_major_strides(shape)}; }
  View weight() { return {vector.data(), float32, {shape[1]}, {1}}; }

  Shape shape;
  std::vector<float> in, out, vector;
};

}  // namespace

static void softmax_6144x512(benchmark::State& state) {
  Rows rows(6144, 512);
  for (auto _ : state) cpu::softmax(Source(rows.source()), rows.result());
}
BENCHMARK(softmax_6144x512)->UseRealTime();

static void logsumexp_6144x512(benchmark::State& state) {
  Rows rows(6144, 512);
  View result{rows.out.data(), float32, {6144}, {1}};
  for (auto _ : state) cpu::logsumexp(Source(rows.source()), result);
}
BENCHMARK(logsumexp_6144x512)->UseRealTime();

static void layer_norm_4096x768(benchmark::State& state) {
  Rows rows(4096, 768);
  const View weight = rows.weight();
  for (auto _ : state)
    cpu::layer_norm(Source(rows.source()), &weight, &weight, 1e-5, rows.result());
}
BENCHMARK(layer_norm_4096x768)->UseRealTime();

static void rms_norm_4096x768(benchmark::State& state) {
  Rows rows(4096, 768);
  const View weight = rows.weight();
  for (auto _ : state) cpu::rms_norm(Source(rows.source()), &weight, 1e-5, rows.result());
}
BENCHMARK(rms_norm_4096x768)->UseRealTime();

static void layer_norm_vjp_4096x768(benchmark::State& state) {
  Rows rows(4096, 768), cotangent(4096, 768);
  const View weight = rows.weight();
  std::vector<float> gw(768), gb(768);
  const View out_w{gw.data(), float32, {768}, {1}}, out_b{gb.data(), float32, {768}, {1}};
  for (auto _ : state) {
    cpu::layer_norm_vjp(Source(rows.source()), &weight, Source(cotangent.source()), 1e-5,
                        rows.result(), &out_w, &out_b);
  }
}
BENCHMARK(layer_norm_vjp_4096x768)->UseRealTime();
