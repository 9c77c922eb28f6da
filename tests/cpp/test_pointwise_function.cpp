// A pointwise function as one op: what can be captured, and what is computed.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "core/node.h"
#include "heddle/heddle.h"
#include "transforms/pointwise_function.h"

using namespace heddle;

namespace {

using Formula = std::function<Arrays(const Arrays&)>;

PointwiseFunction::Captured captured(const Formula& formula, int inputs, Shape shape = {4},
                                     Dtype dtype = float32) {
  TracingScope tracing;
  Arrays stand_ins;
  for (int i = 0; i < inputs; i++) stand_ins.push_back(placeholder(shape, dtype));
  return PointwiseFunction::capture(stand_ins, formula(stand_ins));
}

// x + y and (x + y) * x, in the other order.
Arrays sum_and_more(const Arrays& in) {
  Array s = in[0] + in[1];
  return {s * in[0], s};
}

Arrays applied(const OpRef& op, const Arrays& inputs) { return apply_multi(op, inputs, {}); }

bool same(const Array& a, const Array& b) { return array_equal(a, b).item<bool>(); }

}  // namespace

TEST_CASE("a function gives its outputs in the order that was asked for, at any shape") {
  const auto function = captured(sum_and_more, 2);
  REQUIRE(function.op);
  CHECK(function.reads == std::vector<bool>{true, true});
  for (Shape shape : {Shape{4}, Shape{}, Shape{3, 1, 5}, Shape{0, 2}, Shape{300, 400}}) {
    const Array x = random::normal(shape), y = random::normal(shape);
    const Arrays out = applied(function.op, {x, y});
    CHECK(same(out[0], (x + y) * x));
    CHECK(same(out[1], x + y));
    CHECK(out[0].shape() == shape);
  }
}

TEST_CASE("inputs that are not read are left out, scalars that are not known yet come in") {
  const Array lazy = exp(Array(1.0f));
  const auto function =
      captured([&](const Arrays& in) { return Arrays{in[2] * lazy + Array(2.0f)}; }, 3);
  REQUIRE(function.op);
  CHECK(function.reads == std::vector<bool>{false, false, true});
  REQUIRE(function.shared.size() == 1);
  CHECK(function.shared[0].node() == lazy.node());
  const Array x = random::normal({7});
  const Arrays out = applied(function.op, {x, lazy});
  CHECK(same(out[0], x * lazy + Array(2.0f)));
}

TEST_CASE("graphs with other ops, other shapes or too much in them are no functions") {
  auto refused = [](const Formula& formula) { return !captured(formula, 2).op; };
  CHECK(refused([](const Arrays& in) { return Arrays{sum(in[0]) * in[1]}; }));
  CHECK(refused([](const Arrays& in) { return Arrays{in[0] + expand_dims(in[1], 0)}; }));
  CHECK(refused([](const Arrays& in) { return Arrays{in[0] * ones({3, 4})}; }));
  CHECK(refused([](const Arrays& in) { return Arrays{in[0]}; }));
  CHECK(refused([](const Arrays&) { return Arrays{Array(1.0f) + Array(2.0f)}; }));
  CHECK(refused([](const Arrays& in) {
    const Array s = in[0] + in[1];
    return Arrays{s, s};
  }));
  CHECK(refused([](const Arrays& in) {
    Array x = in[0];
    for (int i = 0; i <= PointwiseCode::max_nodes; i++) x = x * in[1];
    return Arrays{x};
  }));
  CHECK(refused([](const Arrays& in) {
    Array x = in[0];
    for (int i = 0; i < PointwiseCode::max_inputs; i++) x = x * Array(static_cast<float>(i));
    return Arrays{x};
  }));
}

TEST_CASE("functions are equal if they compute the same") {
  auto times = [](float factor, Dtype dtype = float32) {
    auto formula = [=](const Arrays& in) { return Arrays{in[0] * Array(factor, dtype)}; };
    return captured(formula, 1, {4}, dtype).op;
  };
  CHECK(times(2)->equals(*times(2)));
  CHECK(times(2)->hash() == times(2)->hash());
  CHECK_FALSE(times(2)->equals(*times(3)));
  CHECK_FALSE(times(2)->equals(*times(2, float16)));
  CHECK_FALSE(times(2)->equals(*captured(sum_and_more, 2).op));
  // So compile merges equal ones, and only those.
  const OpRef twice = times(2), again = times(2), thrice = times(3);
  auto f = compile([&](const Arrays& in) {
    return Arrays{apply(twice, in, Stream{}) + apply(again, in, Stream{}) +
                  apply(thrice, in, Stream{})};
  });
  const Array x = random::normal({5});
  CHECK(same(f({x})[0], x * Array(2.0f) + x * Array(2.0f) + x * Array(3.0f)));
}

