// Slices, gathers and scatters as C++ users see them.
#include <doctest/doctest.h>

#include "heddle/heddle.h"
#include "ops/index_expression.h"

using namespace heddle;

namespace {

std::vector<double> values(const Array& a) {
  Array dense = contiguous(astype(a, float64));
  dense.eval();
  return {dense.data<double>(), dense.data<double>() + dense.size()};
}

using V = std::vector<double>;

}  // namespace

TEST_CASE("slices follow Python's rules") {
  Array a = arange(6);
  CHECK(values(slice(a, {1}, {5}, {2})) == V{1, 3});
  CHECK(values(slice(a, {-2}, {slice_end})) == V{4, 5});
  CHECK(values(slice(a, {slice_end}, {slice_end}, {-2})) == V{5, 3, 1});
  CHECK(values(slice(a, {100}, {-100}, {-4})) == V{5, 1});
  CHECK(slice(a, {4}, {2}).size() == 0);
  CHECK(values(slice(a, {0}, {slice_end}, {INT64_MAX})) == V{0});
  CHECK(values(slice(a, {slice_end}, {slice_end}, {INT64_MIN + 1})) == V{5});
  CHECK_THROWS_AS(slice(a, {0}, {1}, {0}), std::invalid_argument);
  CHECK_THROWS_AS(slice(a, {0, 0}, {1, 1}), std::invalid_argument);
}

TEST_CASE("updated slices") {
  Array a = zeros({3, 3}, int32);
  CHECK(values(slice_update(a, Array{1, 2}, {0, 0}, {3, 3}, {2, 2})) ==
        V{1, 0, 2, 0, 0, 0, 1, 0, 2});
  CHECK(values(slice_update_add(ones({3}), Array{1.f, 2.f}, {2}, {0}, {-1})) == V{1, 3, 2});
  CHECK(values(slice_update_max(arange(3), Array(1), {0}, {3}, {1})) == V{1, 1, 2});
  CHECK_THROWS_AS(slice_update(a, Array{1, 2}, {0, 0}, {3, 3}), std::invalid_argument);

  // An array that nobody else holds is changed in place.
  Array x = contiguous(full({1000}, Array(1.0f)));
  x.eval();
  const void* memory = x.raw_data();
  x = slice_update(x, Array(2.0f), {3}, {5});
  x.eval();
  CHECK(x.raw_data() == memory);
  Array kept = x;
  x = slice_update(x, Array(7.0f), {0}, {1});
  x.eval();
  CHECK(x.raw_data() != memory);
  CHECK(slice(kept, {0}, {1}).item<float>() == 1.0f);
}

TEST_CASE("boxes whose corner is known at evaluation") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(slice(a, Array{0, 1}, {0, 1}, {1, 2})) == V{1, 2});
  CHECK(values(slice(a, Array{9, 9}, {0, 1}, {1, 2})) == V{4, 5});
  CHECK(values(slice_update(zeros({2, 3}), ones({1, 2}), Array{1, 1}, {0, 1})) ==
        V{0, 0, 0, 0, 1, 1});
  CHECK_THROWS_AS(slice_update(zeros({2, 3}), ones({1, 2}), Array{1, 2}, {0, 1}).eval(),
                  std::out_of_range);
  CHECK_THROWS_AS(slice(a, Array{1.5f}, {0}, {1, 1}), std::invalid_argument);
  CHECK_THROWS_AS(slice(a, Array{0, 0}, {0, 0}, {1, 1}), std::invalid_argument);
}

TEST_CASE("take") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(take(a, Array{2, -1, 0}, 1)) == V{2, 2, 0, 5, 5, 3});
  CHECK(values(take(transpose(a), Array{1}, 0)) == V{1, 4});
  CHECK(values(take(a, Array{0, 5})) == V{0, 5});
  CHECK(take(zeros({2, 3, 4}), zeros({5, 6}, int8), 1).shape() == Shape{2, 5, 6, 4});
  CHECK(values(take(a, -1, 0)) == V{3, 4, 5});
  CHECK_THROWS_AS(take(a, 2, 0), std::out_of_range);
  CHECK_THROWS_AS(take(a, Array{0.5f}, 0), std::invalid_argument);
  CHECK_THROWS_AS(take(zeros({0, 2}), Array{0}, 0), std::invalid_argument);
}

TEST_CASE("indices out of range never leave the array") {
  Array a = arange(4);
  CHECK(values(take(a, Array{9, -9, 4, -5, -4}, 0)) == V{3, 0, 3, 0, 0});
  CHECK(values(take(a, Array(UINT64_MAX, uint64), 0)) == V{3});
  CHECK(values(take(a, Array(INT64_MIN, int64), 0)) == V{0});
  CHECK(values(take_along_axis(a, Array{9, -9}, 0)) == V{3, 0});
  for (Array bad : {Array{4}, Array{-5}, Array{0, 100}}) {
    CHECK_THROWS_AS(scatter(a, {bad}, zeros({bad.size(), 1}), {0}).eval(), std::out_of_range);
    CHECK_THROWS_AS(put_along_axis(a, bad, Array(7), 0).eval(), std::out_of_range);
  }
  CHECK(values(a) == V{0, 1, 2, 3});
}

