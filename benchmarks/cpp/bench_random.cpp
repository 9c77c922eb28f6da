#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/random.h"

using namespace heddle;

static void random_bits_4m_words(benchmark::State& state) {
  std::vector<uint32_t> key = {1, 2};
  std::vector<uint32_t> out(4 << 20);
  View keys{key.data(), uint32, {1, 2}, {2, 1}};
  for (auto _ : state) cpu::random_bits(keys, static_cast<int64_t>(out.size() * 4), out.data());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size() * 4));
}
BENCHMARK(random_bits_4m_words)->Unit(benchmark::kMillisecond)->UseRealTime();
