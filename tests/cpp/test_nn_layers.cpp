// Layers that are quantized, divided or checkpointed, and resizing, beside plain operations and
// numbers from MLX.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "heddle/distributed.h"
#include "heddle/heddle.h"
#include "heddle/nn.h"
#include "heddle/optim.h"
#include "nn_checks.h"

using namespace heddle;
using test::close;
using test::names;

namespace {

using Names = std::vector<std::string>;

Array restored(const nn::QuantizableLayer& layer) {
  const nn::Quantization& f = *layer.format();
  return dequantize(layer.weight, *layer.scales, layer.biases, f.group_size, f.bits, f.mode);
}

}  // namespace

TEST_CASE("layers say in their own words which features they take") {
  const Array x = ones({2, 5, 3}), image = ones({1, 4, 4, 3});
  nn::Linear linear(4, 2), bare(4, 2, false), packed(64, 2);
  packed.quantize({});
  nn::Bilinear bilinear(3, 4, 2);
  nn::Embedding embedding(10, 4);
  nn::LayerNorm layer_norm(4);
  nn::RMSNorm rms_norm(4);
  nn::InstanceNorm instance_norm(1, 1e-5, true);
  nn::GroupNorm group_norm(1, 1);
  nn::BatchNorm batch_norm(1), plain_norm(1, 1e-5, 0.1, false);
  nn::RNN rnn(1, 2);
  nn::GRU gru(4, 2);
  nn::LSTM lstm(4, 2);
  nn::Conv2d conv(4, 2, 2);
  nn::ConvTranspose2d transposed(4, 2, 2);
  nn::MultiHeadAttention attention(4, 2);
  const std::vector<std::pair<std::string, std::function<void()>>> calls = {
      {"[Linear]", [&] { linear(x); }},
      {"[Linear]", [&] { bare(x); }},
      {"[Linear]", [&] { packed(x); }},
      {"[Linear]", [&] { linear(Array(1.0f)); }},
      {"[Bilinear]", [&] { bilinear(x, x); }},
      {"[Embedding.as_linear]", [&] { embedding.as_linear(x); }},
      {"[LayerNorm]", [&] { layer_norm(x); }},
      {"[RMSNorm]", [&] { rms_norm(x); }},
      {"[InstanceNorm]", [&] { instance_norm(x); }},
      {"[GroupNorm]", [&] { group_norm(x); }},
      {"[BatchNorm]", [&] { batch_norm(x); }},
      {"[BatchNorm]", [&] { plain_norm(x); }},
      {"[RNN]", [&] { rnn(x); }},
      {"[GRU]", [&] { gru(x); }},
      {"[LSTM]", [&] { lstm(x); }},
      {"[Conv]", [&] { conv(image); }},
      {"[ConvTranspose]", [&] { transposed(image); }},
      {"[Linear]", [&] { attention(x, x, x); }},
  };
  for (size_t i = 0; i < calls.size(); i++) {
    CAPTURE(i);
    std::string said;
    try {
      calls[i].second();
    } catch (const std::invalid_argument& error) {
      said = error.what();
    }
    CHECK(said.rfind(calls[i].first, 0) == 0);
  }
}

