// Operations that are written out in parts and found again: in every form that frameworks have, in
// heddle's own decompositions, and not where the parts mean something else or are used elsewhere.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "heddle/nn.h"
#include "nn/rewrite_activations.h"
#include "ops/attention.h"
#include "ops/norm.h"
#include "rewriting.h"

using namespace heddle;
using namespace heddle::test;

namespace {

using Names = std::vector<std::string>;

Rules all_rules() {
  Rules rules = layout_rules();
  for (Rule r : nn::activation_rules()) rules.push_back(r);
  for (Rule r : fusion_rules()) rules.push_back(r);
  return rules;
}

Graph fused(const Graph& graph) {
  const Graph whole = rewrite(fold_constants(graph), decomposed_rules());
  return fold_constants(rewrite(whole, all_rules()));
}

double tolerance(Dtype t) { return t == float16 ? 4e-3 : t == bfloat16 ? 3e-2 : 2e-5; }

// The program that the rules make of `f` gives what `f` does, and its gradients do.
Graph checked(const Formula& f, const Arrays& inputs) {
  const Graph before = graph_of(f, inputs), after = fused(before);
  const double close = tolerance(inputs[0].dtype());
  const Arrays expected = run(before, inputs), got = run(after, inputs);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); i++) CHECK(within(got[i], expected[i], close));
  const Arrays slopes = gradients(before, inputs), others = gradients(after, inputs);
  for (size_t i = 0; i < slopes.size(); i++) CHECK(within(others[i], slopes[i], 8 * close));
  return after;
}

// The op alone is left.
void check_becomes(const char* op, const Formula& f, const Arrays& inputs) {
  const Graph after = checked(f, inputs);
  CHECK(text_of(after) == std::string(op) + " ");
}

void check_stays(const Formula& f, const Arrays& inputs) {
  Graph before = fold_constants(graph_of(f, inputs));
  const Graph after = rewrite(before, all_rules());
  CHECK(ops_of(after) == ops_of(rewrite(before, layout_rules())));
}

Array number(double value, const Array& like) { return Array(value, like.dtype()); }
Array normal(const Shape& shape, Dtype t = float32) { return astype(random::normal(shape), t); }

const std::vector<Dtype> dtypes{float32, float16, bfloat16};

}  // namespace

// ---------------------------------------------------------------------------------------------
// Norms

namespace {

Array centred(const Array& x) { return x - mean(x, {-1}, true); }

// Ways to square, to take the mean of rows, and to divide by a root.
using Step = std::function<Array(const Array&)>;
const std::vector<Step> squares{[](const Array& a) { return square(a); },
                                [](const Array& a) { return a * a; },
                                [](const Array& a) { return power(a, number(2, a)); }};
const std::vector<Step> means{
    [](const Array& a) { return mean(a, {-1}, true); },
    [](const Array& a) { return expand_dims(mean(a, {-1}, false), -1); },
    [](const Array& a) { return sum(a, {-1}, true) / number(a.shape(-1), a); },
    [](const Array& a) { return number(1.0 / a.shape(-1), a) * sum(a, {-1}, true); }};
using Divide = std::function<Array(const Array&, const Array&)>;
const std::vector<Divide> roots{
    [](const Array& a, const Array& v) { return a * rsqrt(v); },
    [](const Array& a, const Array& v) { return a / sqrt(v); },
    [](const Array& a, const Array& v) { return reciprocal(sqrt(v)) * a; },
    [](const Array& a, const Array& v) { return a * (number(1, v) / sqrt(v)); },
    [](const Array& a, const Array& v) { return a * power(v, number(-0.5, v)); }};

}  // namespace

TEST_CASE("norms are found in every form") {
  for (Dtype t : dtypes) {
    const Array x = normal({3, 8}, t), w = normal({8}, t), b = normal({8}, t);
    for (const Step& squared : squares) {
      for (const Step& averaged : means) {
        for (const Divide& over : roots) {
          auto norm = [&](const Array& a) {
            return over(a, averaged(squared(a)) + number(0.0625, a));
          };
          check_becomes("RMSNorm", [&](const Arrays& in) { return Arrays{norm(in[0])}; }, {x});
          check_becomes("RMSNorm", [&](const Arrays& in) { return Arrays{in[1] * norm(in[0])}; },
                        {x, w});
          check_becomes("LayerNorm", [&](const Arrays& in) { return Arrays{norm(centred(in[0]))}; },
                        {x});
          check_becomes("LayerNorm",
                        [&](const Arrays& in) {
                          return Arrays{norm(in[0] - averaged(in[0])) * in[1] + in[2]};
                        },
                        {x, w, b});
        }
      }
    }
  }
}

