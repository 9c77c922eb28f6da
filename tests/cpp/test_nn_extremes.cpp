// C++ layers, losses and optimizers where exponents end. Python's tests judge the formulas, which
// are the same, against exact arithmetic; here is what C++ composes itself.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "heddle/nn/distributed.h"
#include "heddle/optim.h"
#include "nn_checks.h"
#include "thrown.h"

namespace heddle::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
const Dtype halves[] = {float16, bfloat16};

bool identical(const Array& a, const Array& b) {
  return a.dtype() == b.dtype() && array_equal(a, b).item<bool>();
}

// The parameters of a module in another dtype.
void convert(nn::Module& module, Dtype dtype) {
  module.apply([&](const Array& p) { return astype(p, dtype); });
}

}  // namespace

TEST_CASE("normalizations in halves are those in float32, rounded") {
  using Make = std::function<std::shared_ptr<nn::Layer>()>;
  const Make makes[] = {
      [] { return std::make_shared<nn::LayerNorm>(4); },
      [] { return std::make_shared<nn::RMSNorm>(4); },
      [] { return std::make_shared<nn::InstanceNorm>(4); },
      [] { return std::make_shared<nn::InstanceNorm>(4, 1e-5, true); },
      [] { return std::make_shared<nn::GroupNorm>(2, 4); },
      [] { return std::make_shared<nn::GroupNorm>(2, 4, 1e-5, true, true); },
      [] { return std::make_shared<nn::GroupNorm>(2, 4, 1e-5, false, true); },
      [] { return std::make_shared<nn::BatchNorm>(4); },
      [] { return std::make_shared<nn::BatchNorm>(4, 1e-5, 0.1, false, false); },
  };
  Array draws = random::normal({3, 5, 4}, float32, {}, {}, random::key(2));
  for (Dtype dtype : halves) {
    const Array inputs[] = {astype(draws * Array(300.f), dtype),
                            astype(draws * Array(1e-4f), dtype),
                            astype(draws + Array(100.f), dtype)};
    for (size_t k = 0; k < std::size(makes); k++) {
      for (const Array& x : inputs) {
        CAPTURE(k);
        auto narrow = makes[k](), wide = makes[k]();
        convert(*narrow, dtype);
        auto loss = [](nn::Layer& layer) {
          return [&layer](const Arrays& a) {
            Array y = astype(layer(a[0]), float32);
            return Arrays{sum(y * round(Array(8.f) * cos(reshape(arange(60), {3, 5, 4}))))};
          };
        };
        CHECK(identical((*narrow)(x), astype((*wide)(astype(x, float32)), dtype)));
        Array slope = grad(loss(*narrow))({x})[0];
        CHECK(identical(slope, astype(grad(loss(*wide))({astype(x, float32)})[0], dtype)));
        for (size_t i = 0; i < narrow->parameters().size(); i++) {
          CHECK(narrow->parameters()[i].second.dtype() == dtype);
        }
      }
    }
  }
}

TEST_CASE("an eps that is not positive is refused by every normalization") {
  for (double eps : {0.0, -1.0, std::nan("")}) {
    CHECK_THROWS_AS(nn::LayerNorm(4, eps), std::invalid_argument);
    CHECK_THROWS_AS(nn::RMSNorm(4, eps), std::invalid_argument);
    CHECK_THROWS_AS(nn::InstanceNorm(4, eps), std::invalid_argument);
    CHECK_THROWS_AS(nn::GroupNorm(2, 4, eps), std::invalid_argument);
    CHECK_THROWS_AS(nn::BatchNorm(4, eps), std::invalid_argument);
  }
  CHECK(what_throws([] { nn::LayerNorm(4, 0.0); }) ==
        "[LayerNorm] 'eps' must be positive but got 0.0.");
}

TEST_CASE("an embedding says that it takes integers") {
  CHECK(what_throws([] { nn::Embedding(3, 4)(ones({2})); }) ==
        "[Embedding] The layer takes integers, the numbers of rows, but its input is float32.");
}

