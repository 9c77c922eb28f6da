// Many threads at once: each runs programs of every kind, alone and on shared arrays and functions,
// and must find the bits that one thread alone finds. HEDDLE_STRESS_SECONDS lets it run for longer
// (the thread sanitizer's run takes ten minutes, see CONTRIBUTING.md).
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "heddle/heddle.h"
#include "heddle/primitive.h"

namespace heddle {
namespace {

constexpr size_t thread_count = 16;
constexpr int variant_count = 4;

using Clock = std::chrono::steady_clock;

double seconds() {
  const char* text = std::getenv("HEDDLE_STRESS_SECONDS");
  return text ? std::atof(text) : 2.0;
}

std::string bytes_of(const Array& x) {
  Array whole = contiguous(x);
  whole.eval();
  return std::string(static_cast<const char*>(whole.data<void>()), whole.nbytes());
}

// What `save` writes and `load` reads, in memory.
Array through_a_file(const Array& x) {
  std::string file;
  save([&](const void* from, size_t bytes) { file.append(static_cast<const char*>(from), bytes); },
       x);
  size_t at = 0;
  return load(
      [&](void* to, size_t bytes) {
        bytes = std::min(bytes, file.size() - at);
        std::memcpy(to, file.data() + at, bytes);
        at += bytes;
        return bytes;
      },
      "memory");
}

Array loss(const Array& x, const Array& w) {
  return mean(square(tanh(matmul(x, w)) - softmax(matmul(x, w), -1)));
}

Array in_several_dtypes(const Array& x) {
  Array sum = zeros_like(x);
  for (Dtype t : {float16, bfloat16, int32})
    sum = sum + astype(astype(x, t) * Array(3, t), float32);
  return sum;
}

// x + x, by a primitive that evaluates.
class Doubles : public UnaryPrimitive {
 public:
  using UnaryPrimitive::UnaryPrimitive;
  void eval_cpu(const Arrays& in, Array& out) override {
    Array y = in[0] + in[0];
    y.eval();
    out.copy_shared_buffer(y);
  }
  const char* name() const override { return "Doubles"; }
};

Array doubles(const Array& x) {
  return Array(x.shape(), float32, std::make_shared<Doubles>(to_stream({})), {x});
}

struct Program {
  const char* name;
  Array (*run)(const Array& x);  // x: float32 (64, 64)
};

const Program programs[] = {
    {"pointwise", [](const Array& x) { return exp(sin(x) * 0.5f) + sqrt(abs(x)) - 1.0f; }},
    {"dtypes", in_several_dtypes},
    {"large",
     [](const Array& x) {
       return sum(tile(x, {16, 16}) * 1.5f, 0);
     }},
    {"reductions", [](const Array& x) { return logsumexp(x, {0}) + var(x, 1) + max(x, 1); }},
    {"products",
     [](const Array& x) { return matmul(x, transpose(x)) + outer(take(x, 0, 0), take(x, 1, 0)); }},
    {"convolution",
     [](const Array& x) {
       return conv2d(reshape(x, {1, 16, 16, 16}),
                     reshape(slice(x, {0, 0}, {36, 64}), {16, 3, 3, 16}));
     }},
    {"attention",
     [](const Array& x) {
       Array q = reshape(x, {1, 4, 32, 32});
       return fast::scaled_dot_product_attention(q, q, q, 0.2f, "causal");
     }},
    {"quantized",
     [](const Array& x) {
       Arrays q = quantize(x, 64, 4);
       return quantized_matmul(x, q[0], q[1], q[2], true, 64, 4);
     }},
    {"linear algebra", [](const Array& x) { return linalg::inv(x + eye(64) * 40.0f); }},
    {"fourier", [](const Array& x) { return abs(fft::rfft(x, 64, 1)); }},
    {"sorting", [](const Array& x) { return sort(x, 0) + astype(argsort(x, 1), float32); }},
    {"scans", [](const Array& x) { return cumsum(x, 1) + cummax(x, 0); }},
    {"indexing",
     [](const Array& x) {
       Array rows = astype(argsort(take(x, 3, 0)), int32);
       return take(x, rows, 0) + scatter_add(x, {rows}, reshape(x, {64, 1, 64}), {0});
     }},
    {"random",
     [](const Array& x) {
       return x + random::normal({64, 64}, float32, random::key(7)) +
              random::uniform({64, 64}, float32, random::key(8));
     }},
    {"gradient",
     [](const Array& x) {
       return grad([](const Arrays& a) { return Arrays{loss(a[0], a[1])}; }, {0, 1})({x, x})[1];
     }},
    {"rows",
     [](const Array& x) {
       return vmap([](const Arrays& row) { return Arrays{cumsum(row[0], 0) / sum(row[0])}; })(
           {x})[0];
     }},
    {"compiled",
     [](const Array& x) {
       return compile([](const Arrays& a) { return Arrays{tanh(a[0] * 2.0f) + cos(a[0])}; })(
           {x})[0];
     }},
    {"file", through_a_file},
    {"handed over",
     [](const Array& x) {
       Array y = sin(x) + 1.0f;
       async_eval({y});
       Array z = y * y;
       async_eval({z});
       return z - y;
     }},
    {"dropped",
     [](const Array& x) {
       Array y = exp(x);
       Array never = tanh(y) + y;
       Array kept = y * 2.0f;
       y = never = Array();
       return kept;
     }},
    {"own code", [](const Array& x) { return doubles(sin(x)) + doubles(doubles(x)); }},
    {"streams",
     [](const Array& x) {
       Stream stream = new_stream(default_device());
       Array y = add(x, x, stream);
       return multiply(y, cos(y, stream), stream);
     }},
};
constexpr size_t program_count = std::size(programs);

Array input(int variant) {
  return random::uniform({64, 64}, float32, random::key(static_cast<uint64_t>(variant))) - 0.5f;
}

// A function that all threads call, traced for each dtype by whichever comes first.
Arrays shared_step(const Arrays& a) {
  return {astype(sum(tanh(matmul(a[0], a[0])) * exp(a[0]), 1), float32)};
}

TEST_CASE("many threads find what one finds") {
  std::vector<std::string> wanted[variant_count];
  for (int v = 0; v < variant_count; v++) {
    for (const Program& program : programs) wanted[v].push_back(bytes_of(program.run(input(v))));
  }
  const Dtype dtypes[] = {float32, float16, bfloat16};
  std::vector<std::string> wanted_steps;
  for (Dtype t : dtypes) wanted_steps.push_back(bytes_of(shared_step({astype(input(0), t)})[0]));
  const std::string wanted_chain = bytes_of(exp(tile(input(1), {8, 8}) * 0.25f) * 2.0f + 1.0f);

  const Function step = compile(shared_step);
  const Array shared = input(0);
  shared.eval();
  // One lazy graph for all, made anew in each round; whoever asks first evaluates it.
  const Stream everybodys = new_thread_unsafe_stream(default_device());
  std::mutex guard;
  Array chain;
  std::atomic<int> rounds{0};
  std::atomic<size_t> wrong{0};
  std::string names;

  const auto end = Clock::now() + std::chrono::duration<double>(seconds());
  auto work = [&](size_t thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    auto check = [&](const std::string& name, bool right) {
      if (right) return;
      std::lock_guard<std::mutex> lock(guard);
      if (wrong++ < 10) names += name + " ";
    };
    do {
      const int v = static_cast<int>(random() % variant_count);
      const size_t p = random() % program_count;
      check(programs[p].name, bytes_of(programs[p].run(input(v))) == wanted[v][p]);

      const size_t t = random() % std::size(dtypes);
      check("a shared function", bytes_of(step({astype(shared, dtypes[t])})[0]) == wanted_steps[t]);

      Array mine;
      {
        std::lock_guard<std::mutex> lock(guard);
        if (!chain || random() % thread_count == 0) {
          StreamContext context(everybodys);
          chain = doubles(exp(tile(input(1), {8, 8}) * 0.25f)) + 1.0f;
          rounds++;
        }
        mine = chain;
      }
      check("a shared graph", bytes_of(mine) == wanted_chain);
    } while (Clock::now() < end);
  };
  std::vector<std::thread> threads;
  for (size_t t = 0; t < thread_count; t++) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  CHECK_MESSAGE(wrong == 0, names);
  CHECK(rounds > 0);
}

}  // namespace
}  // namespace heddle