TEST_CASE("quantized layers multiply by what their weights restore to") {
  Array x = random::normal({3, 64});
  for (const char* mode : {"affine", "mxfp4", "mxfp8", "nvfp4"}) {
    CAPTURE(mode);
    nn::Linear linear(64, 8);
    auto quantized = nn::QuantizedLinear::from_linear(linear, {.mode = mode});
    CHECK(quantized.quantized());
    CHECK_FALSE(linear.quantized());
    CHECK(quantized.columns() == 64);
    Array w = restored(quantized);
    CHECK(close(quantized(x), matmul(x, transpose(astype(w, float32))) + *linear.bias, 1e-3));
    CHECK(close(astype(w, float32), linear.weight, 0.1));

    nn::Embedding table(10, 64);
    auto packed = nn::QuantizedEmbedding::from_embedding(table, {.mode = mode});
    Array rows({2, 7, 2});
    CHECK(close(packed(rows), take(restored(packed), rows, 0), 0));
    CHECK(
        close(packed.as_linear(x), matmul(x, transpose(astype(restored(packed), float32))), 1e-3));
  }
  nn::QuantizedLinear fresh(64, 8, true, {.group_size = 32, .bits = 8});
  CHECK(names(fresh.parameters()) == Names{"weight", "scales", "biases", "bias"});
  CHECK(fresh.trainable_parameters().empty());
  CHECK(fresh.weight.shape() == Shape{8, 16});
  CHECK(close(*fresh.bias, zeros({8})));
  CHECK(names(nn::QuantizedLinear::from_linear(nn::Linear(64, 8)).trainable_parameters()) ==
        Names{"bias"});
  CHECK_THROWS_AS(nn::QuantizedLinear(60, 8), std::invalid_argument);
  CHECK_THROWS_AS(fresh.quantize(), std::invalid_argument);
  CHECK_THROWS_AS(nn::QuantizedEmbedding(5, 64, {.mode = "int3"}), std::invalid_argument);
}

TEST_CASE("a refused quantization leaves the layer as it was") {
  nn::Linear linear(60, 8);
  Array x = ones({1, 60}), before = linear(x);
  CHECK_THROWS_AS(linear.quantize(), std::invalid_argument);
  CHECK_FALSE(linear.quantized());
  CHECK(close(linear(x), before, 0));
}

TEST_CASE("QQLinear rounds its input, and packs its weight outside of training") {
  nn::Linear linear(64, 8, false);
  auto layer = nn::QQLinear::from_linear(linear);
  Array x = random::normal({3, 64});
  Array wanted = qqmm(x, linear.weight);
  CHECK(names(layer.trainable_parameters()) == Names{"weight"});
  CHECK(close(layer(x), wanted, 0));
  auto [value, gradients] = nn::value_and_grad(layer, [&] { return sum(layer(x)); });
  CHECK(gradients[0].second.shape() == Shape{8, 64});
  layer.eval();
  CHECK(names(layer.parameters()) == Names{"weight", "scales"});
  CHECK(layer.weight.dtype() == uint32);
  CHECK(close(layer(x), wanted, 1e-5));
  layer.eval();
  layer.train();
  CHECK(layer.weight.dtype() == bfloat16);
  CHECK(names(layer.parameters()) == Names{"weight"});
  CHECK_THROWS_AS(nn::QQLinear::from_linear(nn::Linear(64, 8)), std::invalid_argument);
  CHECK_THROWS_AS(nn::QQLinear(64, 8, {.mode = "affine"}), std::invalid_argument);
  CHECK_THROWS_AS(nn::Embedding(4, 64).quantize({.mode = "nvfp4", .input = true}),
                  std::invalid_argument);
}

TEST_CASE("a model is quantized where its layers are") {
  nn::TransformerEncoder model(2, 64, 4);
  Array x = random::normal({1, 5, 64});
  Array before = model(x);
  nn::quantize(model, {.bits = 8});
  CHECK(model.layers[1].attention.query_proj.quantized());
  CHECK(model.layers[0].linear2.quantized());
  CHECK(close(model(x), before, 0.05));
  auto parameters = names(model.parameters());
  CHECK(std::count(parameters.begin(), parameters.end(), "layers.1.linear1.scales") == 1);
  nn::quantize(model, {.bits = 8});  // nothing is left to do

  nn::Sequential chosen(nn::Linear(64, 64), nn::relu, nn::LayerNorm(64), nn::Linear(64, 64));
  nn::quantize(chosen, [](const std::string& path, nn::Module&) -> std::optional<nn::Quantization> {
    if (path != "layers.3") return {};
    return nn::Quantization{.bits = 2};
  });
  CHECK_FALSE(dynamic_cast<nn::Linear&>(*chosen.layers[0]).quantized());
  CHECK(dynamic_cast<nn::Linear&>(*chosen.layers[3]).format()->bits == 2);
  CHECK_THROWS_AS(
      nn::quantize(chosen,
                   [](const std::string&, nn::Module&) -> std::optional<nn::Quantization> {
                     return nn::Quantization{};
                   }),
      std::invalid_argument);
}

