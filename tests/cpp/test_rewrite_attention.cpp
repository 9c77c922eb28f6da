// Attention that is written out and found again.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "ops/attention.h"
#include "rewriting.h"

using namespace heddle;
using namespace heddle::test;

namespace {

constexpr const char* attention = "ScaledDotProductAttention";
constexpr float infinity = std::numeric_limits<float>::infinity();

Graph fused(const Graph& graph) {
  Rules rules = layout_rules();
  for (Rule r : fusion_rules()) rules.push_back(r);
  const Graph whole = rewrite(fold_constants(graph), decomposed_rules());
  return fold_constants(rewrite(whole, rules));
}

std::optional<ScaledDotProductAttention> attention_in(const Graph& graph) {
  for (const auto& step : graph.steps) {
    if (const auto* op = op_if<ScaledDotProductAttention>(*step.op)) return *op;
  }
  return std::nullopt;
}

// The rewritten program, whose results and gradients are those of `f`.
Graph checked(const Formula& f, const Arrays& inputs, double close = 1e-5) {
  const Graph before = graph_of(f, inputs), after = fused(before);
  const Arrays expected = run(before, inputs), got = run(after, inputs);
  for (size_t i = 0; i < got.size(); i++) CHECK(within(got[i], expected[i], close));
  const Arrays slopes = gradients(before, inputs), others = gradients(after, inputs);
  for (size_t i = 0; i < slopes.size(); i++) CHECK(within(others[i], slopes[i], 8 * close));
  return after;
}

void check_found(const Formula& f, const Arrays& inputs, double close = 1e-5) {
  const Graph after = checked(f, inputs, close);
  CHECK(count(after, attention) == 1);
  CHECK(count(after, "Softmax") == 0);
  CHECK(count(after, "Matmul") == 0);
}

void check_stays(const Formula& f, const Arrays& inputs) {
  const Graph after = checked(f, inputs);
  CHECK(count(after, attention) == 0);
}

Array normal(const Shape& shape, Dtype t = float32) { return astype(random::normal(shape), t); }
Array turned(const Array& a) { return swapaxes(a, -1, -2); }
Array weights(const Array& scores) { return softmax(scores, -1); }

// The mask of queries that see the keys up to their own.
Array causal(int queries, int keys) {
  return less_equal(arange(keys), expand_dims(arange(keys - queries, keys), 1));
}

}  // namespace

TEST_CASE("attention is found wherever its scale stands") {
  using Scores = std::function<Array(const Array&, const Array&)>;
  const float s = 0.3f, root = std::sqrt(s);
  const std::vector<Scores> forms{
      [=](const Array& q, const Array& k) { return matmul(q, turned(k)) * Array(s); },
      [=](const Array& q, const Array& k) { return Array(s) * matmul(q, turned(k)); },
      [=](const Array& q, const Array& k) { return matmul(q, turned(k)) / Array(1 / s); },
      [=](const Array& q, const Array& k) { return matmul(q * Array(s), turned(k)); },
      [=](const Array& q, const Array& k) { return matmul(q, turned(k * Array(s))); },
      [=](const Array& q, const Array& k) { return matmul(q, turned(k) * Array(s)); },
      [=](const Array& q, const Array& k) {
        return matmul(q * Array(root), turned(k) * Array(root));
      }};
  const Arrays in{normal({2, 3, 5, 8}), normal({2, 3, 7, 8}), normal({2, 3, 7, 6})};
  for (const Scores& scores : forms) {
    const Formula f = [&](const Arrays& x) {
      return Arrays{matmul(weights(scores(x[0], x[1])), x[2])};
    };
    check_found(f, in);
    CHECK(attention_in(fused(graph_of(f, in)))->scale == doctest::Approx(s));
  }
  check_found(
      [](const Arrays& x) { return Arrays{matmul(weights(matmul(x[0], turned(x[1]))), x[2])}; },
      in);
}