TEST_CASE("a function refuses inputs of other dtypes and shapes") {
  const OpRef op = captured(sum_and_more, 2).op;
  CHECK_THROWS_WITH_AS(applied(op, {ones({3}), ones({4})}), doctest::Contains("should be float32"),
                       std::invalid_argument);
  CHECK_THROWS_AS(applied(op, {ones({3}), ones({3}, float16)}), std::invalid_argument);
}

TEST_CASE("a function overwrites inputs that nobody else holds") {
  const OpRef op = captured(sum_and_more, 2).op;
  Array x = random::normal({100}), y = random::normal({100});
  eval({x, y});
  const Array wanted = (x + y) * x;
  eval({wanted});
  const void* where = x.raw_data();
  SUBCASE("given away") {
    Arrays out = applied(op, {std::move(x), std::move(y)});
    eval(out);
    CHECK((out[0].raw_data() == where || out[1].raw_data() == where));
    CHECK(same(out[0], wanted));
  }
  SUBCASE("held") {
    Arrays out = applied(op, {x, y});
    eval(out);
    CHECK(out[0].raw_data() != where);
    CHECK(out[1].raw_data() != where);
    CHECK(same(out[0], (x + y) * x));
  }
  SUBCASE("one result is enough") {
    Array one = applied(op, {x, y})[0];
    CHECK(same(one, wanted));
  }
}

TEST_CASE("functions that wait for others compute what they would alone") {
  const auto function = captured(sum_and_more, 2);
  Array x = random::normal({33}), y = random::normal({33});
  Array a = x, b = y;
  Arrays all;
  for (int i = 0; i < 100; i++) {
    Arrays out = applied(function.op, {a * Array(0.5f), b});
    Array s = a * Array(0.5f) + b;
    CHECK(same(out[0], s * (a * Array(0.5f))));
    a = out[1];
    b = y;
    all.push_back(out[0]);
  }
  Arrays many;
  for (int i = 0; i < 200; i++) {
    Arrays out = applied(function.op, {x, y});
    many.insert(many.end(), out.begin(), out.end());
  }
  eval(many);
  for (size_t i = 0; i < many.size(); i++) CHECK(same(many[i], i % 2 ? x + y : (x + y) * x));
}

TEST_CASE("results may die on another thread while their siblings are evaluated") {
  const OpRef op = captured(sum_and_more, 2).op;
  const Array x = random::normal({10}), y = random::normal({10});
  for (int i = 0; i < 300; i++) {
    Arrays out;
    for (int k = 0; k < 20; k++) {
      for (Array& a : applied(op, {x, y})) out.push_back(std::move(a));
    }
    Arrays dropped;
    for (size_t k = 1; k < out.size(); k += 2) dropped.push_back(std::exchange(out[k], Array()));
    std::atomic<bool> go = false;
    std::thread other([&] {
      while (!go) {
      }
      for (Array& a : dropped) a = Array();
    });
    go = true;
    eval(out);
    other.join();
    CHECK(same(out.front(), (x + y) * x));
  }
}

TEST_CASE("an error leaves functions that waited as they were") {
  const OpRef op = captured(sum_and_more, 2).op;
  const Array x = random::normal({10}), y = random::normal({10});
  Arrays small = applied(op, {x, y});
  const Shape huge{1 << 30, 1 << 20};
  Arrays large = applied(op, {broadcast_to(Array(1.0f), huge), broadcast_to(Array(2.0f), huge)});
  CHECK_THROWS_AS(eval({small[0], large[0]}), std::runtime_error);
  CHECK_THROWS_AS(eval({large[1]}), std::runtime_error);
  CHECK(same(small[1], x + y));
  CHECK(same(small[0], (x + y) * x));
}
