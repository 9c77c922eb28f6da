// Loops and teams on the engine's threads, and that their number changes no bit of what is shared.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/fork_join.h"
#include "core/team.h"
#include "core/threads.h"
#include "heddle/heddle.h"

namespace heddle {
namespace {

// Gives the limit back.
class Threads {
 public:
  explicit Threads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// How often each index came.
std::vector<int> counts_of(int64_t n, int64_t grain) {
  std::vector<std::atomic<int>> counts(static_cast<size_t>(n));
  std::atomic<bool> borders{true};
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    if (begin % grain != 0 || (end % grain != 0 && end != n) || begin >= end) borders = false;
    for (int64_t i = begin; i < end; i++) counts[static_cast<size_t>(i)]++;
  });
  CHECK(borders);
  return {counts.begin(), counts.end()};
}

TEST_CASE("a loop takes each index once, whatever its grain and the number of threads") {
  for (int threads : {1, 2, 3, 4, 7, 8, 70}) {
    const Threads limit(threads);
    for (int64_t n : {1, 2, 7, 64, 1000, 4097}) {
      for (int64_t grain : {1, 3, 64, 5000}) {
        CAPTURE(threads);
        CAPTURE(n);
        CAPTURE(grain);
        CHECK(counts_of(n, grain) == std::vector<int>(static_cast<size_t>(n), 1));
      }
    }
  }
}

TEST_CASE("a loop inside a loop runs on the thread that meets it") {
  const Threads limit(4);
  std::atomic<int64_t> sum{0};
  std::atomic<bool> moved{false};
  parallel_for(64, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const auto here = std::this_thread::get_id();
      CHECK(in_parallel());
      parallel_for(100, 1, [&](int64_t b, int64_t e) {
        if (std::this_thread::get_id() != here) moved = true;
        sum += e - b;
      });
    }
  });
  CHECK(sum == 6400);
  CHECK(!moved);
  CHECK(!in_parallel());
}

TEST_CASE("an exception comes to the caller, and the next loop is whole") {
  for (int threads : {1, 2, 5}) {
    const Threads limit(threads);
    for (int64_t bad : {0, 17, 499}) {
      std::atomic<int> running{0};
      auto work = [&](int64_t begin, int64_t end) {
        running++;
        const bool found = begin <= bad && bad < end;
        running--;
        if (found) throw std::out_of_range("index " + std::to_string(bad));
      };
      CHECK_THROWS_WITH_AS(parallel_for(500, 1, work), doctest::Contains("index"),
                           std::out_of_range);
      CHECK(running == 0);
      CHECK(!in_parallel());
      CHECK(counts_of(500, 1) == std::vector<int>(500, 1));
    }
  }
}

