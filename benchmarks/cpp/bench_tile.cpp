// The tile interpreter: bandwidth of large work (bytes that must move, read and written) and the
// time of tiny programs.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/threads.h"
#include "cpu/tile/bytecode.h"

namespace heddle {
namespace {

using cpu::tile::Bytecode;
using cpu::tile::Register;

constexpr int64_t large = int64_t{1} << 24;

// In huge pages, as the engine's allocator asks for; written once so that they are there.
struct Memory {
  static constexpr size_t page = size_t{2} << 20;
  void* data;
  explicit Memory(size_t bytes) : data(std::aligned_alloc(page, (bytes + page - 1) / page * page)) {
    madvise(data, (bytes + page - 1) / page * page, MADV_HUGEPAGE);
    std::memset(data, 0, bytes);
  }
  ~Memory() { std::free(data); }
};

Bytecode chain(const std::vector<Code>& codes, Dtype t) {
  Bytecode p;
  p.inputs = {t, t};
  Register last = 0;
  for (Code code : codes) {
    p.code.push_back({code, t, t, 2, last, 1, 0});
    last = 2;
  }
  p.outputs = {{2, t}};
  p.registers = 3;
  return p;
}

// gelu(x) = x * (0.5 + 0.5 * erf(x / sqrt(2))), with the constants as operands.
Bytecode gelu(Dtype t) {
  Bytecode p;
  p.inputs = {t, t, t};
  p.code = {{Code::multiply, t, t, 3, 0, 1, 0},
            {Code::erf, t, t, 3, 3, 0, 0},
            {Code::multiply, t, t, 3, 3, 2, 0},
            {Code::add, t, t, 3, 3, 2, 0},
            {Code::multiply, t, t, 3, 3, 0, 0}};
  p.outputs = {{3, t}};
  p.registers = 4;
  return p;
}

const std::vector<Code> ten = {Code::add,      Code::multiply, Code::subtract, Code::maximum,
                               Code::multiply, Code::add,      Code::negative, Code::multiply,
                               Code::minimum,  Code::add};

// Runs `p` on n elements, the first operand an array and the others scalars or (dense) arrays.
void measure(benchmark::State& state, const Bytecode& p, int64_t n, bool dense_operands) {
  const size_t width = size_of(p.outputs[0].dtype);
  std::vector<std::unique_ptr<Memory>> memory;
  std::vector<View> inputs;
  int64_t bytes = n * static_cast<int64_t>(width);
  for (size_t i = 0; i < p.inputs.size(); i++) {
    memory.push_back(std::make_unique<Memory>(static_cast<size_t>(n) * width));
    const bool dense = i == 0 || dense_operands;
    inputs.push_back({memory.back()->data, p.inputs[i], Shape{n}, Strides{dense ? 1 : 0}});
    if (dense) bytes += n * static_cast<int64_t>(width);
  }
  Memory out(static_cast<size_t>(n) * width);
  const View output{out.data, p.outputs[0].dtype, Shape{n}, Strides{1}};
  for (auto _ : state) cpu::tile::run(p, output.shape, inputs.data(), &output);
  state.SetBytesProcessed(state.iterations() * bytes);
}

void memory_copy(benchmark::State& state) {  // the bound: memcpy on all threads
  Memory a(large * 4), b(large * 4);
  for (auto _ : state) {
    parallel_for(large * 4, 1 << 20, [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char*>(b.data) + begin, static_cast<char*>(a.data) + begin,
                  static_cast<size_t>(end - begin));
    });
  }
  state.SetBytesProcessed(state.iterations() * large * 8);
}

void unary(benchmark::State& state, Code code, Dtype t) {
  measure(state, chain({code}, t), large, false);
}

void transposed(benchmark::State& state, Dtype t) {
  const int64_t side = 4096, bytes = side * side * static_cast<int64_t>(size_of(t));
  Memory a(static_cast<size_t>(bytes)), b(static_cast<size_t>(bytes));
  const Shape shape{side, side};
  const View from{a.data, t, shape, Strides{1, side}}, to{b.data, t, shape, Strides{side, 1}};
  for (auto _ : state) cpu::tile::copy(from, to);
  state.SetBytesProcessed(state.iterations() * 2 * bytes);
}

// A dense (rows, columns) array with an operand broadcast along rows or columns, or transposed.
void broadcast(benchmark::State& state, int64_t rows, int64_t columns, Strides strides) {
  const int64_t n = rows * columns;
  Memory a(static_cast<size_t>(n) * 4), b(static_cast<size_t>(n) * 4),
      c(static_cast<size_t>(n) * 4);
  const Shape shape{rows, columns};
  const View inputs[] = {{a.data, float32, shape, Strides{columns, 1}},
                         {b.data, float32, shape, strides}};
  const View output{c.data, float32, shape, Strides{columns, 1}};
  const Bytecode p = chain({Code::add}, float32);
  for (auto _ : state) cpu::tile::run(p, shape, inputs, &output);
  state.SetBytesProcessed(state.iterations() * n * 8);
}

BENCHMARK(memory_copy)->UseRealTime();
BENCHMARK_CAPTURE(unary, copy, Code::copy, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, exp, Code::exp, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, log, Code::log, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, tanh, Code::tanh, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, erf, Code::erf, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, sigmoid, Code::sigmoid, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, sin, Code::sin, float32)->UseRealTime();
BENCHMARK_CAPTURE(unary, exp_bfloat16, Code::exp, bfloat16)->UseRealTime();
BENCHMARK_CAPTURE(unary, exp_float16, Code::exp, float16)->UseRealTime();
BENCHMARK_CAPTURE(unary, exp_float64, Code::exp, float64)->UseRealTime();
BENCHMARK_CAPTURE(measure, add, chain({Code::add}, float32), large, true)->UseRealTime();
BENCHMARK_CAPTURE(measure, power, chain({Code::power}, float32), large, true)->UseRealTime();
BENCHMARK_CAPTURE(measure, gelu, gelu(float32), large, false)->UseRealTime();
BENCHMARK_CAPTURE(measure, ten, chain(ten, float32), large, false)->UseRealTime();
BENCHMARK_CAPTURE(measure, ten_bfloat16, chain(ten, bfloat16), large, false)->UseRealTime();
BENCHMARK_CAPTURE(measure, ten_1M, chain(ten, float32), 1 << 20, false)->UseRealTime();
BENCHMARK_CAPTURE(transposed, float32, float32)->UseRealTime();
BENCHMARK_CAPTURE(transposed, bfloat16, bfloat16)->UseRealTime();
BENCHMARK_CAPTURE(transposed, uint8, uint8)->UseRealTime();
BENCHMARK_CAPTURE(broadcast, row_768, large / 768, 768, Strides{0, 1})->UseRealTime();
BENCHMARK_CAPTURE(broadcast, row_3, large / 3, 3, Strides{0, 1})->UseRealTime();
BENCHMARK_CAPTURE(broadcast, column_768, large / 768, 768, Strides{1, 0})->UseRealTime();
BENCHMARK_CAPTURE(broadcast, column_3, large / 3, 3, Strides{1, 0})->UseRealTime();
BENCHMARK_CAPTURE(broadcast, transposed, 4096, 4096, Strides{1, 4096})->UseRealTime();
BENCHMARK_CAPTURE(measure, add_4, chain({Code::add}, float32), 4, true);
BENCHMARK_CAPTURE(measure, exp_4, chain({Code::exp}, float32), 4, false);
BENCHMARK_CAPTURE(measure, add_4_bfloat16, chain({Code::add}, bfloat16), 4, true);
BENCHMARK_CAPTURE(measure, ten_4, chain(ten, float32), 4, false);
BENCHMARK_CAPTURE(measure, add_1024, chain({Code::add}, float32), 1024, true);
BENCHMARK_CAPTURE(measure, ten_16384, chain(ten, float32), 16384, false);

}  // namespace
}  // namespace heddle