TEST_CASE("losses and activations at infinity") {
  using nn::losses::Reduction;
  Array logits({infinity, -infinity, infinity}), targets({0.1f, 0.f, 1.f});
  Array loss = nn::losses::binary_cross_entropy(logits, targets, {}, true, Reduction::none);
  CHECK(identical(loss, Array({infinity, 0.f, 0.f})));
  Array x({-infinity, infinity});
  for (auto* activation :
       {nn::silu, nn::gelu, nn::gelu_approx, nn::gelu_fast_approx, nn::mish, nn::hardswish}) {
    CHECK(identical(activation(x), Array({0.f, infinity})));
  }
  CHECK(identical(nn::softsign(x), Array({-1.f, 1.f})));
  CHECK(close(nn::log_softmax(Array({5e6f, 5e6f})), full({2}, Array(-0.69314718f)), 1e-6));
  auto slope = [](Array (*activation)(const Array&, double), const Array& at) {
    return grad([=](const Arrays& a) { return Arrays{sum(activation(a[0], 1.0))}; })({at})[0];
  };
  CHECK(identical(slope(nn::elu, Array({89.f, 1e25f})), Array({1.f, 1.f})));
  CHECK(identical(slope(nn::celu, Array({0.f, 89.f})), Array({1.f, 1.f})));
  Array weighted =
      nn::losses::cross_entropy(reshape(Array({0.f, -infinity}), {1, 2}), Array({1}), Array({0.f}));
  CHECK(identical(weighted, Array({0.f})));
}

TEST_CASE("optimizers in halves take the steps of float32") {
  using Make = std::function<std::shared_ptr<optim::Optimizer>()>;
  const Make makes[] = {
      [] { return std::make_shared<optim::SGD>(0.1, optim::SGD::Options{.momentum = 0.9}); },
      [] { return std::make_shared<optim::RMSprop>(0.1); },
      [] { return std::make_shared<optim::Adagrad>(0.1); },
      [] { return std::make_shared<optim::AdaDelta>(0.1); },
      [] { return std::make_shared<optim::Adam>(0.1); },
      [] { return std::make_shared<optim::AdamW>(0.1); },
      [] { return std::make_shared<optim::Adamax>(0.1); },
      [] { return std::make_shared<optim::Lion>(0.1); },
      [] { return std::make_shared<optim::Adafactor>(); },
      [] { return std::make_shared<optim::Muon>(0.1); },
  };
  for (Dtype dtype : halves) {
    for (float size : {300.f, 1e-5f}) {
      for (const Make& make : makes) {
        auto narrow = make(), wide = make();
        Array w = astype(random::normal({3, 4}), dtype);
        Array g = astype(random::normal({3, 4}) * Array(size), dtype);
        Array given = narrow->apply_gradients({{"w", g}}, {{"w", w}})[0].second;
        Array right =
            wide->apply_gradients({{"w", astype(g, float32)}}, {{"w", astype(w, float32)}})[0]
                .second;
        CHECK(identical(given, astype(right, dtype)));
        CHECK(all(isfinite(given)).item<bool>());
        const optim::Parameters state = narrow->state(), exact = wide->state();
        for (size_t i = 0; i < state.size(); i++) {
          if (state[i].first.find("w.") != 0) continue;
          // What is remembered in float16 stops at its largest number.
          Array right_state = dtype == float16
                                  ? clip(exact[i].second, Array(-65504.f), Array(65504.f))
                                  : exact[i].second;
          CHECK(identical(state[i].second, astype(right_state, dtype)));
        }
      }
    }
  }
}

TEST_CASE("clipped gradients keep their dtypes, and squares do not overflow") {
  for (Dtype dtype : {float16, bfloat16, float32}) {
    for (double limit : {1.0, 1e4}) {
      auto [clipped, norm] =
          optim::clip_grad_norm({{"a", astype(Array({300.f, 400.f}), dtype)}}, limit);
      CHECK(norm.dtype() == float32);
      CHECK(norm.item<float>() == 500);
      CHECK(clipped[0].second.dtype() == dtype);
      Array right = limit < 500 ? Array({0.6f, 0.8f}) : Array({300.f, 400.f});
      CHECK(close(astype(clipped[0].second, float32), right, 1e-2));
    }
  }
  auto [clipped, norm] = nn::clip_grad_norm_sharded({{"a", Array({1e25f})}}, 1.0);
  CHECK(norm.item<float>() == doctest::Approx(1e25f));
  CHECK(clipped[0].second.item<float>() == doctest::Approx(1));
}

TEST_CASE("an optimizer of the program's own gets the arrays as they are") {
  struct Plain : optim::Optimizer {
    Plain() : Optimizer(0.5) {}
    optim::State init_single(const Array&) const override { return {}; }
    Array apply_single(const Array& g, const Array& w, optim::State&, const Array&,
                       const Array&) const override {
      CHECK(g.dtype() == float16);
      return w - g;
    }
  };
  Plain plain;
  Array w = ones({2}, float16);
  CHECK(identical(plain.apply_gradients({{"w", w}}, {{"w", w}})[0].second, zeros({2}, float16)));
  struct Nothing : optim::Optimizer {
    optim::State init_single(const Array&) const override { return {}; }
  };
  Nothing nothing;
  CHECK_THROWS_AS(nothing.apply_gradients({{"w", w}}, {{"w", w}}), std::logic_error);
}

}  // namespace heddle::test