TEST_CASE("many threads have loops at a time") {
  const Threads limit(4);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  // More than there are places for jobs.
  for (int t = 0; t < 24; t++) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 50; round++) {
        std::atomic<int64_t> sum{0};
        const int64_t n = 100 + t;
        parallel_for(n, 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; i++) sum += i;
        });
        if (sum != n * (n - 1) / 2) wrong++;
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("a caller does not wait for threads that have not come") {
  constexpr int all = 72;  // more than any other test has the pool start
  const Threads limit(all);
  std::atomic<bool> release{false};
  std::atomic<int> held{0};
  // One caller keeps the pool's threads.
  std::thread other([&] {
    share(all, [&](int worker) {
      if (worker > 0) held++;
      while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  });
  while (held < all - 1) std::this_thread::yield();
  CHECK(counts_of(1000, 1) == std::vector<int>(1000, 1));
  std::atomic<int> size{0};
  parallel_team(all, [&](const Team& team) {
    size = team.size;
    team.wait();
  });
  CHECK(size == 1);
  release = true;
  other.join();
}

TEST_CASE("a team's threads have the ranks below its size, and wait for each other") {
  for (int threads : {1, 2, 4}) {
    const Threads limit(threads);
    for (int round = 0; round < 20; round++) {
      std::atomic<int> ranks{0}, steps{0}, wrong{0}, size{0};
      parallel_team(threads, [&](const Team& team) {
        ranks |= 1 << team.rank;
        size = team.size;
        for (int step = 1; step <= 10; step++) {
          steps++;
          team.wait();
          if (steps != step * team.size) wrong++;
          team.wait();
        }
      });
      CHECK(size >= 1);
      CHECK(size <= threads);
      CHECK(ranks == (1 << size) - 1);
      CHECK(wrong == 0);
    }
  }
}

std::string bytes_of(const Arrays& arrays) {
  std::string all;
  for (const Array& x : arrays) {
    Array whole = contiguous(x);
    whole.eval();
    all.append(static_cast<const char*>(whole.data<void>()), whole.nbytes());
  }
  return all;
}

Array normal(const Shape& shape, Dtype t, uint64_t seed) {
  return astype(random::normal(shape, float32, random::key(seed)), t);
}

Arrays products(Dtype t) {
  Arrays all;
  struct Case {
    int64_t M, K, N;
  };
  for (auto [M, K, N] : {Case{2, 3000, 900}, Case{16, 768, 1000}, Case{130, 700, 520},
                         Case{600, 300, 200}, Case{40, 20000, 30}, Case{300, 260, 310}}) {
    const Array a = normal({M, K}, t, 1), b = normal({K, N}, t, 2), c = normal({M, N}, t, 3);
    const Array turned = contiguous(transpose(b)), row = take(c, 0, 0);
    const Array columns = transpose(contiguous(transpose(a)));
    all.push_back(matmul(a, b));
    all.push_back(matmul(a, transpose(turned)));
    all.push_back(matmul(columns, b));
    all.push_back(addmm(row, a, transpose(turned), 0.5f, 2.f));
    all.push_back(addmm(c, a, b));
  }
  all.push_back(matmul(normal({6, 90, 70}, t, 4), normal({6, 70, 110}, t, 5)));
  all.push_back(matmul(normal({3, 2, 200, 64}, t, 4), normal({2, 64, 200}, t, 5)));
  return all;
}

Arrays convolutions(Dtype t) {
  Arrays all;
  auto with_gradients = [&](const Array& x, const Array& w, const auto& f) {
    const Array y = f(x, w);
    const Array g = normal(y.shape(), t, 9);
    auto [values, gradients] =
        vjp([&](const Arrays& in) { return Arrays{f(in[0], in[1])}; }, {x, w}, {g});
    all.insert(all.end(), {values[0], gradients[0], gradients[1]});
  };
  auto plain = [](const Array& x, const Array& w) { return conv2d(x, w, {1, 1}, {1, 1}); };
  auto strided = [](const Array& x, const Array& w) { return conv2d(x, w, {2, 2}, {1, 1}); };
  auto in_groups = [](const Array& x, const Array& w) {
    return conv2d(x, w, {1, 1}, {1, 1}, {1, 1}, 4);
  };
  with_gradients(normal({4, 24, 24, 16}, t, 6), normal({32, 3, 3, 16}, t, 7), plain);
  with_gradients(normal({1, 50, 41, 16}, t, 6), normal({24, 3, 3, 16}, t, 7), plain);
  with_gradients(normal({1, 51, 40, 8}, t, 6), normal({32, 3, 3, 8}, t, 7), strided);
  with_gradients(normal({2, 6, 6, 192}, t, 6), normal({256, 3, 3, 192}, t, 7), plain);
  with_gradients(normal({2, 30, 30, 16}, t, 6), normal({16, 3, 3, 4}, t, 7), in_groups);
  with_gradients(normal({2, 3000, 16}, t, 6), normal({24, 5, 16}, t, 7),
                 [](const Array& x, const Array& w) { return conv1d(x, w, 1, 2); });
  return all;
}

Arrays attentions(Dtype t) {
  Arrays all;
  for (auto [queries, keys] : {std::pair<int64_t, int64_t>{200, 300}, {1, 900}, {33, 70}}) {
    const Array q = normal({2, 4, queries, 32}, t, 10), k = normal({2, 2, keys, 32}, t, 11);
    all.push_back(fast::scaled_dot_product_attention(q, k, k, 0.2f));
    all.push_back(fast::scaled_dot_product_attention(q, k, k, 0.2f, "causal"));
  }
  return all;
}

void check_bits(const char* name, Dtype t, Arrays (*make)(Dtype)) {
  std::string wanted;
  for (int threads : {1, 2, 3, 4, 5, 6, 7, 8}) {
    const Threads limit(threads);
    const std::string found = bytes_of(make(t));
    if (threads == 1) wanted = found;
    INFO(name, " in ", name_of(t), " on ", threads, " threads");
    CHECK((found == wanted));
  }
}

TEST_CASE("the number of threads changes no bit of products, convolutions and attention") {
  for (Dtype t : {float32, float16, bfloat16}) {
    check_bits("products", t, products);
    check_bits("convolutions", t, convolutions);
    check_bits("attention", t, attentions);
  }
  check_bits("products", float64, products);
  check_bits("products", complex64, products);
}

}  // namespace
}  // namespace heddle
