// Draws as users of C++ see them: MLX's golden values, keys and threads.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "heddle/heddle.h"

using namespace heddle;

namespace {

template <class T>
std::vector<T> values(const Array& a) {
  Array x = reshape(a, Shape{-1});
  std::vector<T> out;
  for (int64_t i = 0; i < x.size(); i++) out.push_back(take(x, i, 0).item<T>());
  return out;
}

}  // namespace

TEST_CASE("keys split as MLX's do") {
  CHECK(values<uint32_t>(random::key((uint64_t{1} << 40) + 5)) == std::vector<uint32_t>{256, 5});
  CHECK(values<uint32_t>(random::split(random::key(0), 2)) ==
        std::vector<uint32_t>{4146024105u, 967050713u, 2718843009u, 1272950319u});
  CHECK_THROWS_AS(random::split(Array({1, 2})), std::invalid_argument);
  CHECK_THROWS_AS(random::bits({2}, 3), std::invalid_argument);
}

TEST_CASE("bits of every width") {
  random::Key k = random::key(0);
  CHECK(values<uint32_t>(random::bits({3}, 4, k)) ==
        std::vector<uint32_t>{4146024105u, 1351547692u, 2718843009u});
  CHECK(values<uint32_t>(random::bits({3}, 2, k)) == std::vector<uint32_t>{9103, 14175, 5405});
  CHECK(values<uint32_t>(random::bits({5}, 1, k)) == std::vector<uint32_t>{143, 35, 95, 55, 29});
}

TEST_CASE("a seed determines the draws that follow") {
  random::seed(0);
  std::vector<float> u = values<float>(random::uniform({3}));
  CHECK(u[0] == doctest::Approx(0.872414f).epsilon(1e-6));
  CHECK(u[1] == doctest::Approx(0.111052f).epsilon(1e-5));
  CHECK(u[2] == doctest::Approx(0.277081f).epsilon(1e-6));
  std::vector<float> n = values<float>(random::normal({3}));
  CHECK(n[0] == doctest::Approx(-0.0660724f).epsilon(1e-5));
  CHECK(n[2] == doctest::Approx(1.178f).epsilon(1e-4));
  CHECK(values<int>(random::randint(Array(0), Array(10), {5})) == std::vector<int>{8, 6, 6, 5, 7});
}

TEST_CASE("integers of any range") {
  const int64_t low = int64_t{1} << 40;
  Array drawn = random::randint(Array(low), Array(low + 4), {1000}, int64, random::key(1));
  CHECK(min(drawn).item<int64_t>() == low);
  CHECK(max(drawn).item<int64_t>() == low + 3);
}

TEST_CASE("draws from given keys") {
  CHECK(values<bool>(random::bernoulli(Array(0.5f), {5}, random::key(1))) ==
        std::vector<bool>{false, true, true, false, false});
  CHECK(values<int>(random::categorical(zeros({2, 4}), -1, 3, random::key(1))) ==
        std::vector<int>{2, 3, 3, 3, 3, 1});
  CHECK(values<int>(random::permutation(5, random::key(3))) == std::vector<int>{0, 1, 4, 3, 2});
  CHECK_THROWS_AS(random::uniform({2}, int32), std::invalid_argument);
  CHECK_THROWS_AS(random::randint(Array(0), Array(3), {2}, float32), std::invalid_argument);
  CHECK_THROWS_AS(random::categorical(zeros({2}), 1), AxisError);
}

TEST_CASE("every thread has a key of its own") {
  random::seed(4);
  Array before = random::state();
  std::vector<float> there;
  std::thread([&] {
    random::seed(5);
    there = values<float>(random::uniform({3}));
  }).join();
  CHECK(array_equal(before, random::state()).item<bool>());
  random::seed(5);
  CHECK(values<float>(random::uniform({3})) == there);
}

TEST_CASE("norms refuse what does not fit") {
  Array x = ones({2, 3});
  CHECK_THROWS_AS(fast::rms_norm(Array(1.0f), {}, 1e-5f), std::invalid_argument);
  CHECK_THROWS_AS(fast::rms_norm(x, ones({2}), 1e-5f), std::invalid_argument);
  CHECK_THROWS_AS(fast::layer_norm(zeros({2, 3}, int32), {}, {}, 1e-5f), std::invalid_argument);
  CHECK_THROWS_AS(fast::cross_entropy(x, zeros({2})), std::invalid_argument);
  CHECK(fast::layer_norm(x, ones({3}), ones({3}), 1e-5f).dtype() == float32);
  CHECK(values<float>(fast::layer_norm(x, {}, ones({3}), 1e-5f)) == std::vector<float>(6, 1.0f));
}
