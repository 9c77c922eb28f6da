// How the tile interpreter reaches its operands: shapes, strides, broadcasting, donation, fusion,
// pulling ranges; results that must not depend on threads or on how a program is cut.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/tile/bytecode.h"
#include "tile_reference.h"
#include "tile_targets.h"

namespace heddle::testing {
namespace {

namespace tile = cpu::tile;
using tile::Bytecode;
using tile::Instruction;
using tile::Register;

int64_t pick(std::mt19937_64& random, int64_t n) {
  return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
}

// An operand of `shape` with a random layout: permuted, sliced, reversed, broadcast.
struct RandomView {
  Buffer buffer;
  View view;
};
RandomView random_view(const Shape& shape, Dtype t, std::mt19937_64& random, bool broadcast) {
  const size_t n = shape.size();
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; i++) order[i] = i;
  if (random() % 2) std::shuffle(order.begin(), order.end(), random);
  Strides strides(n);
  int64_t step = 1, first = 0;
  for (size_t j = n; j-- > 0;) {
    const size_t i = order[j];
    if (broadcast && random() % 4 == 0) continue;  // stride 0
    const int64_t skip = random() % 4 == 0 ? 1 + pick(random, 3) : 1;
    const bool reversed = random() % 5 == 0;
    strides[i] = reversed ? -step * skip : step * skip;
    if (reversed) first += step * skip * std::max<int64_t>(shape[i] - 1, 0);
    step *= std::max<int64_t>(shape[i], 1) * skip;
  }
  RandomView r{Buffer(t, std::max<int64_t>(step, 1)), {}};
  for (int64_t i = 0; i < r.buffer.size(); i++)
    r.buffer.set(i, static_cast<double>(pick(random, 100)));
  r.view = {static_cast<unsigned char*>(r.buffer.data()) + static_cast<size_t>(first) * size_of(t),
            t, shape, strides};
  return r;
}

// The element at a row-major position.
template <class T>
T& element(const View& v, int64_t position) {
  int64_t offset = 0;
  for (size_t i = v.shape.size(); i-- > 0;) {
    offset += position % v.shape[i] * v.strides[i];
    position /= v.shape[i];
  }
  return v.as<T>()[offset];
}

Shape random_shape(std::mt19937_64& random) {
  const int64_t sizes[] = {1, 2, 3, 5, 7, 16, 17, 31, 40, 64, 100};
  Shape shape(static_cast<size_t>(pick(random, 5)));
  for (int64_t& d : shape) d = sizes[pick(random, 11)];
  while (element_count(shape) > 100000) *std::max_element(shape.begin(), shape.end()) = 3;
  if (random() % 40 == 0 && !shape.empty()) shape[0] = 0;
  if (random() % 10 == 0) shape = {1 + pick(random, 5000)};
  if (random() % 10 == 0) shape = {1 + pick(random, 90), 1 + pick(random, 1300)};
  return shape;
}

// gelu(x * scale + bias) and more: ten instructions on floats over three operands.
Bytecode long_program(Dtype t) {
  Bytecode p;
  p.inputs = {t, t, t};
  p.code = {{Code::multiply, t, t, 3, 0, 1, 0}, {Code::add, t, t, 3, 3, 2, 0},
            {Code::erf, t, t, 4, 3, 0, 0},      {Code::multiply, t, t, 5, 3, 4, 0},
            {Code::add, t, t, 5, 5, 3, 0},      {Code::tanh, t, t, 4, 5, 0, 0},
            {Code::maximum, t, t, 5, 4, 0, 0},  {Code::subtract, t, t, 6, 5, 1, 0},
            {Code::exp, t, t, 6, 6, 0, 0},      {Code::sigmoid, t, t, 6, 6, 0, 0}};
  p.outputs = {{6, t}};
  p.registers = 7;
  return p;
}

void run_flat(const Bytecode& p, std::vector<Buffer*> inputs, std::vector<Buffer*> outputs) {
  std::vector<View> in, out;
  for (Buffer* b : inputs) in.push_back(b->flat());
  for (Buffer* b : outputs) out.push_back(b->flat());
  tile::run(p, out[0].shape, in.data(), out.data());
}

void fill(Buffer& b, std::mt19937_64& random) {
  for (int64_t i = 0; i < b.size(); i++)
    b.set(i, static_cast<double>(random() >> 11) * 0x1p-53 * 4 - 2);
}

}  // namespace