TEST_CASE("attention of stacks of matrices, and with a softmax in parts") {
  for (const Shape& batch : {Shape{}, Shape{6}, Shape{2, 3}}) {
    auto shape = [&](int64_t rows, int64_t columns) {
      Shape out = batch;
      out.push_back(rows);
      out.push_back(columns);
      return out;
    };
    const Arrays in{normal(shape(4, 8)), normal(shape(5, 8)), normal(shape(5, 8))};
    check_found(
        [](const Arrays& x) {
          const Array scores = matmul(x[0], turned(x[1])) * Array(0.35f);
          const Array e = exp(scores - stop_gradient(max(scores, {-1}, true)));
          return Arrays{matmul(e / sum(e, {-1}, true), x[2])};
        },
        in);
    check_found(
        [](const Arrays& x) {
          const Array mask = where(causal(4, 5), Array(0.0f), Array(-infinity));
          return Arrays{matmul(weights(matmul(x[0], turned(x[1])) + mask), x[2])};
        },
        in);
  }
}

TEST_CASE("heads that are split off, transposed and merged again") {
  const Arrays in{normal({2, 5, 24}), normal({2, 7, 24}), normal({2, 7, 24})};
  const Formula f = [](const Arrays& x) {
    auto heads = [](const Array& a) {
      return transpose(reshape(a, {a.shape(0), a.shape(1), 4, 6}), {0, 2, 1, 3});
    };
    const Array k = transpose(reshape(x[1], {2, 7, 4, 6}), {0, 2, 3, 1});
    const Array scores = matmul(heads(x[0]), k) / Array(std::sqrt(6.0f));
    const Array out = matmul(weights(scores), heads(x[2]));
    return Arrays{reshape(transpose(out, {0, 2, 1, 3}), {2, 5, 24})};
  };
  check_found(f, in);
}

TEST_CASE("key heads that are repeated for groups of query heads") {
  const Arrays in{normal({2, 6, 5, 8}), normal({2, 2, 7, 8}), normal({2, 2, 7, 8})};
  auto grouped = [](const Array& a) {
    const Array wide = broadcast_to(expand_dims(a, 2), {2, 2, 3, 7, 8});
    return reshape(wide, {2, 6, 7, 8});
  };
  const Formula f = [&](const Arrays& x) {
    return Arrays{
        matmul(weights(matmul(x[0], turned(grouped(x[1]))) * Array(0.3f)), grouped(x[2]))};
  };
  check_found(f, in);
  CHECK(count(fused(graph_of(f, in)), "Broadcast") == 0);
  check_found(
      [&](const Arrays& x) {
        return Arrays{matmul(weights(matmul(x[0], turned(repeat(x[1], 3, 1))) * Array(0.3f)),
                             repeat(x[2], 3, 1))};
      },
      in);
}

TEST_CASE("masks that are added or chosen by") {
  const Array q = normal({2, 3, 5, 8}), k = normal({2, 3, 7, 8}), v = normal({2, 3, 7, 8});
  const Array scale(0.3f);
  auto scores = [=](const Arrays& x) { return matmul(x[0], turned(x[1])) * scale; };
  for (const Shape& shape : {Shape{5, 7}, Shape{7}, Shape{2, 1, 5, 7}, Shape{1, 3, 5, 1}}) {
    check_found([&](const Arrays& x) { return Arrays{matmul(weights(scores(x) + x[3]), x[2])}; },
                {q, k, v, normal(shape)});
    const Array shown = greater(normal(shape), Array(-0.5f));
    for (float fill : {-infinity, -1e9f, std::numeric_limits<float>::lowest()}) {
      // Rows of which nothing is shown are NaN with infinity, and so are their gradients.
      const Array some = fill == -infinity ? logical_or(shown, equal(arange(7), Array(3))) : shown;
      check_found(
          [&](const Arrays& x) {
            return Arrays{matmul(weights(where(x[3], scores(x), Array(fill))), x[2])};
          },
          {q, k, v, some});
      check_found(
          [&](const Arrays& x) {
            return Arrays{matmul(weights(where(x[3], Array(fill), scores(x))), x[2])};
          },
          {q, k, v, logical_not(some)});
    }
  }
}

