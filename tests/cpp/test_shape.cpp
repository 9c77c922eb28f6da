// Shapes, views, joining, padding and new arrays as C++ users see them.
#include <doctest/doctest.h>

#include "heddle/heddle.h"

using namespace heddle;

namespace {

std::vector<double> values(const Array& a) {
  Array dense = contiguous(astype(a, float64));
  dense.eval();
  return {dense.data<double>(), dense.data<double>() + dense.size()};
}

using V = std::vector<double>;

}  // namespace

TEST_CASE("shapes change, elements keep their order") {
  Array a = reshape(arange(24), {2, 3, 4});
  CHECK(flatten(a, 1).shape() == Shape{2, 12});
  CHECK(flatten(a, -10, 10).shape() == Shape{24});
  CHECK(flatten(Array(1)).shape() == Shape{1});
  CHECK(unflatten(a, -1, {2, -1}).shape() == Shape{2, 3, 2, 2});
  CHECK(expand_dims(a, {0, -1}).shape() == Shape{1, 2, 3, 4, 1});
  CHECK(squeeze(expand_dims(a, {0, -1})).shape() == a.shape());
  CHECK(values(reshape(transpose(a, {2, 0, 1}), {24})) == values(flatten(transpose(a, {2, 0, 1}))));
  CHECK(values(flatten(transpose(reshape(arange(6), {2, 3})))) == V{0, 3, 1, 4, 2, 5});
  CHECK(matrix_transpose(a).shape() == Shape{2, 4, 3});
  CHECK(atleast_3d(arange(3)).shape() == Shape{1, 3, 1});
  CHECK_THROWS_AS(squeeze(a, 0), std::invalid_argument);
  CHECK_THROWS_AS(squeeze(a, 3), AxisError);
  CHECK_THROWS_AS(reshape(a, {-1, -1}), std::invalid_argument);
  CHECK_THROWS_AS(reshape(a, {5, -1}), std::invalid_argument);
  CHECK_THROWS_AS(reshape(zeros({0, 3}), {0, -1}), std::invalid_argument);
  CHECK_THROWS_AS(unflatten(a, 0, {0, -1}), std::invalid_argument);
  CHECK_THROWS_AS(flatten(a, 2, 1), std::invalid_argument);
  CHECK_THROWS_AS(broadcast_shapes(std::vector<Shape>{}), std::invalid_argument);
}

TEST_CASE("joining and splitting") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(concatenate({a, a}, 1)) == V{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
  CHECK(values(concatenate({transpose(a), transpose(a)}, 0)) ==
        V{0, 3, 1, 4, 2, 5, 0, 3, 1, 4, 2, 5});
  CHECK(concatenate({a, Array{1.5f}}).dtype() == float32);
  CHECK(values(stack({arange(2), arange(2)}, -1)) == V{0, 0, 1, 1});
  CHECK_THROWS_AS(concatenate(Arrays{}, 0), std::invalid_argument);
  CHECK_THROWS_AS(stack({arange(2), arange(3)}), std::invalid_argument);

  auto parts = split(arange(6), Shape{4, 2});
  CHECK(parts.size() == 3);
  CHECK(values(parts[0]) == V{0, 1, 2, 3});
  CHECK(values(parts[1]).empty());
  CHECK(values(parts[2]) == V{2, 3, 4, 5});
  CHECK(values(split(a, 3, 1)[2]) == V{2, 5});
  CHECK_THROWS_AS(split(a, 4, 1), std::invalid_argument);
  CHECK_THROWS_AS(split(a, 0, 1), std::invalid_argument);
  CHECK(unstack(zeros({1000, 2})).size() == 1000);
  CHECK(values(unstack(reshape(arange(2000), {1000, 2}))[999]) == V{1998, 1999});
}

TEST_CASE("repetition and reordering") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(repeat(a, 2, 0)) == V{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
  CHECK(repeat(a, 0).shape() == Shape{0});
  CHECK(values(tile(arange(2), {2, 2})) == V{0, 1, 0, 1, 0, 1, 0, 1});
  CHECK(values(roll(arange(5), 12)) == V{3, 4, 0, 1, 2});
  CHECK(values(roll(a, {1, 2}, {0, 1})) == V{4, 5, 3, 1, 2, 0});
  CHECK(values(flip(a, {1})) == V{2, 1, 0, 5, 4, 3});
  CHECK(values(flip(a)) == V{5, 4, 3, 2, 1, 0});
}