TEST_CASE("quantized models travel through files of both kinds") {
  for (const char* suffix : {"safetensors", "npz"}) {
    std::string path =
        (std::filesystem::temp_directory_path() / "heddle_test_nn_layers.").string() + suffix;
    nn::QuantizedLinear a(64, 8), b(64, 8);
    a.save_weights(path);
    b.load_weights(path);
    Array x = random::normal({3, 64});
    CHECK(close(a(x), b(x), 0));
    nn::Linear plain(64, 8);
    CHECK_THROWS_AS(plain.load_weights(path), std::invalid_argument);
    std::remove(path.c_str());
  }
  nn::Linear plain(2, 2);
  CHECK_THROWS_WITH_AS(plain.save_weights("weights.bin"),
                       "Unsupported file extension for weights.bin. Use '.npz' or '.safetensors'.",
                       std::invalid_argument);
  plain.load_weights({{"weight", zeros({2, 2})}}, false);
  CHECK(close(plain.weight, zeros({2, 2})));
  plain.apply([](const Array& p) { return p + Array(1.f); },
              [](const std::string& path, const Array&) { return path == "weight"; });
  CHECK(close(plain.weight, ones({2, 2})));
}

TEST_CASE("resizing gives MLX's numbers") {
  Array x = reshape(Array({1.f, 4.f, 2.f, 8.f}), {1, 4, 1});
  auto resized = [&](double scale, nn::UpsampleOptions options) {
    return reshape(nn::Upsample(scale, options)(x), {-1});
  };
  using nn::Interpolation;
  CHECK(close(resized(2, {Interpolation::linear}),
              Array({1.f, 1.75f, 3.25f, 3.5f, 2.5f, 3.5f, 6.5f, 8.f})));
  CHECK(close(resized(1.5, {Interpolation::cubic, true}),
              Array({1.f, 3.052f, 3.792f, 1.848f, 4.112f, 8.f})));
  CHECK(close(resized(0.5, {Interpolation::linear, false, true}), Array({2.4285715f, 4.857143f})));
  CHECK(close(resized(1.75, {}), Array({1.f, 1.f, 4.f, 2.f, 2.f, 8.f, 8.f})));
  CHECK(close(resized(2, {}), Array({1.f, 1.f, 4.f, 4.f, 2.f, 2.f, 8.f, 8.f})));
  CHECK(nn::Upsample({2.0, 3.0})(zeros({1, 4, 5, 2})).shape() == Shape{1, 8, 15, 2});
  CHECK_THROWS_AS(nn::Upsample(2.0)(zeros({4, 4})), std::invalid_argument);
  CHECK_THROWS_AS(nn::Upsample({2.0, 3.0})(x), std::invalid_argument);
  CHECK_THROWS_AS(nn::Upsample(0.0)(x), std::invalid_argument);
  CHECK_THROWS_AS(nn::Upsample(0.5, {.antialias = true}), std::invalid_argument);
  CHECK_THROWS_AS(nn::Upsample(0.5, {Interpolation::linear, true, true}), std::invalid_argument);
  CHECK_THROWS_AS(nn::interpolation_from("area"), std::invalid_argument);
}

TEST_CASE("activations are layers too") {
  Array x({-2.f, -0.3f, 0.f, 1.5f});
  CHECK(close(nn::ReLU()(x), maximum(x, Array(0.f))));
  CHECK(close(nn::GELU("fast")(x), nn::gelu_fast_approx(x)));
  CHECK(close(nn::LeakyReLU()(x), nn::leaky_relu(x)));
  CHECK(close(nn::HardTanh()(x), clip(x, Array(-1.f), Array(1.f))));
  CHECK(close(nn::Softmax()(x), softmax(x)));
  CHECK(close(nn::GLU(0)(x), Array({-2.f * 0.5f, -0.3f * 0.8175745f})));
  CHECK(close(nn::Step(0.5)(x), Array({0, 0, 0, 1})));
  CHECK(close(nn::Tanh()(x), tanh(x)));
  nn::Sequential net{nn::PReLU(), nn::Sigmoid()};
  CHECK(names(net.parameters()) == Names{"layers.0.weight"});
  CHECK(close(net(x), sigmoid(Array({-0.5f, -0.075f, 0.f, 1.5f}))));
  CHECK_THROWS_AS(nn::GELU("rough"), std::invalid_argument);
}

