// Lazy graphs: depth, sharing, donation, memory statistics, fusion.
#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/node.h"
#include "heddle/heddle.h"

using namespace heddle;

TEST_CASE("a chain of 100,000 nodes is evaluated and dropped without recursion") {
  Array x(0.0f);
  Array one(1.0f);
  for (int i = 0; i < 100000; i++) x = x + one;
  CHECK(x.item<float>() == 100000.0f);
  Array y(0.0f);
  for (int i = 0; i < 1000000; i++) y = y + one;
  y = Array();
}

TEST_CASE("active memory counts requested bytes and returns to where it was") {
  size_t before = get_active_memory();
  {
    Array x = zeros({100}) + Array(1.0f);
    x.eval();
    CHECK(get_active_memory() - before >= 400);
    CHECK(get_active_memory() - before <= 408);
  }
  CHECK(get_active_memory() == before);
}

TEST_CASE("an array that nobody else holds gives its memory to the result") {
  Array x = zeros({1024}) + Array(1.0f);
  x.eval();
  const void* where = x.raw_data();
  x = exp(x);
  x.eval();
  CHECK(x.raw_data() == where);
  Array y = exp(x);
  y.eval();
  CHECK(y.raw_data() != where);
}

TEST_CASE("fused equals unfused bit for bit") {
  float values[257];
  for (int i = 0; i < 257; i++) values[i] = 0.01f * static_cast<float>(i) - 1.0f;
  for (Dtype t : {float32, float16, bfloat16}) {
    Array x(values, Shape{257}, t);
    auto chain = [&](bool step) {
      Array y = x;
      auto then = [&](Array z) {
        y = z;
        if (step) y.eval();
      };
      then(y * x);
      then(exp(y));
      then(y / (y + Array(1.0f, t)));
      then(where(y > Array(0.6f, t), y, negative(y)));
      y.eval();
      return y;
    };
    Array fused = chain(false), single = chain(true);
    CHECK(std::memcmp(fused.raw_data(), single.raw_data(), fused.nbytes()) == 0);
  }
}

TEST_CASE("a node that several pieces of work read joins the first of them") {
  Array x = random::normal({40, 40}), w = random::normal({40, 40});
  auto pieces = [&](bool step) {
    auto done = [&](Array a) {
      if (step) a.eval();
      return a;
    };
    Array before = done(x + Array(0.5f));              // read by all that follows
    Array after = done(maximum(before, Array(0.0f)));  // fused with it
    Array product = done(matmul(after, w));
    Array later = done(where(before > Array(0.0f), product, before));
    Array rows = done(sum(before * later, 0));                 // fused into a reduction
    return done(rows + sum(softmax(before, -1) * before, 0));  // read twice by one piece
  };
  Array fused = pieces(false), single = pieces(true);
  fused.eval();
  CHECK(std::memcmp(fused.raw_data(), single.raw_data(), fused.nbytes()) == 0);
}

TEST_CASE("a node in the middle that someone holds keeps its value") {
  Array x(3.0f);
  Array middle = x * x;
  Array end = exp(negative(middle));
  end.eval();
  CHECK(middle.is_available());
  CHECK(middle.item<float>() == 9.0f);
}

namespace {

std::vector<float> values(const Array& a) {
  a.eval();
  return {a.data<float>(), a.data<float>() + a.size()};
}

}  // namespace

TEST_CASE("small groups that wait for each other compute what they would alone") {
  random::seed(5);
  Array shared = random::uniform({7});
  Arrays inputs, together, alone;
  for (int i = 0; i < 200; i++) inputs.push_back(random::normal({i % 5 ? 7 : 700, 7}));
  Arrays all = inputs;
  all.push_back(shared);
  eval(all);
  auto step = [&](size_t i, const Array& before) {
    Array y = exp(inputs[i] * shared) + sum(before);  // some read the one before, some do not
    return i % 7 == 3 ? matmul(y, transpose(y)) : y;
  };
  Array none(0.0f);
  for (size_t i = 0; i < inputs.size(); i++) {
    together.push_back(step(i, i % 3 ? none : i ? together[i - 1] : none));
    alone.push_back(step(i, i % 3 ? none : i ? alone[i - 1] : none));
    alone.back().eval();
  }
  eval(together);
  for (size_t i = 0; i < inputs.size(); i++) CHECK(values(together[i]) == values(alone[i]));
}

TEST_CASE("groups that wait take each other's memory only when it is free") {
  Arrays x;
  for (int i = 0; i < 100; i++) x.push_back(zeros({50}) + Array(static_cast<float>(i)));
  eval(x);
  const void* first = x[0].raw_data();
  Array kept = x[1];
  for (Array& a : x) a = a + Array(1.0f);
  eval(x);
  CHECK(x[0].raw_data() == first);
  CHECK(values(kept)[0] == 1.0f);
  for (size_t i = 0; i < x.size(); i++) CHECK(values(x[i])[49] == static_cast<float>(i) + 1.0f);
}

TEST_CASE("an error leaves what waited as it was") {
  Array a = zeros({5}), b = zeros({5});
  eval(a, b);
  Array before = a + Array(1.0f), after = b + Array(2.0f);
  Array bad = linalg::inv(zeros({2, 2}));
  CHECK_THROWS_AS(eval(Arrays{before, bad, after}), std::runtime_error);
  CHECK(values(before) == std::vector<float>(5, 1.0f));
  CHECK(values(after) == std::vector<float>(5, 2.0f));
}

TEST_CASE("work of another thread's stream is refused") {
  Array x(1.0f);
  CHECK_THROWS_AS(to_stream(Device{Device::Type::gpu, 0}), std::invalid_argument);
}

TEST_CASE("arrays may die with their thread, after the thread's other variables") {
  for (int i = 0; i < 20; i++) {
    std::thread([] {
      thread_local Array kept;  // made before, and so destroyed after, what freeing it uses
      Array x(1.0f);
      for (int k = 0; k < 100; k++) x = add(x, Array(1.0f));
      kept = exp(x);
    }).join();
  }
  CHECK(add(Array(1.0f), Array(1.0f)).item<float>() == 2.0f);
}

TEST_CASE("an element's value does not depend on its neighbours") {
  std::vector<float> plain(64), mixed;
  for (int i = 0; i < 64; i++) plain[static_cast<size_t>(i)] = 0.37f * static_cast<float>(i) - 9.0f;
  mixed = plain;
  for (size_t i = 5; i < mixed.size(); i += 16)
    mixed[i] = 3e8f;  // wants another way to be computed
  using Unary = Array (*)(const Array&);
  for (Unary f :
       {Unary([](const Array& x) { return sin(x); }), Unary([](const Array& x) { return cos(x); }),
        Unary([](const Array& x) { return tan(x); }),
        Unary([](const Array& x) { return remainder(x, Array(0.7f)); })}) {
    Array alone = f(Array(plain.begin(), Shape{64}));
    Array beside = f(Array(mixed.begin(), Shape{64}));
    eval(alone, beside);
    for (size_t i = 0; i < 64; i++) {
      if (i % 16 != 5) CHECK(alone.data<float>()[i] == beside.data<float>()[i]);
    }
  }
}
