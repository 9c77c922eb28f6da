#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/conv.h"

using namespace heddle;

namespace {

enum Direction { forward, backward_input, backward_weight };

// Arguments: dtype, direction, input channels, extent, output channels, kernel, stride, groups.
void conv(benchmark::State& state) {
  auto t = static_cast<Dtype>(state.range(0));
  int64_t C = state.range(2), n = state.range(3), O = state.range(4), k = state.range(5);
  int64_t stride = state.range(6), groups = state.range(7), pad = k / 2;
  int64_t m = (n + 2 * pad - k) / stride + 1;
  std::vector<char> x(n * n * C * size_of(t)), w(O * k * k * C / groups * size_of(t));
  std::vector<char> y(m * m * O * size_of(t));
  auto view = [&](std::vector<char>& data, Shape shape) {
    return View{data.data(), t, shape, row_major_strides(shape)};
  };
  View input = view(x, {1, n, n, C}), weight = view(w, {O, k, k, C / groups});
  View out = view(y, {1, m, m, O});
  cpu::ConvParams p{{stride, stride}, {pad, pad}, {pad, pad},
                    {1, 1},           {1, 1},     static_cast<int>(groups)};
  for (auto _ : state) {
    switch (state.range(1)) {
      case forward:
        cpu::conv(input, weight, out, p);
        break;
      case backward_input:
        cpu::conv_backward_input(out, weight, input, p);
        break;
      default:
        cpu::conv_backward_weight(input, out, weight, p);
    }
  }
  double operations = 2.0 * m * m * O * k * k * C / groups;
  state.counters["GF/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(std::string(name_of(t)));
}

void sizes(benchmark::internal::Benchmark* b) {
  const std::vector<std::vector<int64_t>> shapes = {
      {64, 56, 64, 3, 1, 1},     {256, 14, 256, 3, 1, 1}, {256, 14, 256, 1, 1, 1},
      {128, 56, 128, 3, 1, 128}, {3, 224, 64, 7, 2, 1},   {64, 56, 64, 3, 1, 4}};
  for (Dtype t : {float32, bfloat16, float16}) {
    for (Direction direction : {forward, backward_input, backward_weight}) {
      for (const auto& shape : shapes) {
        std::vector<int64_t> arguments{static_cast<int64_t>(t), direction};
        arguments.insert(arguments.end(), shape.begin(), shape.end());
        b->Args(arguments);
      }
    }
  }
}

}  // namespace

BENCHMARK(conv)->Apply(sizes)->UseRealTime();