TEST_CASE("padding") {
  CHECK(values(pad(arange(3), {{1, 2}}, Array(9))) == V{9, 0, 1, 2, 9, 9});
  CHECK(values(pad(arange(4), {{2, 2}}, Array(0), "reflect")) == V{2, 1, 0, 1, 2, 3, 2, 1});
  CHECK(values(pad(arange(3), {{4, 4}}, Array(0), "symmetric")) ==
        V{2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0});
  CHECK(values(pad(reshape(arange(4), {2, 2}), {{0, 1}, {1, 0}}, Array(0), "edge")) ==
        V{0, 0, 1, 2, 2, 3, 2, 2, 3});
  CHECK_THROWS_AS(pad(arange(3), {{-1, 0}}), std::invalid_argument);
  CHECK_THROWS_AS(pad(arange(3), {{1, 0}, {1, 0}}), std::invalid_argument);
  CHECK_THROWS_AS(pad(arange(0), {{1, 0}}, Array(0), "reflect"), std::invalid_argument);
}

TEST_CASE("strided views stay within the array") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(as_strided(a, {3, 2}, Strides{1, 1}, 1)) == V{1, 2, 2, 3, 3, 4});
  CHECK(values(as_strided(transpose(a), {6}, {})) == V{0, 3, 1, 4, 2, 5});
  CHECK(values(as_strided(a, {3}, Strides{-2}, 5)) == V{5, 3, 1});
  CHECK_THROWS_AS(as_strided(a, {7}, Strides{1}), std::invalid_argument);
  CHECK_THROWS_AS(as_strided(a, {2}, Strides{-1}), std::invalid_argument);
  CHECK_THROWS_AS(as_strided(a, {2}, Strides{INT64_MAX}), std::invalid_argument);
  CHECK_THROWS_AS(as_strided(a, {1}, Strides{1}, -1), std::invalid_argument);
  CHECK_THROWS_AS(as_strided(a, {1}, Strides{1}, 6), std::invalid_argument);
}

TEST_CASE("what a strided view shows goes back to where it came from") {
  struct Case {
    int64_t size;
    Shape shape;
    Strides strides;
    int64_t offset;
  };
  const Case cases[] = {
      {12, {5, 3}, {1, 1}, 0},   // overlapping
      {12, {3, 4}, {4, -1}, 3},  // backwards
      {6, {4, 3}, {0, 2}, 1},    // one row, several times
      {5, {}, {}, 2},            // one element
      {5, {0, 2}, {1, 1}, 0},    // none
      {40 * 9 * 11 * 20, {40, 4, 5, 3, 3, 20}, {1980, 440, 40, 220, 20, 1}, 0},  // pooling
      {40 * 30 * 20, {581, 40, 20}, {1, 600, 1}, 0},                             // nothing disjoint
  };
  for (const Case& c : cases) {
    for (Dtype t : {float32, float16, bfloat16, float64, complex64}) {
      int64_t n = element_count(c.shape);
      Array seen = astype(remainder(reshape(arange(n), c.shape), Array(7)), t);
      Function view = [&](const Arrays& x) {
        return Arrays{as_strided(x[0], c.shape, c.strides, c.offset)};
      };
      V expected(static_cast<size_t>(c.size));
      for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = c.offset;
        for (size_t d = c.shape.size(); d-- > 0; rest /= c.shape[d]) {
          at += rest % c.shape[d] * c.strides[d];
        }
        expected[static_cast<size_t>(at)] += static_cast<double>(i % 7);
      }
      Array back = vjp(view, {zeros({c.size}, t)}, {seen}).second[0];
      if (t != bfloat16 || c.size < 1000) CHECK(values(real(back)) == expected);
      if (t != float32 || n == 0) continue;
      // Batches, and the derivative of the derivative.
      Function backward = [&](const Arrays& g) { return vjp(view, {zeros({c.size})}, g).second; };
      Array two = vmap(backward)({stack({seen, seen * Array(2.0f)}, 0)})[0];
      CHECK(values(take(two, Array(0), 0)) == expected);
      CHECK(values(take(two, Array(1), 0)) == values(back * Array(2.0f)));
      Array x = astype(arange(c.size), t);
      Array again = vjp(backward, {seen}, {x}).second[0];
      CHECK(values(again) == values(view({x})[0]));
    }
  }
}