TEST_CASE("norms of halves in float32, as models write them") {
  for (Dtype t : {float16, bfloat16}) {
    const Array x = normal({2, 3, 8}, t), w = normal({8}, t);
    check_becomes("RMSNorm",
                  [&](const Arrays& in) {
                    const Array wide = astype(in[0], float32);
                    const Array y = wide * rsqrt(mean(square(wide), {-1}, true) + Array(1e-6f));
                    return Arrays{in[1] * astype(y, t)};
                  },
                  {x, w});
    check_becomes("LayerNorm",
                  [&](const Arrays& in) {
                    const Array wide = astype(in[0], float32);
                    const Array variance = var(wide, {-1}, true);
                    const Array y = (wide - mean(wide, {-1}, true)) / sqrt(variance + Array(1e-5f));
                    return Arrays{astype(y * astype(in[1], float32), t)};
                  },
                  {x, w});
  }
}

TEST_CASE("operands that files broadcast, weights in rows, and a bias without weight") {
  const Array x = normal({2, 5, 8}), w = normal({1, 1, 8}), b = normal({8});
  check_becomes("LayerNorm",
                [&](const Arrays& in) {
                  auto wide = [&](const Array& a) { return broadcast_to(a, {2, 5, 8}); };
                  const Array c = in[0] - wide(mean(in[0], {-1}, true));
                  const Array v = mean(square(c), {-1}, true);
                  const Array r = rsqrt(v + broadcast_to(Array(1e-5f), {2, 5, 1}));
                  return Arrays{c * wide(r) * wide(w) + wide(in[1])};
                },
                {x, b});
  check_becomes("LayerNorm",
                [&](const Arrays& in) {
                  const Array c = centred(in[0]);
                  return Arrays{in[1] + c * rsqrt(mean(square(c), {-1}, true) + Array(0.1f))};
                },
                {x, b});
}

TEST_CASE("heddle's own decompositions of norms are found, with every attribute") {
  for (Dtype t : dtypes) {
    const Array x = normal({4, 16}, t), w = normal({16}, t), b = normal({16}, t);
    auto check = [&](const OpRef& op, const Arrays& inputs) {
      const Formula f = [&](const Arrays& in) { return *op->decompose(in, to_stream({})); };
      const Graph after = checked(f, inputs);
      REQUIRE(text_of(after) == op->name() + " ");
      CHECK(after.steps[0].op->equals(*op));
      CHECK(after.steps[0].inputs.size() == inputs.size());
    };
    check(make_op<RMSNorm>(1e-3f, false), {x});
    check(make_op<RMSNorm>(1e-3f, true), {x, w});
    check(make_op<LayerNorm>(1e-3f, false, false), {x});
    check(make_op<LayerNorm>(1e-3f, true, false), {x, w});
    check(make_op<LayerNorm>(1e-3f, false, true), {x, b});
    check(make_op<LayerNorm>(1e-3f, true, true), {x, w, b});
  }
}