TEST_CASE("checkpointed stacks have the values and gradients of others") {
  nn::TransformerOptions options{.mlp_dims = 16, .dropout = 0.3};
  nn::TransformerOptions again = options;
  again.checkpoint = true;
  nn::Transformer plain(8, 2, 2, 2, options), checkpointed(8, 2, 2, 2, again);
  checkpointed.update(plain.parameters());
  Array source = random::normal({2, 4, 8}), target = random::normal({2, 3, 8});
  auto run = [&](nn::Transformer& model) {
    random::seed(7);  // the same dropout, also when layers are computed again
    return nn::value_and_grad(model, [&] { return sum(square(model(source, target))); });
  };
  auto [value, gradients] = run(plain);
  auto [same_value, same_gradients] = run(checkpointed);
  CHECK(close(value, same_value, 1e-4));
  REQUIRE(names(gradients) == names(same_gradients));
  for (size_t i = 0; i < gradients.size(); i++) {
    CAPTURE(gradients[i].first);
    CHECK(close(gradients[i].second, same_gradients[i].second, 1e-3));
  }
}

TEST_CASE("attention between sequences of other features") {
  nn::MultiHeadAttention attention(
      8, 2, {.query_input_dims = 3, .key_input_dims = 5, .value_dims = 6, .value_output_dims = 7});
  CHECK(attention.value_proj.weight.shape() == Shape{6, 5});
  CHECK(attention(ones({1, 4, 3}), ones({1, 9, 5}), ones({1, 9, 5})).shape() == Shape{1, 4, 7});
  CHECK_THROWS_AS(nn::MultiHeadAttention(8, 3), std::invalid_argument);
}

TEST_CASE("running averages stay frozen") {
  nn::BatchNorm norm(3);
  norm.freeze();
  norm.unfreeze();
  CHECK(names(norm.trainable_parameters()) == Names{"weight", "bias"});
}

TEST_CASE("layers for several processes, in a group of one") {
  using nn::Sharding;
  Array x = random::normal({3, 64});
  nn::Linear whole(64, 32), packed = whole;
  packed.quantize({.group_size = 32});
  for (const nn::Linear* layer : {&whole, &packed}) {
    nn::Linear copy = *layer;
    for (Sharding sharding : {Sharding::all_to_sharded, Sharding::sharded_to_all}) {
      for (const nn::Segments& segments :
           {nn::Segments(1), nn::Segments(2), nn::Segments(std::vector<double>{0.5, 0.75})}) {
        auto part = nn::shard_linear(*layer, sharding, segments);
        CHECK(close((*part)(x), copy(x)));
        CHECK(names(part->parameters()) == names(copy.parameters()));
        part->unfreeze();
        CHECK(part->trainable_parameters().empty() == layer->quantized());
      }
    }
  }
  nn::AllToShardedLinear first(4, 6);
  nn::ShardedToAllLinear second(6, 2, false);
  CHECK(max(abs(second.weight)).item<float>() <= std::sqrt(1 / 6.f));
  nn::Sequential net(first, nn::relu, second);
  Array y = random::normal({3, 4});
  auto gradient = [](nn::Layer& layer, const Array& in) {
    return grad([&](const Arrays& a) { return Arrays{sum(square(layer(a[0])))}; })({in})[0];
  };
  nn::Linear plain_first = first, plain_second = second;
  nn::Sequential plain(plain_first, nn::relu, plain_second);
  CHECK(close(net(y), plain(y)));
  CHECK(close(gradient(net, y), gradient(plain, y)));
  nn::QuantizedAllToShardedLinear third(64, 8);
  nn::QuantizedShardedToAllLinear fourth(64, 8, true, {.bits = 8});
  CHECK(third(x).shape() == Shape{3, 8});
  CHECK(fourth(x).shape() == Shape{3, 8});
  CHECK_THROWS_AS(nn::QuantizedAllToShardedLinear(whole, 1), std::invalid_argument);
}

