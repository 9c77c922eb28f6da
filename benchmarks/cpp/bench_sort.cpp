#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "cpu/sort.h"

using namespace heddle;

namespace {

std::vector<float> draw(int64_t n) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& x : values) x = normal(generator);
  return values;
}

}  // namespace

static void sort_rows(benchmark::State& state) {
  const int64_t n = state.range(0), rows = (1 << 20) / n;
  std::vector<float> in = draw(rows * n), out(in.size());
  const View from{in.data(), float32, {rows, n}, {n, 1}},
      to{out.data(), float32, {rows, n}, {n, 1}};
  for (auto _ : state) cpu::sort(from, to);
}
BENCHMARK(sort_rows)->Arg(16)->Arg(128)->Arg(1024)->Arg(1 << 20)->UseRealTime();

static void argsort_rows(benchmark::State& state) {
  const int64_t n = state.range(0), rows = (1 << 20) / n;
  std::vector<float> in = draw(rows * n);
  std::vector<uint32_t> out(in.size());
  const View from{in.data(), float32, {rows, n}, {n, 1}}, to{out.data(), uint32, {rows, n}, {n, 1}};
  for (auto _ : state) cpu::argsort(from, to);
}
BENCHMARK(argsort_rows)->Arg(16)->Arg(128)->Arg(1024)->Arg(1 << 20)->UseRealTime();