TEST_CASE("other dtypes over the same bytes") {
  CHECK(values(view(arange(0, 6, 1, int8), int16)) == V{256, 770, 1284});
  CHECK(values(view(transpose(reshape(arange(4), {2, 2})), int16)) == V{0, 0, 2, 0, 1, 0, 3, 0});
  CHECK(values(view(Array{uint8_t{2}, uint8_t{0}}, bool_)) == V{1, 0});
  CHECK_THROWS_AS(view(arange(3), int64), std::invalid_argument);
  CHECK_THROWS_AS(view(Array(1), int8), std::invalid_argument);
}

TEST_CASE("diagonals and triangles") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(diagonal(a, 1)) == V{1, 5});
  CHECK(diagonal(a, 9).shape() == Shape{0});
  CHECK(diagonal(zeros({2, 3, 4}), 0, 1, 2).shape() == Shape{2, 3});
  CHECK(values(diag(arange(2), -1)) == V{0, 0, 0, 0, 0, 0, 0, 1, 0});
  CHECK(values(diagonal(transpose(a), -1)) == V{1, 5});
  CHECK(trace(a).item<int>() == 4);
  CHECK(trace(zeros({2, 3, 4}), 0, -1, 0).shape() == Shape{3});
  CHECK(values(tril(ones({2, 2}))) == V{1, 0, 1, 1});
  CHECK(values(triu(ones({2, 2}), 1)) == V{0, 1, 0, 0});
  CHECK(values(diff(Array{1, 3, 6, 10}, 2)) == V{1, 1});
  CHECK(meshgrid({arange(2), arange(3)})[0].shape() == Shape{3, 2});
  CHECK(meshgrid({arange(2), arange(3)}, true, "ij")[1].shape() == Shape{1, 3});
}

TEST_CASE("new arrays") {
  CHECK(values(arange(1, 8, 3)) == V{1, 4, 7});
  CHECK(values(arange(252, 256, 1, uint8)) == V{252, 253, 254, 255});
  CHECK_THROWS_AS(arange(254, 258, 1, uint8), std::invalid_argument);
  const double large = 9007199254740992;  // 2^53
  CHECK(arange(large, large + 4, 1, int64).shape() == Shape{4});
  CHECK(take(arange(large, large + 4, 1, int64), 3, 0).item<int64_t>() == 9007199254740995);
  CHECK(take(linspace(large, large + 4, 5, int64), 3, 0).item<int64_t>() == 9007199254740995);
  CHECK(values(arange(0.2, 3, 0.9, int32)) == V{0, 1, 2, 3});
  CHECK(arange(4.0, 1.0, 1.0).size() == 0);
  CHECK_THROWS_AS(arange(0.0, 1.0, 0.0), std::invalid_argument);
  CHECK_THROWS_AS(arange(0.0, 1e18, 1.0), std::invalid_argument);
  CHECK(values(linspace(0, 1, 5)) == V{0, 0.25, 0.5, 0.75, 1});
  CHECK(values(eye(2, 3, 1)) == V{0, 1, 0, 0, 0, 1});
  CHECK(values(full({2, 2}, Array{1, 2})) == V{1, 2, 1, 2});
  CHECK_THROWS_AS(zeros({2, -1}), std::invalid_argument);
  CHECK_THROWS_AS(linspace(0, 300, 4, uint8), std::invalid_argument);
  CHECK_THROWS_AS(repeat(zeros({1 << 30}), 2, 0), std::overflow_error);
  CHECK_THROWS_AS(flatten(zeros({1 << 16, 1 << 16})), std::overflow_error);
  CHECK_FALSE(isclose(Array(int64_t{1} << 53), Array((int64_t{1} << 53) + 1), 0, 0).item<bool>());
  CHECK(values(bartlett(5)) == V{0, 0.5, 1, 0.5, 0});
}
