// What users of C++ see of reductions, scans and sorting.
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "heddle/heddle.h"

using namespace heddle;

namespace {

std::vector<float> values(const Array& a) {
  Array x = reshape(astype(a, float32), Shape{-1});
  std::vector<float> out;
  for (int64_t i = 0; i < x.size(); i++) out.push_back(take(x, i, 0).item<float>());
  return out;
}

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("reductions keep or drop their axes") {
  Array x({3.0f, 1.0f, 2.0f, 0.0f, 5.0f, 4.0f});
  x = reshape(x, {2, 3});
  CHECK(values(sum(x, {1})) == Floats{6, 9});
  CHECK(sum(x, {1}, true).shape() == Shape{2, 1});
  CHECK(sum(x).item<float>() == 15);
  CHECK(values(sum(x, 1)) == Floats{6, 9});
  CHECK(sum(x, true).shape() == Shape{1, 1});
  CHECK(sum(x, {0, 1}).shape() == Shape{});
  CHECK(values(max(x, {0})) == Floats{3, 5, 4});
  CHECK(values(argmax(x, 1)) == Floats{0, 1});
  CHECK(argmin(x).item<uint32_t>() == 3);
  CHECK(values(mean(x, {-1})) == Floats{2, 3});
  CHECK(median(x).item<float>() == 2.5f);
  CHECK(var(x, {1}, false, 1).dtype() == float32);
  CHECK(values(softmax(zeros({2, 4}), -1)) == Floats(8, 0.25f));
  CHECK(logsumexp(zeros({4})).item<float>() == doctest::Approx(std::log(4.0f)));
  CHECK(count_nonzero(x).item<int>() == 5);
  auto [low, high] = minmax(x, {0});
  CHECK(values(low) == Floats{0, 1, 2});
  CHECK(values(high) == Floats{3, 5, 4});
}

TEST_CASE("reductions choose dtypes") {
  CHECK(sum(zeros({2}, bool_)).dtype() == int32);
  CHECK(prod(zeros({2}, uint8)).dtype() == uint32);
  CHECK(sum(zeros({2}, int64)).dtype() == int64);
  CHECK(mean(zeros({2}, int32)).dtype() == float32);
  CHECK(var(zeros({2}, complex64)).dtype() == float32);
  // 70,000 ones overflow float16, their mean does not.
  Array many = ones({70000}, float16);
  CHECK(std::isinf(sum(many).item<float>()));
  CHECK(mean(many).item<float>() == 1);
}

TEST_CASE("an expression before a reduction gives what its array gives") {
  Array x = random::normal({37, 211}, float32, {}, {}, random::key(1));
  Array stored = exp(multiply(x, Array(0.5f)));
  eval(stored);
  auto fused = [&] { return exp(multiply(x, Array(0.5f))); };
  for (int axis : {0, 1}) {
    CHECK(array_equal(sum(fused(), {axis}), sum(stored, {axis})).item<bool>());
    CHECK(array_equal(mean(fused(), {axis}), mean(stored, {axis})).item<bool>());
    CHECK(array_equal(max(fused(), {axis}), max(stored, {axis})).item<bool>());
    CHECK(array_equal(argmax(fused(), axis), argmax(stored, axis)).item<bool>());
    CHECK(array_equal(softmax(fused(), axis), softmax(stored, axis)).item<bool>());
    CHECK(array_equal(logsumexp(fused(), {axis}), logsumexp(stored, {axis})).item<bool>());
    CHECK(array_equal(cumsum(fused(), axis), cumsum(stored, axis)).item<bool>());
  }
}

TEST_CASE("reductions of nothing") {
  Array none = zeros({0});
  CHECK(sum(none).item<float>() == 0);
  CHECK(prod(none).item<float>() == 1);
  CHECK(std::isnan(mean(none).item<float>()));
  CHECK_THROWS_WITH_AS(max(none), "[max] Cannot max reduce over axis 0 with size 0.",
                       std::invalid_argument);
  CHECK_THROWS_AS(argmax(none), std::invalid_argument);
  CHECK_THROWS_AS(logsumexp(none), std::invalid_argument);
  CHECK_THROWS_AS(sum(none, {1}), AxisError);
  CHECK_THROWS_AS(sum(zeros({2, 2}), {0, -2}), std::invalid_argument);
}

TEST_CASE("scans and their gradients at zeros and ties") {
  Array x({1.0f, 0.0f, 3.0f, 2.0f});
  CHECK(values(cumsum(x, 0)) == Floats{1, 1, 4, 6});
  CHECK(values(cumsum(x, 0, true, false)) == Floats{5, 5, 2, 0});
  CHECK(values(cummax(x, 0)) == Floats{1, 1, 3, 3});
  Array weights({1.0f, 2.0f, 3.0f, 4.0f});
  auto gradient = [&](auto scan, const Array& at) {
    return values(grad(
        [&](const Arrays& in) { return Arrays{sum(multiply(scan(in[0]), weights))}; })({at})[0]);
  };
  auto product = [](const Array& a) { return cumprod(a, 0); };
  CHECK(gradient(product, x) == Floats{1, 35, 0, 0});
  auto largest = [](const Array& a) { return cummax(a, 0); };
  CHECK(gradient(largest, Array({1.0f, 3.0f, 3.0f, 2.0f})) == Floats{1, 2, 7, 0});
}

TEST_CASE("the cotangent of a complex product meets conjugates") {
  const complex64_t a(0.9f, 0.3f), b(1.2f, -0.4f), g0(1, 2), g1(-1, 0.5f);
  Array gradient = vjp([](const Arrays& in) { return Arrays{cumprod(in[0], 0)}; }, {Array({a, b})},
                       {Array({g0, g1})})
                       .second[0];
  auto at = [&](int64_t i) { return take(gradient, i, 0).item<complex64_t>(); };
  CHECK(std::abs(at(0) - (g0 + std::conj(b) * g1)) < 1e-6f);
  CHECK(std::abs(at(1) - std::conj(a) * g1) < 1e-6f);
}

TEST_CASE("sorting, searching, distinct elements") {
  float nan = std::numeric_limits<float>::quiet_NaN();
  Array x({3.0f, nan, 1.0f, 2.0f});
  CHECK(values(slice(sort(x), {0}, {3})) == Floats{1, 2, 3});
  CHECK(std::isnan(take(sort(x), 3, 0).item<float>()));
  CHECK(values(argsort(x)) == Floats{2, 3, 0, 1});
  CHECK(take(partition(x, 1), 1, 0).item<float>() == 2);
  CHECK(topk(x, 2).shape() == Shape{2});
  CHECK_THROWS_AS(topk(x, 5), std::invalid_argument);
  CHECK_THROWS_AS(sort(x, 1), AxisError);
  Array steps({1, 2, 2, 4});
  CHECK(values(searchsorted(steps, Array({0, 2, 3, 5}))) == Floats{0, 1, 3, 4});
  CHECK(values(searchsorted(steps, Array({0, 2, 3, 5}), "right")) == Floats{0, 3, 3, 4});
  Unique u = unique(Array({2, 1, 2, 3, 1}), 4, Array(0));
  CHECK(values(u.values) == Floats{1, 2, 3, 0});
  CHECK(values(u.index) == Floats{1, 0, 3, 1});
  CHECK(values(u.inverse) == Floats{1, 0, 1, 2, 0});
  CHECK(values(u.counts) == Floats{2, 2, 1, 0});
}