TEST_CASE("what only looks like a norm stays") {
  const Array x = normal({4, 4}), y = normal({4, 4}), per_row = abs(normal({4, 1}));
  const Array e(0.1f);
  auto stays = [&](Array (*f)(const Array&, const Array&, const Array&)) {
    check_stays([&](const Arrays& in) { return Arrays{f(in[0], in[1], in[2])}; }, {x, y, per_row});
  };
  using A = const Array&;
  // Along another axis, or without keeping it.
  stays([](A a, A, A) { return a * rsqrt(mean(square(a), {0}, true) + Array(0.1f)); });
  stays([](A a, A, A) { return a * rsqrt(mean(square(a), {-1}, false) + Array(0.1f)); });
  stays([](A a, A, A) { return a * rsqrt(mean(square(a), true) + Array(0.1f)); });
  // Of something else.
  stays([](A a, A b, A) { return a * rsqrt(mean(square(b), {-1}, true) + Array(0.1f)); });
  stays([](A a, A b, A) { return (a - mean(b, {-1}, true)) * rsqrt(mean(square(a), {-1}, true)); });
  // An eps that is no number that is known, differs between rows or is taken away.
  stays([](A a, A, A p) { return a * rsqrt(mean(square(a), {-1}, true) + p); });
  stays([](A a, A, A) { return a * rsqrt(mean(square(a), {-1}, true) - Array(0.1f)); });
  stays([](A a, A, A) { return a * rsqrt(mean(square(a), {-1}, true) + Array(-0.1f)); });
  stays([](A a, A, A) {
    return a * rsqrt(mean(square(a), {-1}, true) + reshape(arange(4.0), {4, 1}));
  });
  // A variance with another divisor, a sum that is no mean, a third power, another root.
  stays([](A a, A, A) { return centred(a) * rsqrt(var(a, {-1}, true, 1) + Array(0.1f)); });
  stays([](A a, A, A) { return a * rsqrt(sum(square(a), {-1}, true) + Array(0.1f)); });
  stays([](A a, A, A) { return a * rsqrt(mean(power(a, Array(3.0f)), {-1}, true) + Array(0.1f)); });
  stays([](A a, A, A) { return a * sqrt(mean(square(a), {-1}, true) + Array(0.1f)); });
  stays([](A a, A, A) { return sqrt(mean(square(a), {-1}, true) + Array(0.1f)) / a; });
  // In another dtype on the way.
  stays([](A a, A, A) {
    const Array narrow = astype(mean(square(a), {-1}, true), float16);
    return a * astype(rsqrt(narrow + Array(0.1f, float16)), float32);
  });
  // Weights per row, or for the whole.
  const Formula rows = [&](const Arrays& in) {
    return Arrays{in[0] * rsqrt(mean(square(in[0]), {-1}, true) + e) * in[1]};
  };
  for (const Array& weight : {per_row, Array(2.0f), y}) {
    const Graph after = checked(rows, {x, weight});
    CHECK(ops_of(after) == Names{"RMSNorm", "Multiply"});
  }
}

TEST_CASE("parts that are used elsewhere, or are results, stay") {
  const Array x = normal({4, 8}), w = normal({8});
  const Formula f = [](const Arrays& in) {
    const Array squares = mean(square(in[0]), {-1}, true), r = rsqrt(squares + Array(0.1f));
    return Arrays{in[0] * r, squares};
  };
  check_stays(f, {x});
  check_stays(
      [](const Arrays& in) {
        const Array r = rsqrt(mean(square(in[0]), {-1}, true) + Array(0.1f));
        return Arrays{in[0] * r + r};
      },
      {x});
  // The norm is found, but not with the weight: it is a result by itself.
  const Graph after = checked(
      [](const Arrays& in) {
        const Array y = in[0] * rsqrt(mean(square(in[0]), {-1}, true) + Array(0.1f));
        return Arrays{y, y * in[1]};
      },
      {x, w});
  CHECK(ops_of(after) == Names{"RMSNorm", "Multiply"});
}

// ---------------------------------------------------------------------------------------------
// Softmax, products with a bias

TEST_CASE("a softmax of parts") {
  const Array x = normal({3, 7});
  for (bool stopped : {false, true}) {
    auto terms = [=](const Array& a) {
      const Array top = max(a, {-1}, true);
      return exp(a - (stopped ? stop_gradient(top) : top));
    };
    check_becomes("Softmax",
                  [&](const Arrays& in) {
                    const Array e = terms(in[0]);
                    return Arrays{e / sum(e, {-1}, true)};
                  },
                  {x});
    check_stays(
        [&](const Arrays& in) {
          const Array e = terms(in[0]);
          return Arrays{e / sum(e, {-1}, true), e};
        },
        {x});
  }
  check_stays(
      [](const Arrays& in) {
        const Array e = exp(in[0] - max(in[0], {0}, true));
        return Arrays{e / sum(e, {0}, true)};
      },
      {x});
  check_stays(
      [](const Arrays& in) {
        const Array e = exp(in[0] - min(in[0], {-1}, true));
        return Arrays{e / sum(e, {-1}, true)};
      },
      {x});
}