TEST_CASE("rows of which nothing is shown stay what they were") {
  const Array q = normal({1, 1, 3, 4}), k = normal({1, 1, 5, 4}), v = normal({1, 1, 5, 4});
  const Array shown = broadcast_to(not_equal(expand_dims(arange(3), 1), Array(1)), {3, 5});
  for (float fill : {-infinity, -1e9f}) {
    const Formula f = [&](const Arrays& x) {
      return Arrays{matmul(weights(where(x[3], matmul(x[0], turned(x[1])), Array(fill))), x[2])};
    };
    const Graph before = graph_of(f, {q, k, v, shown});
    const Graph after = fused(before);
    CHECK(count(after, attention) == 1);
    CHECK(within(run(after, {q, k, v, shown})[0], run(before, {q, k, v, shown})[0], 1e-5));
  }
}

TEST_CASE("a causal mask that is a constant becomes the mode") {
  for (auto [queries, keys] : {std::pair{5, 5}, {1, 4}, {3, 7}}) {
    const Arrays in{normal({1, 2, queries, 8}), normal({1, 2, keys, 8}), normal({1, 2, keys, 8})};
    const Array shown = causal(queries, keys);
    const std::vector<std::function<Array(const Array&)>> masks{
        [&](const Array& s) { return where(shown, s, Array(-infinity)); },
        [&](const Array& s) { return where(logical_not(shown), Array(-1e9f), s); },
        [&](const Array& s) { return s + where(shown, Array(0.0f), Array(-1e9f)); },
        [&](const Array& s) {
          return where(expand_dims(shown, {0, 1}), s, Array(-infinity));
        }};
    for (const auto& mask : masks) {
      const Formula f = [&](const Arrays& x) {
        return Arrays{matmul(weights(mask(matmul(x[0], turned(x[1])))), x[2])};
      };
      check_found(f, in);
      const auto op = attention_in(fused(graph_of(f, in)));
      CHECK(op->causal);
      CHECK_FALSE(op->has_mask);
    }
    // One key more, or an offset at the other end, is another mask.
    if (queries < keys) {
      const Array other = less_equal(arange(keys), expand_dims(arange(queries), 1));
      const Formula f = [&](const Arrays& x) {
        return Arrays{
            matmul(weights(where(other, matmul(x[0], turned(x[1])), Array(-infinity))), x[2])};
      };
      check_found(f, in);
      CHECK_FALSE(attention_in(fused(graph_of(f, in)))->causal);
    }
  }
}

TEST_CASE("attention of halves, whose softmax is taken in float32 or not") {
  for (Dtype t : {float16, bfloat16}) {
    const Arrays in{normal({2, 3, 5, 8}, t), normal({2, 3, 7, 8}, t), normal({2, 3, 7, 8}, t)};
    const double close = t == float16 ? 4e-3 : 3e-2;
    check_found(
        [&](const Arrays& x) {
          const Array scores = matmul(x[0], turned(x[1])) * Array(0.3f, t);
          return Arrays{matmul(weights(scores), x[2])};
        },
        in, close);
    check_found(
        [&](const Arrays& x) {
          const Array scores = matmul(x[0], turned(x[1])) * Array(0.3f, t);
          const Array wide = softmax(astype(scores, float32), -1);
          return Arrays{matmul(astype(wide, t), x[2])};
        },
        in, close);
  }
}

