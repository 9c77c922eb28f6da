#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/arg_reduce.h"
#include "cpu/scan.h"

using namespace heddle;
using cpu::tile::Source;

static void scan_4m(benchmark::State& state, ScanKind kind, Shape shape, int axis) {
  std::vector<float> in(1 << 22, 0.5f), out(in.size());
  const View from{in.data(), float32, shape, row_major_strides(shape)};
  const View to{out.data(), float32, shape, row_major_strides(shape)};
  for (auto _ : state) cpu::scan(kind, Source(from), axis, false, true, to);
}
BENCHMARK_CAPTURE(scan_4m, sum_rows, ScanKind::sum, {2048, 2048}, 1)->UseRealTime();
BENCHMARK_CAPTURE(scan_4m, sum_columns, ScanKind::sum, {2048, 2048}, 0)->UseRealTime();
BENCHMARK_CAPTURE(scan_4m, sum_one_row, ScanKind::sum, {1 << 22}, 0)->UseRealTime();
BENCHMARK_CAPTURE(scan_4m, max_rows, ScanKind::max, {2048, 2048}, 1)->UseRealTime();

static void argmax_2048_squared(benchmark::State& state) {
  std::vector<float> in(1 << 22);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>((i * 2654435761u) & 0xffff);
  std::vector<uint32_t> out(2048);
  const View from{in.data(), float32, {2048, 2048}, {2048, 1}}, to{out.data(), uint32, {2048}, {1}};
  const int axis = static_cast<int>(state.range(0));
  for (auto _ : state) cpu::arg_reduce(ArgReduction::argmax, Source(from), axis, to);
}
BENCHMARK(argmax_2048_squared)->Arg(0)->Arg(1)->UseRealTime();
