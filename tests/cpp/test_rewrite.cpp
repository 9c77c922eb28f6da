// Rewriting itself, and the passes that move and fold: what remains of a program, and that it gives
// the same bits.
#include <doctest/doctest.h>

#include <random>
#include <stdexcept>

#include "rewriting.h"
#include "transforms/look_back.h"
#include "transforms/rewrite.h"

using namespace heddle;
using namespace heddle::test;

namespace {

// The ops that are left, where the bits are the same.
std::vector<std::string> moved(const Formula& f, const Arrays& inputs) {
  const Graph before = graph_of(f, inputs);
  const Graph after = fold_constants(rewrite(before, layout_rules()));
  const Arrays expected = run(before, inputs), got = run(after, inputs);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); i++) CHECK(same_bits(got[i], expected[i]));
  const Arrays slopes = gradients(before, inputs), after_slopes = gradients(after, inputs);
  for (size_t i = 0; i < slopes.size(); i++) CHECK(within(after_slopes[i], slopes[i], 1e-5));
  return ops_of(after);
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("transposes go towards the results, meet and cancel") {
  const Array x = random::normal({2, 3, 4}), y = random::normal({2, 3, 4});
  CHECK(moved([](const Arrays& in) { return Arrays{transpose(transpose(in[0]))}; }, {x}).empty());
  CHECK(moved(
            [](const Arrays& in) {
              return Arrays{transpose(transpose(in[0], {1, 2, 0}), {1, 2, 0})};
            },
            {x}) == Names{"Transpose"});
  CHECK(moved(
            [](const Arrays& in) {
              Array t = transpose(in[0], {2, 0, 1}), u = transpose(in[1], {2, 0, 1});
              return Arrays{transpose(exp(t) * u + Array(2.0f), {1, 2, 0})};
            },
            {x, y}) == Names{"Exp", "Multiply", "Add"});
  // Different ones cannot meet.
  CHECK(moved(
            [](const Arrays& in) {
              return Arrays{transpose(in[0], {0, 2, 1}) * transpose(in[1], {1, 2, 0})};
            },
            {x, reshape(y, {3, 2, 4})}) == Names{"Transpose", "Transpose", "Multiply"});
}

TEST_CASE("a transpose goes around constants, which are moved instead") {
  const Array x = random::normal({3, 4}), w = random::normal({4, 3}), row = random::normal({3});
  const Formula f = [&](const Arrays& in) { return Arrays{transpose(transpose(in[0]) * w + row)}; };
  CHECK(moved(f, {x}) == Names{"Multiply", "Add"});
  const Array left = random::normal({2, 3});
  CHECK(moved([&](const Arrays& in) { return Arrays{matmul(in[0], transpose(w))}; }, {left}) ==
        Names{"Matmul"});
}

TEST_CASE("what changes nothing is dropped") {
  const Array x = random::normal({2, 6});
  CHECK(moved(
            [](const Arrays& in) {
              return Arrays{reshape(reshape(in[0], {3, 4}), {2, 6})};
            },
            {x})
            .empty());
  CHECK(moved(
            [](const Arrays& in) {
              return Arrays{reshape(expand_dims(flatten(in[0]), 0), {4, 3})};
            },
            {x}) == Names{"Reshape"});
  CHECK(moved([](const Arrays& in) { return Arrays{squeeze(expand_dims(in[0], {1}), {1})}; }, {x})
            .empty());
  CHECK(moved(
            [](const Arrays& in) {
              return Arrays{exp(in[0]) + broadcast_to(in[1], {2, 6})};
            },
            {x, random::normal({6})}) == Names{"Exp", "Add"});
  CHECK(moved([](const Arrays& in) { return Arrays{in[0] * Array(1.0f) / Array(1.0f)}; }, {x})
            .empty());
  CHECK(moved([](const Arrays& in) { return Arrays{in[0] - Array(0.0f)}; }, {x}).empty());
  // 0 + -0 is 0, and so is 0 - 0 with the other sign in front.
  CHECK(moved([](const Arrays& in) { return Arrays{in[0] + Array(0.0f)}; }, {x}) == Names{"Add"});
  CHECK(moved([](const Arrays& in) { return Arrays{in[0] - Array(-0.0f)}; }, {x}) ==
        Names{"Subtract"});
  const Array half = astype(x, float16);
  CHECK(moved([](const Arrays& in) { return Arrays{astype(astype(in[0], float32), float16)}; },
              {half})
            .empty());
  // There and back loses digits.
  CHECK(moved([](const Arrays& in) { return Arrays{astype(astype(in[0], float16), float32)}; },
              {x}) == Names{"AsType", "AsType"});
  CHECK(moved([](const Arrays& in) { return Arrays{astype(astype(in[0], int32), float32)}; },
              {x}) == Names{"AsType", "AsType"});
}

