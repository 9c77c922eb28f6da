#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "heddle/heddle.h"
#include "heddle/nn.h"
#include "heddle/optim.h"
#include "nn_checks.h"

using namespace heddle;
using test::close;
using test::names;

namespace {

struct Net : nn::Module {
  nn::Linear up{3, 8};
  nn::Sequential rest{nn::LayerNorm(8), nn::gelu, nn::Linear(8, 2, false)};
  void members(nn::Members& m) override { m("up", up)("rest", rest); }
  Array operator()(const Array& x) { return rest(up(x)); }
};

}  // namespace

TEST_CASE("modules name their parameters by path") {
  Net net;
  CHECK(names(net.parameters()) ==
        std::vector<std::string>{"up.weight", "up.bias", "rest.layers.0.weight",
                                 "rest.layers.0.bias", "rest.layers.2.weight"});
  CHECK(net.named_modules().size() == 6);
  CHECK(net(ones({4, 3})).shape() == Shape{4, 2});
  net.freeze({"bias"});
  CHECK(names(net.trainable_parameters()) ==
        std::vector<std::string>{"up.weight", "rest.layers.0.weight", "rest.layers.2.weight"});
  net.unfreeze();
  CHECK(net.trainable_parameters().size() == 5);
  net.eval();
  CHECK_FALSE(net.rest.layers[0]->training());
  net.set_dtype(float16);
  CHECK(net.up.weight.dtype() == float16);
}

TEST_CASE("updates reach the parameters and refuse what is not there") {
  Net net;
  net.update({{"up.bias", zeros({8})}});
  CHECK(close(*net.up.bias, zeros({8})));
  CHECK_THROWS_WITH_AS(net.update({{"up.foo", zeros({8})}}),
                       "Module does not have parameter named \"up.foo\".", std::invalid_argument);
  net.update({{"up.foo", zeros({8})}}, false);
}

TEST_CASE("weights travel through files") {
  std::string path =
      (std::filesystem::temp_directory_path() / "heddle_test_nn.safetensors").string();
  Net a, b;
  Array x = random::normal({4, 3});
  a.save_weights(path);
  b.load_weights(path);
  CHECK(close(a(x), b(x), 0));
  nn::Linear other(3, 8);
  CHECK_THROWS_AS(other.load_weights(path), std::invalid_argument);
  std::remove(path.c_str());
}

TEST_CASE("value_and_grad differentiates by the trainable parameters") {
  nn::Linear layer(2, 1);
  Array x({1.f, 2.f}), before = layer.weight;
  auto [value, gradients] = nn::value_and_grad(layer, [&] { return sum(layer(x)); });
  CHECK(names(gradients) == std::vector<std::string>{"weight", "bias"});
  CHECK(close(gradients[0].second, reshape(x, {1, 2})));
  CHECK(layer.weight.same_as(before));
  layer.freeze();
  CHECK_THROWS_AS(nn::value_and_grad(layer, [&] { return sum(layer(x)); }), std::invalid_argument);
}

TEST_CASE("recurrent layers step as their equations say") {
  nn::LSTM lstm(3, 4);
  Array x = random::normal({2, 5, 3});
  auto [hidden, cells] = lstm(x);
  CHECK(hidden.shape() == Shape{2, 5, 4});
  Array h = zeros({2, 4}), c = zeros({2, 4});
  for (int t = 0; t < 5; t++) {
    Array sums =
        addmm(*lstm.bias, take(x, t, 1), transpose(lstm.wx)) + matmul(h, transpose(lstm.wh));
    Arrays g = split(sums, 4, -1);
    c = sigmoid(g[1]) * c + sigmoid(g[0]) * tanh(g[2]);
    h = sigmoid(g[3]) * tanh(c);
    CHECK(close(take(hidden, t, 1), h));
    CHECK(close(take(cells, t, 1), c));
  }
  // Continuing from a state is the same as going on.
  auto [first, first_cells] = lstm(slice(x, {0, 0, 0}, {2, 2, 3}));
  auto [second, second_cells] =
      lstm(slice(x, {0, 2, 0}, {2, 5, 3}), take(first, 1, 1), take(first_cells, 1, 1));
  CHECK(close(take(second, 2, 1), h));
  nn::GRU gru(3, 4);
  CHECK(gru(x).shape() == Shape{2, 5, 4});
  CHECK_THROWS_AS(gru(zeros({2, 0, 3})), std::invalid_argument);
  CHECK_THROWS_AS(gru(x, zeros({3})), std::invalid_argument);
}