TEST_CASE("a product with a bias") {
  for (const Shape& shape : {Shape{5, 4}, Shape{2, 3, 4}}) {
    const Array x = normal(shape), w = normal({4, 6}), b = normal({6});
    for (bool in_front : {false, true}) {
      const Graph after = checked(
          [&](const Arrays& in) {
            const Array product = matmul(in[0], in[1]);
            return Arrays{in_front ? in[2] + product : product + in[2]};
          },
          {x, w, b});
      CHECK(count(after, "AddMM") == 1);
      CHECK(count(after, "Matmul") == 0);
      CHECK(count(after, "Add") == 0);
    }
    check_stays(
        [&](const Arrays& in) {
          const Array product = matmul(in[0], in[1]);
          return Arrays{product + in[2], product};
        },
        {x, w, b});
    check_stays([&](const Arrays& in) { return Arrays{matmul(in[0], in[1]) + in[2]}; },
                {x, w, Array(2.0f)});
  }
}

// ---------------------------------------------------------------------------------------------
// Activations

TEST_CASE("gelu in every order of its factors") {
  for (Dtype t : dtypes) {
    const Array x = normal({50}, t) * number(3, normal({1}, t));
    auto check = [&](const Formula& f, Array (*wanted)(const Array&)) {
      const Graph after = checked(f, {x});
      const Graph by_function =
          rewrite(graph_of([&](const Arrays& in) { return Arrays{wanted(in[0])}; }, {x}), {});
      CHECK(ops_of(after) == ops_of(by_function));
    };
    auto n = [&](double v) { return Array(v, t); };
    const double root = std::numbers::sqrt2, slope = std::sqrt(2 / std::numbers::pi);
    using F = std::function<Array(const Array&)>;
    const std::vector<F> erfs{[&](const Array& a) { return erf(a / n(root)); },
                              [&](const Array& a) { return erf(a * n(1 / root)); },
                              [&](const Array& a) { return erf(n(1 / root) * a); }};
    const std::vector<F> tanhs{
        [&](const Array& a) { return tanh(n(slope) * (a + n(0.044715) * power(a, n(3)))); },
        [&](const Array& a) { return tanh((a + a * a * a * n(0.044715)) * n(slope)); },
        [&](const Array& a) { return tanh(n(slope) * a * (n(1) + n(0.044715) * a * a)); },
        [&](const Array& a) { return tanh(n(slope) * (a + n(0.044715) * (a * square(a)))); }};
    for (bool by_erf : {true, false}) {
      for (const F& f : by_erf ? erfs : tanhs) {
        const std::vector<F> forms{[&](const Array& a) { return n(0.5) * a * (n(1) + f(a)); },
                                   [&](const Array& a) { return a * n(0.5) * (f(a) + n(1)); },
                                   [&](const Array& a) { return a * (n(0.5) * (n(1) + f(a))); },
                                   [&](const Array& a) { return a * (n(1) + f(a)) * n(0.5); },
                                   [&](const Array& a) { return a * (n(1) + f(a)) / n(2); },
                                   [&](const Array& a) { return a * (n(0.5) + n(0.5) * f(a)); }};
        for (const F& form : forms) {
          check([&](const Arrays& in) { return Arrays{form(in[0])}; },
                by_erf ? nn::gelu : nn::gelu_approx);
        }
      }
    }
    check([&](const Arrays& in) { return Arrays{in[0] * sigmoid(n(1.702) * in[0])}; },
          nn::gelu_fast_approx);
  }
  const Array x = normal({20}), y = normal({20});
  auto n = [](double v) { return Array(v); };
  check_stays([&](const Arrays& in) { return Arrays{in[0] * sigmoid(in[0])}; }, {x});
  check_stays([&](const Arrays& in) { return Arrays{in[0] * sigmoid(n(1.7) * in[0])}; }, {x});
  check_stays([&](const Arrays& in) { return Arrays{in[0] * sigmoid(n(1.702) * in[1])}; }, {x, y});
  check_stays([&](const Arrays& in) { return Arrays{in[0] * (n(1) + erf(in[0] / n(1.4142135)))}; },
              {x});
  check_stays(
      [&](const Arrays& in) { return Arrays{n(0.5) * in[0] * (n(1) - erf(in[0] / n(1.4142135)))}; },
      {x});
  check_stays(
      [&](const Arrays& in) { return Arrays{n(0.5) * in[1] * (n(1) + erf(in[0] / n(1.4142135)))}; },
      {x, y});
}
