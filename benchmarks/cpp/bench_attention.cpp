#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/attention.h"
#include "cpu/rope.h"

using namespace heddle;

namespace {

// Arguments: dtype, query heads, key heads, queries, keys, depth, whether causal.
void attention(benchmark::State& state) {
  auto t = static_cast<Dtype>(state.range(0));
  int64_t heads = state.range(1), key_heads = state.range(2), queries = state.range(3);
  int64_t keys = state.range(4), depth = state.range(5);
  std::vector<char> q(heads * queries * depth * size_of(t)),
      k(key_heads * keys * depth * size_of(t));
  std::vector<char> v = k, out = q;
  auto view = [&](std::vector<char>& data, Shape shape) {
    return View{data.data(), t, shape, row_major_strides(shape)};
  };
  View query = view(q, {1, heads, queries, depth}), key = view(k, {1, key_heads, keys, depth});
  View value = view(v, {1, key_heads, keys, depth}), result = view(out, {1, heads, queries, depth});
  cpu::AttentionParams params;
  params.causal = state.range(6) != 0;
  for (auto _ : state) cpu::attention(query, key, value, result, params);
  double operations = 4.0 * heads * queries * keys * depth;
  state.counters["GF/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["GB/s of keys and values"] =
      benchmark::Counter(2e-9 * k.size(), benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(std::string(name_of(t)));
}

void sizes(benchmark::internal::Benchmark* b) {
  const std::vector<std::vector<int64_t>> shapes = {
      {12, 12, 128, 128, 64, 0},  {12, 12, 1024, 1024, 64, 0}, {12, 12, 1024, 1024, 64, 1},
      {12, 12, 512, 512, 128, 0}, {32, 8, 1, 1024, 128, 0},    {12, 12, 1, 8192, 64, 0}};
  for (Dtype t : {float32, bfloat16, float16}) {
    for (const auto& shape : shapes) {
      std::vector<int64_t> arguments{static_cast<int64_t>(t)};
      arguments.insert(arguments.end(), shape.begin(), shape.end());
      b->Args(arguments);
    }
  }
}

// Arguments: dtype, positions.
void rope(benchmark::State& state) {
  auto t = static_cast<Dtype>(state.range(0));
  int64_t heads = 12, length = state.range(1), depth = 64;
  std::vector<char> x(heads * length * depth * size_of(t)), y = x;
  Shape shape{1, heads, length, depth};
  View in{x.data(), t, shape, row_major_strides(shape)}, out = in;
  out.data = y.data();
  cpu::RopeParams params;
  params.dims = static_cast<int>(depth);
  for (auto _ : state) cpu::rope(in, out, params);
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(x.size()));
  state.SetLabel(std::string(name_of(t)));
}

}  // namespace

BENCHMARK(attention)->Apply(sizes)->UseRealTime();
BENCHMARK(rope)
    ->ArgsProduct({{static_cast<int>(float32), static_cast<int>(bfloat16)}, {1, 128, 1024}})
    ->UseRealTime();