TEST_CASE("modules whose parameters are gathered for each call") {
  auto inner = std::make_shared<nn::Linear>(4, 2);
  nn::FullyShardedModule module(inner);
  nn::Linear plain = *inner;
  Array x = random::normal({3, 4});
  CHECK(names(module.parameters()) == Names{"module.weight", "module.bias"});
  CHECK(close(module(x), plain(x)));
  auto [value, gradients] = nn::value_and_grad(module, [&] { return sum(square(module(x))); });
  auto [same_value, same_gradients] =
      nn::value_and_grad(plain, [&] { return sum(square(plain(x))); });
  for (size_t i = 0; i < 2; i++) CHECK(close(gradients[i].second, same_gradients[i].second));
  nn::FullyShardedModule half(inner, distributed::init(), float16);
  CHECK(half(astype(x, float16)).dtype() == float16);
  CHECK(inner->weight.dtype() == float32);
  CHECK(nn::fully_shard(inner) == inner);
  struct Scalar : nn::Layer {
    Array a = Array(1.f);
    Array operator()(const Array& in) override { return in * a; }
    void members(nn::Members& m) override { m("a", a); }
  };
  CHECK_THROWS_AS(nn::FullyShardedModule(std::make_shared<Scalar>()), std::invalid_argument);
  CHECK(close(nn::average_gradients({{"a", x}})[0].second, x));
  auto [clipped, norm] = nn::clip_grad_norm_sharded({{"a", Array({3.f, 4.f})}}, 1.0);
  CHECK(norm.item<float>() == doctest::Approx(5));
  CHECK(close(clipped[0].second, Array({0.6f, 0.8f}), 1e-4));
}

TEST_CASE("groups of one") {
  distributed::Group group = distributed::init();
  CHECK(group.size() == 1);
  CHECK(group.rank() == 0);
  CHECK(distributed::is_available("ring"));
  CHECK_FALSE(distributed::is_available("mpi"));
  CHECK_THROWS_AS(group.split(0), std::runtime_error);
  CHECK_THROWS_AS(distributed::init(true), std::runtime_error);
  CHECK_THROWS_AS(distributed::init(false, "tcp"), std::invalid_argument);
  CHECK_THROWS_AS(distributed::send(ones({1}), 0), std::invalid_argument);
  CHECK(close(distributed::all_gather(ones({2})), ones({2})));
}

TEST_CASE("optimizers remember and are told") {
  // AdamW's decay stays where other settings are changed.
  Array w = ones({2});
  auto step = [&](optim::Optimizer& optimizer) {
    return optimizer.apply_gradients({{"w", zeros({2})}}, {{"w", w}})[0].second;
  };
  optim::AdamW decaying(0.5, {.bias_correction = true}), still(0.5, {.weight_decay = 0});
  CHECK(close(step(decaying), full({2}, Array(1 - 0.5f * 0.01f))));
  CHECK(close(step(still), w));

  auto adam = std::make_shared<optim::Adam>(0.1);
  auto sgd = std::make_shared<optim::SGD>(0.2);
  optim::MultiOptimizer both({adam, sgd},
                             {[](const std::string& path, const Array&) { return path == "a"; }});
  both.init({{"a", w}, {"b", w}});
  CHECK(names(both.state()) == Names{"states.0.step", "states.0.learning_rate", "states.0.a.m",
                                     "states.0.a.v", "states.1.step", "states.1.learning_rate",
                                     "states.1.b.v"});
  CHECK(both.learning_rate().item<float>() == doctest::Approx(0.1));
  auto saved = both.state();
  both.set_learning_rate(0.5);
  CHECK(sgd->learning_rate().item<float>() == doctest::Approx(0.5));
  both.set_state(saved);
  CHECK(sgd->learning_rate().item<float>() == doctest::Approx(0.2));
  CHECK_THROWS_AS(both.set_state({{"step", w}}), std::invalid_argument);
}