TEST_CASE("heddle's own decomposition of attention is found, with every attribute") {
  const Stream here = to_stream({});
  for (Dtype t : {float32, float16}) {
    for (const int64_t heads : {2, 6}) {
      const Array q = normal({2, 6, 3, 8}, t);
      const Array k = normal({2, heads, 5, 8}, t), v = normal({2, heads, 5, 4}, t);
      for (const bool causal : {false, true}) {
        for (const bool sinks : {false, true}) {
          for (const std::optional<Dtype> mask : {std::optional<Dtype>(), {bool_}, {t}}) {
            Arrays in{q, k, v};
            if (mask) in.push_back(astype(greater(normal({2, 6, 3, 5}), Array(-0.5f)), *mask));
            if (sinks) in.push_back(normal({6}, t));
            const OpRef op =
                make_op<ScaledDotProductAttention>(0.25f, causal, mask.has_value(), sinks);
            const Graph before = graph_of(
                [&](const Arrays& x) { return Arrays{exp(op->decompose(x, here)->at(0))}; }, in);
            const Graph after = fused(before);
            REQUIRE(text_of(after) == "ScaledDotProductAttention Exp ");
            CHECK(after.steps[0].op->equals(*op));
            CHECK(after.steps[0].inputs.size() == in.size());
            CHECK(within(run(after, in)[0], run(before, in)[0], t == float16 ? 1e-2 : 1e-5));
          }
        }
      }
    }
  }
}

TEST_CASE("a decomposition that was changed, or is used elsewhere, stays taken apart") {
  const Stream here = to_stream({});
  const Arrays in{normal({1, 2, 3, 8}), normal({1, 2, 5, 8}), normal({1, 2, 5, 8})};
  const OpRef op = make_op<ScaledDotProductAttention>(0.25f, false, false, false);
  // Without what infinite values add.
  CHECK(count(fused(graph_of(
                  [&](const Arrays& x) {
                    const Array whole = op->decompose(x, here)->at(0);
                    const Array sum_of_parts = whole.node()->inputs[0];
                    return Arrays{sum_of_parts.node()->inputs[0]};
                  },
                  in)),
              attention) == 0);
  // Its weights are another result.
  CHECK(count(fused(graph_of(
                  [&](const Arrays& x) {
                    const Array whole = op->decompose(x, here)->at(0);
                    const Array mixed = whole.node()->inputs[0].node()->inputs[0];
                    return Arrays{whole, mixed.node()->inputs[0]};
                  },
                  in)),
              attention) == 0);
}

TEST_CASE("what only looks like attention stays") {
  const Array q = normal({2, 3, 5, 8}), k = normal({2, 3, 5, 8}), v = normal({2, 3, 5, 8});
  const Arrays in{q, k, v};
  auto stays = [&](const Formula& f) { check_stays(f, in); };
  auto product = [](const Arrays& x) { return matmul(x[0], turned(x[1])); };
  // Along another axis, with weights that are a result or are used twice.
  stays([=](const Arrays& x) { return Arrays{matmul(softmax(product(x), -2), x[2])}; });
  stays([=](const Arrays& x) {
    const Array w = weights(product(x));
    return Arrays{matmul(w, x[2]), w};
  });
  stays([=](const Arrays& x) {
    const Array scores = product(x);
    return Arrays{matmul(weights(scores), x[2]), sum(scores)};
  });
  // A scale for each axis, something between the softmax and the values.
  stays([=](const Arrays& x) { return Arrays{matmul(weights(product(x) * arange(5.0)), x[2])}; });
  stays([=](const Arrays& x) { return Arrays{matmul(tanh(weights(product(x))), x[2])}; });
  stays([=](const Arrays& x) { return Arrays{matmul(weights(product(x)) * Array(2.0f), x[2])}; });
  // Numbers in the place of hidden scores that other scores may come near.
  for (float fill : {0.0f, -100.0f, infinity}) {
    const Array shown = causal(5, 5);
    stays([=](const Arrays& x) {
      return Arrays{matmul(weights(where(shown, product(x), Array(fill))), x[2])};
    });
  }
  // A mask that makes more scores of them.
  check_stays(
      [=](const Arrays& x) {
        return Arrays{matmul(weights(matmul(x[0], turned(x[1])) + x[3]), x[2])};
      },
      {normal({1, 3, 5, 8}), normal({1, 3, 5, 8}), v, normal({2, 1, 5, 5})});
  // float64, which the operation computes by its parts.
  check_stays([=](const Arrays& x) { return Arrays{matmul(weights(product(x)), x[2])}; },
              {astype(q, float64), astype(k, float64), astype(v, float64)});
}