TEST_CASE("layers refuse sizes that mean nothing") {
  CHECK_THROWS_AS(nn::MaxPool1d(0), std::invalid_argument);
  CHECK_THROWS_AS(nn::AvgPool2d(2, 0), std::invalid_argument);
  CHECK_THROWS_AS(nn::MaxPool2d(2, 1, -1), std::invalid_argument);
  CHECK_THROWS_AS(nn::GroupNorm(0, 4), std::invalid_argument);
  CHECK_THROWS_AS(nn::SinusoidalPositionalEncoding(5), std::invalid_argument);
  Array one_frequency = nn::SinusoidalPositionalEncoding(2)(Array({1.f}));
  CHECK(close(one_frequency, reshape(Array({std::sin(1.f), std::cos(1.f)}), {1, 2})));
}

TEST_CASE("layers of every kind give the shapes they should") {
  Array image = random::normal({2, 8, 8, 4});
  CHECK(nn::Conv2d(4, 6, 3, {.padding = 1})(image).shape() == Shape{2, 8, 8, 6});
  CHECK(nn::ConvTranspose2d(4, 6, 2, {.stride = 2})(image).shape() == Shape{2, 16, 16, 6});
  CHECK(nn::MaxPool2d(2)(image).shape() == Shape{2, 4, 4, 4});
  CHECK(nn::AvgPool2d(3, 1, 1)(image).shape() == Shape{2, 8, 8, 4});
  CHECK(close(nn::MaxPool1d(2)(reshape(arange(6.0, 12.0), {1, 6, 1})),
              reshape(Array({7.f, 9.f, 11.f}), {1, 3, 1})));
  CHECK(nn::GroupNorm(2, 4)(image).shape() == image.shape());
  CHECK(nn::BatchNorm(4)(image).shape() == image.shape());
  nn::TransformerEncoder encoder(2, 8, 2);
  CHECK(encoder(ones({1, 5, 8}), nn::MultiHeadAttention::create_additive_causal_mask(5)).shape() ==
        Shape{1, 5, 8});
  CHECK(encoder.parameters()[0].first == "layers.0.attention.query_proj.weight");
  CHECK_THROWS_AS(nn::Dropout(1.0), std::invalid_argument);
  CHECK_THROWS_AS(nn::Conv2d(3, 4, 2, {.groups = 2}), std::invalid_argument);
}

TEST_CASE("losses and initializers, and what they refuse") {
  using namespace nn::losses;
  Array even = cross_entropy(zeros({2, 4}), Array({0, 1}), {}, -1, 0, Reduction::mean);
  CHECK(even.item<float>() == doctest::Approx(std::log(4.0)));
  CHECK(mse_loss(Array({1.f, 3.f}), Array({0.f, 0.f})).item<float>() == doctest::Approx(5));
  CHECK(huber_loss(Array(3.f), Array(0.f)).item<float>() == doctest::Approx(2.5));
  CHECK_THROWS_WITH_AS(l1_loss(zeros({2}), zeros({3})),
                       "Predictions shape (2,) does not match targets shape (3,).",
                       std::invalid_argument);
  CHECK_THROWS_AS(cross_entropy(zeros({2, 4}), zeros({3}, int32)), std::invalid_argument);
  CHECK_THROWS_AS(reduction_from("foo"), std::invalid_argument);

  using namespace nn;
  float bound = std::sqrt(6.0f / 24);
  Array drawn = init::glorot_uniform({8, 16});
  CHECK(max(abs(drawn)).item<float>() <= bound);
  CHECK(max(abs(drawn)).item<float>() > 0.8f * bound);
  Array q = init::orthogonal({6, 4});
  CHECK(close(matmul(transpose(q), q), eye(4), 1e-4));
  Array sparse = init::sparse({5, 10}, 0.3);
  CHECK(close(astype(sum(sparse == Array(0.f), {1}), float32), full({5}, Array(3.f))));
  CHECK_THROWS_AS(init::he_normal({3}), std::invalid_argument);
  CHECK_THROWS_AS(init::identity({3, 4}), std::invalid_argument);
}

