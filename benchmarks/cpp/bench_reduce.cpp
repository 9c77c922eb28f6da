#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "cpu/reduce.h"

using namespace heddle;

namespace {

// n ones, aligned as the engine's allocator aligns.
struct Ones {
  explicit Ones(int64_t n)
      : data(static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(n) * 4)), &std::free) {
    std::fill(data.get(), data.get() + n, 1.0f);
  }
  std::unique_ptr<float, decltype(&std::free)> data;
};

}  // namespace

static void reduce_4096_squared(benchmark::State& state, Reduction reduction, cpu::Axes axes,
                                bool transposed) {
  Ones in(1 << 24);
  std::vector<float> out(4096);
  const Shape shape = {4096, 4096};
  const View source{in.data.get(), float32, shape,
                    transposed ? Strides{1, 4096} : row_major_strides(shape)};
  const Shape kept = axes.size() == 2 ? Shape{} : Shape{4096};
  const View result{out.data(), float32, kept, row_major_strides(kept)};
  for (auto _ : state) cpu::reduce(reduction, source, axes, result);
  state.SetBytesProcessed(state.iterations() * (int64_t{1} << 26));
}
BENCHMARK_CAPTURE(reduce_4096_squared, sum_all, Reduction::sum, {0, 1}, false)->UseRealTime();
BENCHMARK_CAPTURE(reduce_4096_squared, sum_first, Reduction::sum, {0}, false)->UseRealTime();
BENCHMARK_CAPTURE(reduce_4096_squared, sum_last, Reduction::sum, {1}, false)->UseRealTime();
BENCHMARK_CAPTURE(reduce_4096_squared, sum_last_of_transposed, Reduction::sum, {1}, true)
    ->UseRealTime();
BENCHMARK_CAPTURE(reduce_4096_squared, max_all, Reduction::max, {0, 1}, false)->UseRealTime();
BENCHMARK_CAPTURE(reduce_4096_squared, max_first, Reduction::max, {0}, false)->UseRealTime();

static void sum_rows_of(benchmark::State& state) {
  const int64_t n = state.range(0), rows = (1 << 20) / n;
  Ones in(1 << 20);
  std::vector<float> out(static_cast<size_t>(rows));
  const View source{in.data.get(), float32, {rows, n}, {n, 1}};
  const View result{out.data(), float32, {rows}, {1}};
  for (auto _ : state) cpu::reduce(Reduction::sum, source, {1}, result);
}
BENCHMARK(sum_rows_of)->Arg(4)->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();

static void sum_columns_of(benchmark::State& state) {
  const int64_t m = state.range(0), rows = (1 << 20) / m;
  Ones in(1 << 20);
  std::vector<float> out(static_cast<size_t>(m));
  const View source{in.data.get(), float32, {rows, m}, {m, 1}};
  const View result{out.data(), float32, {m}, {1}};
  for (auto _ : state) cpu::reduce(Reduction::sum, source, {0}, result);
}
BENCHMARK(sum_columns_of)->Arg(4)->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();