TEST_CASE("gradients that are stopped stay so") {
  const Array x = random::normal({3});
  const Graph graph =
      rewrite(graph_of([](const Arrays& in) { return Arrays{stop_gradient(in[0]) * in[0]}; }, {x}),
              layout_rules());
  CHECK(count(graph, "StopGradient") == 1);
}

TEST_CASE("inputs, outputs and repeated ones stay as they are") {
  const Array x = random::normal({2, 2});
  const Formula f = [](const Arrays& in) {
    const Array t = transpose(in[1]);
    return Arrays{in[0], t, transpose(t), t, Array(3.0f)};
  };
  const Graph before = graph_of(f, {x, x + 1});
  const Graph after = rewrite(before, layout_rules());
  CHECK(after.input_count == 2);
  const Arrays expected = run(before, {x, x + 1}), got = run(after, {x, x + 1});
  REQUIRE(got.size() == 5);
  for (size_t i = 0; i < 5; i++) CHECK(same_bits(got[i], expected[i]));
}

TEST_CASE("constants of a program stay the same arrays") {
  const Array w = random::normal({3}), x = random::normal({3});
  eval(w);
  const Graph graph =
      rewrite(graph_of([&](const Arrays& in) { return Arrays{in[0] * Array(1.0f) * w}; }, {x}),
              layout_rules());
  REQUIRE(graph.constants.size() == 1);
  CHECK(graph.constants[0].second.same_as(w));
}

TEST_CASE("a rule that answers with another shape or dtype is found out") {
  const Array x = random::normal({3});
  const Graph graph = graph_of([](const Arrays& in) { return Arrays{exp(in[0])}; }, {x});
  const Rule shapes = [](const Site&, const Array& a) { return expand_dims(a, 0); };
  const Rule dtypes = [](const Site&, const Array& a) { return astype(a, float16); };
  CHECK_THROWS_AS(rewrite(graph, {shapes}), std::logic_error);
  CHECK_THROWS_AS(rewrite(graph, {dtypes}), std::logic_error);
}

TEST_CASE("numbers are known through what repeats and rounds them") {
  static std::vector<std::optional<double>> seen;
  seen.clear();
  const Rule look = [](const Site& site, const Array& a) {
    if (code_of(a) == Code::multiply) seen.push_back(site.number(operand(a, 1)));
    return Array();
  };
  const Array x = random::normal({2, 3}), half = astype(x, float16);
  auto ask = [&](const Formula& f, const Array& input) {
    seen.clear();
    rewrite(graph_of(f, {input}), {look});
    REQUIRE(seen.size() == 1);
    return seen[0];
  };
  CHECK(ask([](const Arrays& in) { return Arrays{in[0] * Array(2.5f)}; }, x) == 2.5);
  CHECK(ask([](const Arrays& in) { return Arrays{in[0] * full({2, 3}, Array(2.5f))}; }, x) == 2.5);
  CHECK(ask([](const Arrays& in) { return Arrays{in[0] * astype(Array(0.1f), float16)}; }, half) ==
        static_cast<double>(static_cast<float>(float16_t(0.1f))));
  CHECK(ask([](const Arrays& in) { return Arrays{in[0] * astype(Array(1e-9f), float16)}; }, half) ==
        0);
  CHECK_FALSE(ask([](const Arrays& in) { return Arrays{in[0] * Array({1.0f, 2.0f, 3.0f})}; }, x));
  CHECK_FALSE(ask([](const Arrays& in) { return Arrays{in[0] * sum(in[0])}; }, x));
}

TEST_CASE("what depends on no input is computed once") {
  const Array x = random::normal({4}), w = random::normal({4, 4});
  const Formula f = [&](const Arrays& in) {
    return Arrays{in[0] + sum(w * w, {0}) + astype(arange(4), float32), exp(w)};
  };
  const Graph before = graph_of(f, {x}), after = fold_constants(before);
  CHECK(ops_of(after) == Names{"Add", "Add"});
  for (const auto& c : after.constants) CHECK(c.second.is_available());
  const Arrays expected = run(before, {x}), got = run(after, {x});
  CHECK(same_bits(got[0], expected[0]));
  CHECK(same_bits(got[1], expected[1]));
}