TEST_CASE("every optimizer finds the minimum of a bowl") {
  auto run = [](optim::Optimizer& optimizer, int steps) {
    nn::Linear model(3, 2, false);
    model.weight = ones({2, 3});
    for (int i = 0; i < steps; i++) {
      auto [loss, gradients] = nn::value_and_grad(model, [&] { return sum(square(model.weight)); });
      optimizer.update(model, gradients);
      eval(model.weight);
    }
    return sum(square(model.weight)).item<float>();
  };
  optim::SGD sgd(0.1, {.momentum = 0.5, .nesterov = true});
  CHECK(run(sgd, 60) < 1e-3f);
  optim::RMSprop rmsprop(0.05);
  CHECK(run(rmsprop, 100) < 1e-1f);
  optim::Adagrad adagrad(0.5);
  CHECK(run(adagrad, 60) < 1e-2f);
  optim::AdaDelta adadelta(10.0);
  CHECK(run(adadelta, 100) < 6.0f);
  optim::Adam adam(0.1, {.bias_correction = true});
  CHECK(run(adam, 100) < 1e-1f);
  optim::AdamW adamw(0.1);
  CHECK(run(adamw, 100) < 1e-1f);
  optim::Adamax adamax(0.1);
  CHECK(run(adamax, 100) < 1e-1f);
  optim::Lion lion(0.01);
  CHECK(run(lion, 100) < 1e-1f);
  optim::Adafactor adafactor;
  CHECK(run(adafactor, 100) < 6.0f);
  optim::Muon muon(0.02);
  CHECK(run(muon, 100) < 6.0f);
  CHECK(names(adam.state()) ==
        std::vector<std::string>{"step", "learning_rate", "weight.m", "weight.v"});
  CHECK(adam.step().item<uint64_t>() == 100);
  optim::Adam again(0.1);
  again.set_state(adam.state());
  CHECK(again.step().item<uint64_t>() == 100);
  CHECK_THROWS_AS(optim::SGD(0.1, {.nesterov = true}), std::invalid_argument);
}

TEST_CASE("schedules, several optimizers, clipping") {
  optim::SGD scheduled(optim::linear_schedule(1.0, 0.0, 4));
  nn::Linear model(1, 1);
  for (int i = 0; i < 2; i++) {
    scheduled.update(model, {{"weight", zeros({1, 1})}});
  }
  CHECK(scheduled.learning_rate().item<float>() == doctest::Approx(0.75));
  auto joined = optim::join_schedules(
      {optim::exponential_decay(1.0, 0.5), optim::step_decay(4.0, 0.5, 2)}, {3});
  CHECK(joined(Array(2, uint64)).item<float>() == doctest::Approx(0.25));
  CHECK(joined(Array(5, uint64)).item<float>() == doctest::Approx(2.0));

  auto fast = std::make_shared<optim::SGD>(1.0), slow = std::make_shared<optim::SGD>(0.1);
  optim::MultiOptimizer both(
      {fast, slow}, {[](const std::string& path, const Array&) { return path == "bias"; }});
  model.update({{"weight", zeros({1, 1})}, {"bias", zeros({1})}});
  both.update(model, {{"weight", ones({1, 1})}, {"bias", ones({1})}});
  CHECK(model.weight.item<float>() == doctest::Approx(-0.1));
  CHECK(model.bias->item<float>() == doctest::Approx(-1.0));

  auto [clipped, norm] = optim::clip_grad_norm({{"a", Array({3.f})}, {"b", Array({4.f})}}, 1.0);
  CHECK(norm.item<float>() == doctest::Approx(5));
  CHECK(clipped[0].second.item<float>() == doctest::Approx(0.6));
}