TEST_CASE("tile: operands and results of any layout") {
  for_each_target([&] {
    std::mt19937_64 random(31);
    for (int round = 0; round < 600; round++) {
      const Shape shape = random_shape(random);
      const Dtype t =
          std::initializer_list<Dtype>{int32, int64, uint8, float32, bool_}.begin()[round % 5];
      RandomView a = random_view(shape, t, random, true), b = random_view(shape, t, random, true);
      RandomView c = random_view(shape, t, random, false);
      const View inputs[] = {a.view, b.view};
      tile::run(single(Code::subtract, t, t), shape, inputs, &c.view);
      int64_t wrong = 0;
      visit_dtype(t, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_arithmetic_v<T>) {
          for (int64_t i = 0; i < element_count(shape); i++) {
            const T want = static_cast<T>(element<T>(a.view, i) - element<T>(b.view, i));
            wrong += element<T>(c.view, i) != want;
          }
        }
      });
      INFO("shape ", to_string(shape), " round ", round);
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("tile: copies of every width and layout") {
  std::mt19937_64 random(37);
  for (Dtype t : all_dtypes) {
    for (int round = 0; round < 60; round++) {
      const Shape shape = random_shape(random);
      RandomView a = random_view(shape, t, random, true), c = random_view(shape, t, random, false);
      tile::copy(a.view, c.view);
      int64_t wrong = 0;
      visit_dtype(t, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (int64_t i = 0; i < element_count(shape); i++) {
          wrong += std::memcmp(&element<T>(a.view, i), &element<T>(c.view, i), sizeof(T)) != 0;
        }
      });
      INFO(std::string(name_of(t)), " shape ", to_string(shape));
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("tile: large transposed and streamed copies") {
  std::mt19937_64 random(41);
  for (Dtype t : {uint8, uint16, float32, float64}) {
    for (Shape shape : {Shape{700, 530}, Shape{3, 257, 129}, Shape{2200, 2100}}) {
      Buffer a(t, element_count(shape)), c(t, element_count(shape));
      for (int64_t i = 0; i < a.size(); i++) a.set(i, static_cast<double>(random() % 251));
      View from = a.view(shape);
      const View to = c.view(shape);
      const size_t n = shape.size();
      Shape swapped = shape;
      std::swap(swapped[n - 1], swapped[n - 2]);
      from.strides = row_major_strides(swapped);
      std::swap(from.strides[n - 1], from.strides[n - 2]);
      tile::copy(from, to);
      int64_t wrong = 0;
      visit_dtype(t, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (int64_t i = 0; i < a.size(); i++) wrong += !(element<T>(from, i) == element<T>(to, i));
      });
      CHECK(wrong == 0);
      tile::copy(a.flat(), c.flat());
      CHECK(a.bytes == c.bytes);
    }
  }
}

TEST_CASE("tile: fused and one by one agree bit for bit, in every dtype") {
  for_each_target([&] {
    std::mt19937_64 random(43);
    for (Dtype t : {float16, bfloat16, float32, float64}) {
      for (int64_t n : {1, 4, 15, 16, 17, 511, 512, 513, 70001}) {
        const Bytecode whole = long_program(t);
        std::vector<Buffer> registers;
        for (int r = 0; r < whole.registers; r++) registers.emplace_back(t, n);
        for (size_t r = 0; r < 3; r++) fill(registers[r], random);
        Buffer fused(t, n);
        run_flat(whole, {&registers[0], &registers[1], &registers[2]}, {&fused});
        for (const Instruction& i : whole.code) {
          Buffer result(t, n);
          std::vector<Buffer*> operands = {&registers[i.a]};
          if (arity_of(i.code) == 2) operands.push_back(&registers[i.b]);
          run_flat(single(i.code, t, t), operands, {&result});
          registers[i.dst].bytes = result.bytes;
        }
        CHECK(fused.bytes == registers[6].bytes);
      }
    }
  });
}

TEST_CASE("tile: narrow integers are wrapped between instructions") {
  Bytecode p;
  p.inputs = {uint8, uint8};
  p.code = {{Code::add, uint8, uint8, 2, 0, 1, 0}, {Code::right_shift, uint8, uint8, 2, 2, 0, 0}};
  p.outputs = {{2, uint8}};
  p.registers = 3;
  Buffer a(uint8, 256), b(uint8, 256), c(uint8, 256);
  for (int64_t i = 0; i < 256; i++) a.set(i, 1), b.set(i, static_cast<double>(i));
  run_flat(p, {&a, &b}, {&c});
  for (int i = 0; i < 256; i++) CHECK(c.as<uint8_t>()[i] == static_cast<uint8_t>(i + 1) >> 1);
}

TEST_CASE("tile: lanes of different widths in one program and one register") {
  // select(x < y, double(x), double(y)) with every register used again at once.
  Bytecode p;
  p.inputs = {float32, float32};
  p.code = {
      {Code::less, float32, bool_, 2, 0, 1, 0},     {Code::copy, float32, float32, 3, 0, 0, 0},
      {Code::copy, float32, float64, 3, 3, 0, 0},   {Code::copy, float32, float64, 4, 1, 0, 0},
      {Code::select, float64, float64, 2, 2, 3, 4}, {Code::copy, float64, complex64, 2, 2, 0, 0},
      {Code::abs, complex64, float32, 2, 2, 0, 0}};
  p.outputs = {{2, float32}, {4, float64}, {0, float32}};
  p.registers = 5;
  std::mt19937_64 random(3);
  for (int64_t n : {5, 512, 3000}) {
    Buffer x(float32, n), y(float32, n), z(float32, n), w(float64, n), v(float32, n);
    fill(x, random);
    fill(y, random);
    run_flat(p, {&x, &y}, {&z, &w, &v});
    CHECK(v.bytes == x.bytes);
    for (int64_t i = 0; i < n; i++) {
      CHECK(z.real(i) == std::fabs(std::min(x.real(i), y.real(i))));
      CHECK(w.real(i) == y.real(i));
    }
  }
}

TEST_CASE("tile: a result may overwrite an operand") {
  std::mt19937_64 random(47);
  for (int64_t n : {3, 512, 1000, 100000}) {
    Bytecode p = long_program(float32);
    p.outputs.push_back({0, float32});  // and the overwritten operand is stored elsewhere
    Buffer a(float32, n), b(float32, n), c(float32, n), r(float32, n), s(float32, n);
    fill(a, random);
    fill(b, random);
    fill(c, random);
    run_flat(p, {&a, &b, &c}, {&r, &s});
    const std::vector<unsigned char> original = a.bytes;
    CHECK(s.bytes == original);
    run_flat(p, {&a, &b, &c}, {&a, &s});
    CHECK(a.bytes == r.bytes);
    CHECK(s.bytes == original);
    a.bytes = original;
    p.outputs.pop_back();
    run_flat(p, {&a, &b, &c}, {&a});
    CHECK(a.bytes == r.bytes);
  }
}

TEST_CASE("tile: a result may overwrite an operand that is read to the end") {
  // x * (x + 1), with the result's register used for x + 1 too.
  Bytecode p;
  p.inputs = {float32, float32};
  p.code = {{Code::add, float32, float32, 2, 0, 1, 0},
            {Code::multiply, float32, float32, 2, 2, 0, 0}};
  p.outputs = {{2, float32}};
  p.registers = 3;
  for (int64_t n : {16, 5, 512, 4096, 100000}) {
    Buffer x(float32, n), one(float32, n);
    for (int64_t i = 0; i < n; i++) x.set(i, static_cast<double>(i % 1000)), one.set(i, 1);
    run_flat(p, {&x, &one}, {&x});
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; i++) {
      wrong += x.real(i) != static_cast<double>(i % 1000) * static_cast<double>(i % 1000 + 1);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("tile: results do not depend on the number of threads") {
  std::mt19937_64 random(53);
  Buffer a(float32, 300000), b(float32, 300000), c(float32, 300000), one(float32, 300000),
      many(float32, 300000);
  fill(a, random);
  fill(b, random);
  fill(c, random);
  const int threads = num_threads();
  set_num_threads(1);
  run_flat(long_program(float32), {&a, &b, &c}, {&one});
  set_num_threads(4);
  run_flat(long_program(float32), {&a, &b, &c}, {&many});
  set_num_threads(threads);
  CHECK(one.bytes == many.bytes);
}

TEST_CASE("tile: a cursor gives what run stores") {
  for_each_target([&] {
    std::mt19937_64 random(59);
    for (int round = 0; round < 120; round++) {
      const Shape shape = random_shape(random);
      const int64_t n = element_count(shape);
      if (n == 0) continue;
      const Dtype t = round % 2 ? float32 : bfloat16;
      RandomView a = random_view(shape, t, random, true), b = random_view(shape, t, random, true),
                 c = random_view(shape, t, random, true);
      const View inputs[] = {a.view, b.view, c.view};
      Buffer want(t, n), got(t, n);
      const View result = want.view(shape);
      tile::run(long_program(t), shape, inputs, &result);
      const tile::Source source(long_program(t), shape, inputs);
      CHECK(source.dtype() == t);
      CHECK(source.direct() == nullptr);
      tile::Cursor cursor(source);
      for (int k = 0; k < 20; k++) {
        const int64_t begin = pick(random, n);
        const int count =
            static_cast<int>(std::min<int64_t>(n - begin, 1 + pick(random, tile::tile_size)));
        std::vector<unsigned char> memory(static_cast<size_t>(count) * size_of(t));
        tile::store_tile(cursor.at(begin, count), t, memory.data(), 1, count);
        const unsigned char* expected = want.bytes.data() + static_cast<size_t>(begin) * size_of(t);
        CHECK(std::memcmp(memory.data(), expected, memory.size()) == 0);
      }
    }
  });
}

TEST_CASE("tile: sources of plain arrays") {
  Buffer x(float32, 1000), h(float16, 1000);
  for (int64_t i = 0; i < 1000; i++)
    x.set(i, static_cast<double>(i)), h.set(i, static_cast<double>(i));
  CHECK(tile::Source(x.flat()).direct() == x.data());
  const tile::Source halves(h.flat());
  CHECK(halves.direct() == nullptr);
  tile::Cursor cursor(halves);
  const float* lanes = static_cast<const float*>(cursor.at(10, 500));
  for (int i = 0; i < 500; i++) CHECK(lanes[i] == static_cast<float>(i + 10));
  View every_third = x.flat();
  every_third.shape = {300};
  every_third.strides = {3};
  CHECK(tile::Source(every_third).direct() == nullptr);
}

TEST_CASE("tile: loading and storing tiles with strides") {
  for (Dtype t : all_dtypes) {
    for (int n : {1, 7, 16, 500}) {
      Buffer from(t, n * 3), to(t, n * 2);
      for (int64_t i = 0; i < from.size(); i++) from.set(i, static_cast<double>(i % 100));
      alignas(64) unsigned char lanes[tile::tile_size * 8];
      tile::load_tile(from.data(), t, 3, lanes, n);
      tile::store_tile(lanes, t, to.data(), 2, n);
      for (int64_t i = 0; i < n; i++) CHECK(to.real(2 * i) == from.real(3 * i));
    }
  }
}

}  // namespace heddle::testing