TEST_CASE("folding does not grow the constants beyond its bound") {
  const Array x = random::normal({1}), row = random::normal({64});
  const Formula f = [&](const Arrays& in) {
    Array small = exp(row), large = matmul(expand_dims(small, 1), expand_dims(small, 0));
    return Arrays{in[0] * large, in[0] * small};
  };
  const Graph before = graph_of(f, {x});
  CHECK(ops_of(fold_constants(before)) == Names{"Multiply", "Multiply"});
  const Graph bounded = fold_constants(before, 64 * 64);
  CHECK(count(bounded, "Matmul") == 1);
  CHECK(count(bounded, "Exp") == 0);
  size_t bytes = 0;
  for (const auto& c : bounded.constants) bytes += c.second.nbytes();
  CHECK(bytes <= 64 * 64 + row.nbytes());
  const Arrays expected = run(before, {x}), got = run(bounded, {x});
  for (size_t i = 0; i < 2; i++) CHECK(same_bits(got[i], expected[i]));
  // What shrinks is always folded.
  const Array big = random::normal({100, 100});
  const Graph shrinking =
      fold_constants(graph_of([&](const Arrays& in) { return Arrays{in[0] * sum(big)}; }, {x}), 0);
  CHECK(ops_of(shrinking) == Names{"Multiply"});
}

TEST_CASE("what another transformation traces is not folded") {
  const Array x = random::normal({3}), two(2.0f);
  const Function f = [&](const Arrays& traced) {
    const Graph graph = fold_constants(
        rewrite(graph_of([&](const Arrays& in) { return Arrays{in[0] * exp(traced[0])}; }, {two}),
                layout_rules()));
    CHECK(count(graph, "Exp") == 1);
    return replay(graph, {two}, false);
  };
  CHECK(within(vmap(f)({x})[0], two * exp(x), 1e-6));
  const Function loss = [&](const Arrays& in) { return Arrays{sum(f(in)[0])}; };
  CHECK(within(grad(loss)({x})[0], two * exp(x), 1e-6));
}

// ---------------------------------------------------------------------------------------------
// Random programs of moves and functions of single elements.

namespace {

class RandomProgram {
 public:
  explicit RandomProgram(unsigned seed) : random_(seed) {}

  Arrays operator()(const Arrays& in) {
    Arrays made = in;
    const int steps = 4 + pick(12);
    for (int i = 0; i < steps; i++) made.push_back(step(made));
    Arrays out{made.back()};
    for (int k = pick(3); k > 0; k--) out.push_back(some(made));
    return out;
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  const Array& some(const Arrays& from) {
    return from[static_cast<size_t>(pick(static_cast<int>(from.size())))];
  }

  std::vector<int> order(int n) {
    std::vector<int> axes;
    for (int i = 0; i < n; i++) axes.push_back(i);
    std::shuffle(axes.begin(), axes.end(), random_);
    return axes;
  }

  Array constant(const Shape& shape) {
    return cos(reshape(arange(static_cast<int>(element_count(shape))), shape) + Array(pick(9)));
  }

  Array step(const Arrays& made) {
    const Array& x = some(made);
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return transpose(x, order(x.ndim()));
      case 3:
        return reshape(x, {x.size()});
      case 4:
        return expand_dims(x, {pick(x.ndim() + 1)});
      case 5:
        return x.ndim() > 0 ? flatten(x, 0, pick(x.ndim())) : x;
      case 6:
        return astype(astype(x, pick(2) ? float64 : float16), float32);
      case 7:
        return x * Array(pick(2) ? 1.0f : 0.5f);
      case 8:
        return tanh(x);
      case 9:
        return x + constant(x.shape());
      case 10:
        return x * broadcast_to(Array(0.25f), x.shape());
      default:
        for (const Array& y : made) {
          if (y.shape() == x.shape() && pick(2)) return x - sin(y);
        }
        return where(x > Array(0.0f), x, Array(0.5f) * x);
    }
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("random programs of moves keep their bits") {
  const Arrays inputs{random::normal({2, 3, 4}), random::normal({2, 3, 4}), random::normal({4, 1})};
  int fewer = 0;
  for (unsigned seed = 0; seed < 150; seed++) {
    CAPTURE(seed);
    const Graph before =
        graph_of([&](const Arrays& in) { return RandomProgram(seed)(in); }, inputs);
    const Graph after = fold_constants(rewrite(before, layout_rules()));
    fewer += after.steps.size() < before.steps.size();
    const Arrays expected = run(before, inputs), got = run(after, inputs);
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); i++) REQUIRE(same_bits(got[i], expected[i]));
    const Arrays slopes = gradients(before, inputs), others = gradients(after, inputs);
    for (size_t i = 0; i < slopes.size(); i++) REQUIRE(within(others[i], slopes[i], 1e-4));
    // Nothing is left to do.
    CHECK(rewrite(after, layout_rules()).steps.size() == after.steps.size());
  }
  CHECK(fewer > 60);
}