TEST_CASE("scatter") {
  Array a = zeros({3}, int32);
  Array twice{1, 1};
  Array updates = reshape(Array{5, 7}, {2, 1});
  CHECK(values(scatter(a, {twice}, updates, {0})) == V{0, 7, 0});
  CHECK(values(scatter_add(a, {twice}, updates, {0})) == V{0, 12, 0});
  CHECK(values(scatter_prod(ones({3}, int32), {twice}, updates, {0})) == V{1, 35, 1});
  CHECK(values(scatter_max(a, {twice}, updates, {0})) == V{0, 7, 0});
  CHECK(values(scatter_min(full({3}, Array(6)), {twice}, updates, {0})) == V{6, 5, 6});
  CHECK_THROWS_AS(scatter(a, {twice}, zeros({3, 1}), {0}), std::invalid_argument);
  CHECK_THROWS_AS(scatter(a, {twice}, zeros({2, 4}), {0}), std::invalid_argument);

  // Many duplicates, on as many threads as there are: the same as one after the other.
  int n = 200000;
  Array many = remainder(multiply(arange(n), Array(7919)), Array(1000));
  Array sums = scatter_add(zeros({1000, 2}, int64), {many}, ones({n, 1, 2}, int64), {0});
  CHECK(values(sums) == V(2000, n / 1000));
}

TEST_CASE("along an axis") {
  Array a = reshape(arange(6), {2, 3});
  CHECK(values(take_along_axis(a, reshape(Array{2, 0}, {2, 1}), 1)) == V{2, 3});
  CHECK(values(take_along_axis(a, reshape(Array{1, 0}, {2, 1}), 0)) == V{3, 4, 5, 0, 1, 2});
  CHECK(values(put_along_axis(a, reshape(Array{2, 0}, {2, 1}), Array(9), 1)) ==
        V{0, 1, 9, 9, 4, 5});
  CHECK(values(scatter_add_axis(zeros({1, 2}), reshape(Array{1, 1}, {1, 2}), Array(3), 1)) ==
        V{0, 6});
  CHECK_THROWS_AS(take_along_axis(a, Array{0}, 1), std::invalid_argument);
}

TEST_CASE("scatter by mask") {
  Array a = reshape(arange(6), {3, 2});
  Array mask{true, false, true};
  CHECK(values(masked_scatter(a, mask, Array(9))) == V{9, 9, 2, 3, 9, 9});
  CHECK(values(masked_scatter(a, mask, reshape(Array{6, 7, 8, 9}, {2, 2}))) == V{6, 7, 2, 3, 8, 9});
  CHECK(values(masked_scatter(a, a > Array(3), Array{8, 9})) == V{0, 1, 2, 3, 8, 9});
  CHECK_THROWS_AS(masked_scatter(a, a > Array(3), Array{8}).eval(), std::runtime_error);
  CHECK_THROWS_AS(masked_scatter(a, Array{true}, Array(1)), std::invalid_argument);
}

TEST_CASE("index expressions") {
  using I = IndexItem;
  Array a = reshape(arange(24), {2, 3, 4});
  I all{};
  Array pair{0, 1};
  auto shape = [&](const IndexItems& items) { return get_items(a, items).shape(); };
  CHECK(shape({I::integer(-1)}) == Shape{3, 4});
  CHECK(shape({I::new_axis(), I::ellipsis(), I::integer(0)}) == Shape{1, 2, 3});
  CHECK(shape({I::of(pair), all, I::of(pair)}) == Shape{2, 3});
  CHECK(shape({I::integer(0), all, I::of(pair)}) == Shape{2, 3});
  CHECK(shape({all, I::of(pair), I::integer(0)}) == Shape{2, 2});
  CHECK(values(get_items(a, {I::integer(1), I::slice(slice_end, slice_end, -2), I::of(pair)})) ==
        V{20, 12, 21, 13});
  CHECK_THROWS_AS(shape({I::integer(2)}), std::out_of_range);
  CHECK_THROWS_AS(shape({I::ellipsis(), I::ellipsis()}), std::invalid_argument);
  CHECK_THROWS_AS(shape({all, all, all, all}), std::invalid_argument);
  CHECK_THROWS_AS(shape({I::of(Array{true, false})}), std::invalid_argument);

  // Writing and then reading the same part gives what was written.
  for (const IndexItems& items :
       {IndexItems{I::integer(1), all, I::slice(1, slice_end, 2)},
        IndexItems{all, I::of(pair), I::slice(slice_end, slice_end, -1)},
        IndexItems{I::of(pair), all, I::of(Array{3, 2})},
        IndexItems{I::new_axis(), I::slice(0, 1, 1), I::of(Array{2, 0}), I::new_axis()}}) {
    Array part = get_items(a, items);
    Array value = negative(reshape(arange(static_cast<int>(part.size())), part.shape()));
    Array written = set_items(a, items, value);
    CHECK(values(get_items(written, items)) == values(value));
    CHECK(values(set_items(written, items, part)) == values(a));
  }
  CHECK(values(set_items(arange(3), {I::of(Array{true, false, true})}, Array(7))) == V{7, 1, 7});
  CHECK(values(set_items(arange(3), {I::of(Array{1, 1})}, Array(7), Combine::sum)) == V{0, 15, 2});
  CHECK_THROWS_AS(set_items(a, {I::integer(-3)}, Array(0)), std::out_of_range);
  CHECK_THROWS_AS(set_items(a, {I::integer(0)}, arange(3)), std::invalid_argument);
}
