#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/matmul.h"

using namespace heddle;

namespace {

// Arguments: dtype, batch, M, N, K, whether b is transposed (as weights of a linear layer are).
void matmul(benchmark::State& state) {
  auto t = static_cast<Dtype>(state.range(0));
  int64_t batch = state.range(1), M = state.range(2), N = state.range(3), K = state.range(4);
  std::vector<char> a(batch * M * K * size_of(t)), b(batch * K * N * size_of(t));
  std::vector<char> out(batch * M * N * size_of(t));
  View left{a.data(), t, {batch, M, K}, {M * K, K, 1}};
  View right{b.data(), t, {batch, K, N}, {K * N, N, 1}};
  if (state.range(5)) right.strides = Strides{K * N, 1, K};
  View result{out.data(), t, {batch, M, N}, {M * N, N, 1}};
  for (auto _ : state) cpu::matmul(left, right, result);
  double operations = (t == complex64 ? 8.0 : 2.0) * batch * M * N * K;
  state.counters["GF/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(std::string(name_of(t)));
}

void sizes(benchmark::internal::Benchmark* b) {
  const std::vector<std::vector<int64_t>> shapes = {
      {1, 4, 4, 4, 0},
      {1, 16, 16, 16, 0},
      {1, 64, 64, 64, 0},
      {1, 256, 256, 256, 0},
      {1, 1024, 1024, 1024, 0},
      {1, 1, 4096, 4096, 1},
      {1, 1, 4096, 4096, 0},
      {1, 8, 768, 768, 1},
      {1, 512, 768, 768, 1},
      {12, 128, 128, 64, 1},
      // What src/cpu/product_pieces.cpp cuts, by rows and columns, and what it leaves whole.
      {1, 8, 768, 768, 0},
      {1, 1024, 384, 1536, 0},
      {1, 1024, 1536, 384, 0},
      {1, 1024, 1536, 384, 1},
      {1, 2048, 2048, 2048, 0}};
  for (Dtype t : {float32, bfloat16, float16, float64, complex64}) {
    for (const auto& shape : shapes) {
      std::vector<int64_t> arguments{static_cast<int64_t>(t)};
      arguments.insert(arguments.end(), shape.begin(), shape.end());
      b->Args(arguments);
    }
  }
}

}  // namespace

BENCHMARK(matmul)->Apply(sizes)->UseRealTime();
