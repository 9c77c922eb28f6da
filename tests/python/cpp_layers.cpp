// The C++ layers, each by the expression that makes the same layer in Python: what they begin with,
// and what they make of weights and inputs that Python wrote. Built and run by test_cpp_layers.py.
//
//   cpp_layers FOLDER: for every line "number expression" of FOLDER/cases, reads number.safetensors
//   ("weight.<path>", "in.<i>"; an input that is not there is not given) and writes
//   number.out.safetensors ("initial.<path>", "out.<i>", "after.<path>", "grad.<path>",
//   "grad.in.<i>") and the layer's graph: number.fixed.cpp.mlxfn and, for any sizes,
//   number.any.cpp.mlxfn, or why there is none. What fails is said, and the status is 1.
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "heddle/heddle.h"
#include "heddle/nn.h"

using namespace heddle;

namespace {

using Input = std::optional<Array>;
using Call = std::function<Arrays(const std::vector<Input>&)>;

// A layer with the call that takes the inputs as they come.
struct Made {
  std::shared_ptr<nn::Module> module;
  Call call;
};

// An input as the parameter wants it: given for certain, or perhaps.
struct Given {
  const Input& input;
  operator const Array&() const { return *input; }  // NOLINT: that is what it is for
  operator const Input&() const { return input; }   // NOLINT
};

Arrays results(const Array& y) { return {y}; }
Arrays results(const std::pair<Array, Array>& y) { return {y.first, y.second}; }

template <class L>
Call call_of(L* layer) {
  return [layer](const std::vector<Input>& in) -> Arrays {
    auto apply = [&]<size_t... i>(std::index_sequence<i...>)->Arrays {
      if constexpr (requires { (*layer)(Given{in[i]}...); }) {
        return results((*layer)(Given{in[i]}...));
      } else {
        throw std::runtime_error("no call takes so many inputs");
      }
    };
    switch (in.size()) {
      case 1:
        return apply(std::make_index_sequence<1>());
      case 2:
        return apply(std::make_index_sequence<2>());
      case 3:
        return apply(std::make_index_sequence<3>());
      case 4:
        return apply(std::make_index_sequence<4>());
      default:
        return apply(std::make_index_sequence<5>());
    }
  };
}

template <class L>
Made made(L layer) {
  auto kept = std::make_shared<L>(std::move(layer));
  return {kept, call_of(kept.get())};
}

// ALiBi is no module in C++: it has no parameters.
struct Scores : nn::Module {
  Array operator()(const Array& scores) { return nn::ALiBi()(scores); }
};

using Make = std::function<Made()>;
using Row = std::pair<const std::string, Make>;

template <class F>
Row row(const char* expression, F make) {
  return {expression, [make] { return made(make()); }};
}
// With what the layer is called with, where no other test says so: shapes of random numbers, or
// integers. The tests read it from here.
template <class F>
Row row(const char* expression, const char* /*inputs*/, F make) {
  return row(expression, make);
}

const std::map<std::string, Make> rows = {
    row("ALiBi()", [] { return Scores(); }),
    row("AllToShardedLinear(3, 4)", [] { return nn::AllToShardedLinear(3, 4); }),
    row("AllToShardedLinear(3, 4, False)", [] { return nn::AllToShardedLinear(3, 4, false); }),
    row("AvgPool1d(3, 1)", "[(2, 9, 3)]", [] { return nn::AvgPool1d(3, 1); }),
    row("AvgPool2d((2, 3), (1, 2), (1, 0))",
        [] {
          return nn::AvgPool2d({{2, 3}}, {{{1, 2}}}, {{1, 0}});
        }),
    row("AvgPool2d(2)", [] { return nn::AvgPool2d(2); }),
    row("AvgPool2d(2, 2, 1)", [] { return nn::AvgPool2d(2, 2, 1); }),
    row("AvgPool2d(3, 1, 1)", [] { return nn::AvgPool2d(3, 1, 1); }),
    row("AvgPool2d(3, 2)", [] { return nn::AvgPool2d(3, 2); }),
    row("AvgPool2d(3, 2, 1)", [] { return nn::AvgPool2d(3, 2, 1); }),
    row("AvgPool2d(3, 5)", [] { return nn::AvgPool2d(3, 5); }),
    row("AvgPool3d(2, 1, 1)", [] { return nn::AvgPool3d(2, 1, 1); }),
    row("BatchNorm(4)", [] { return nn::BatchNorm(4); }),
    row("BatchNorm(4).eval()", "[(3, 5, 4)]", [] { return nn::BatchNorm(4); }),
    row("BatchNorm(4, track_running_stats=False)",
        [] { return nn::BatchNorm(4, 1e-5, 0.1, true, false); }),
    row("Bilinear(3, 4, 5)", [] { return nn::Bilinear(3, 4, 5); }),
    row("Bilinear(3, 4, 5, False)", [] { return nn::Bilinear(3, 4, 5, false); }),
    row("CELU()", "[(4, 6)]", [] { return nn::CELU(); }),
    row("CELU(0.3)", [] { return nn::CELU(0.3); }),
    row("Conv1d(3, 4, 3, 2, 1)", [] { return nn::Conv1d(3, 4, 3, {.stride = 2, .padding = 1}); }),
    row("Conv1d(4, 6, 3, 1, 2, 2, 2)",
        [] {
          return nn::Conv1d(4, 6, 3, {.stride = 1, .padding = 2, .dilation = 2, .groups = 2});
        }),
    row("Conv2d(3, 4, (3, 2), (2, 1), 1, bias=False)",
        [] {
          return nn::Conv2d(3, 4, {{3, 2}}, {.stride = {{2, 1}}, .padding = 1, .bias = false});
        }),
    row("Conv3d(2, 3, 2, 1, 1)", [] { return nn::Conv3d(2, 3, 2, {.stride = 1, .padding = 1}); }),
    row("ConvTranspose1d(3, 4, 3, 2, 1, 1, 1)",
        [] {
          return nn::ConvTranspose1d(
              3, 4, 3, {.stride = 2, .padding = 1, .dilation = 1, .output_padding = 1});
        }),
    row("ConvTranspose2d(3, 4, 3, 2, 1)",
        [] { return nn::ConvTranspose2d(3, 4, 3, {.stride = 2, .padding = 1}); }),
    row("ConvTranspose3d(2, 3, 2, 2)", [] { return nn::ConvTranspose3d(2, 3, 2, {.stride = 2}); }),
    row("Dropout(0.3)", [] { return nn::Dropout(0.3); }),
    row("Dropout2d(0.3)", [] { return nn::Dropout2d(0.3); }),
    row("Dropout3d(0.3)", [] { return nn::Dropout3d(0.3); }),
    row("ELU()", "[(4, 6)]", [] { return nn::ELU(); }),
    row("ELU(0.3)", [] { return nn::ELU(0.3); }),
    row("Embedding(10, 4)", "[[[0, 9], [3, 3]]]", [] { return nn::Embedding(10, 4); }),
    row("FullyShardedModule(nn.Linear(3, 4))",
        [] { return nn::FullyShardedModule(std::make_shared<nn::Linear>(3, 4)); }),
    row("GELU()", "[(4, 6)]", [] { return nn::GELU(); }),
    row("GELU('fast')", [] { return nn::GELU("fast"); }),
    row("GELU('precise')", [] { return nn::GELU("precise"); }),
    row("GLU()", "[(4, 6)]", [] { return nn::GLU(); }),
    row("GLU(0)", [] { return nn::GLU(0); }),
    row("GRU(3, 4)", [] { return nn::GRU(3, 4); }),
    row("GRU(3, 4, False)", [] { return nn::GRU(3, 4, false); }),
    row("GRU(5, 70)", [] { return nn::GRU(5, 70); }),
    row("GroupNorm(2, 4)", [] { return nn::GroupNorm(2, 4); }),
    row("GroupNorm(2, 4, affine=False)", "[(3, 5, 4)]",
        [] { return nn::GroupNorm(2, 4, 1e-5, false); }),
    row("GroupNorm(2, 4, affine=False, pytorch_compatible=True)", "[(3, 5, 4)]",
        [] { return nn::GroupNorm(2, 4, 1e-5, false, true); }),
    row("GroupNorm(2, 4, pytorch_compatible=True)",
        [] { return nn::GroupNorm(2, 4, 1e-5, true, true); }),
    row("HardShrink()", "[(4, 6)]", [] { return nn::HardShrink(); }),
    row("HardTanh()", "[(4, 6)]", [] { return nn::HardTanh(); }),
    row("Hardswish()", "[(4, 6)]", [] { return nn::Hardswish(); }),
    row("Identity()", "[(4, 6)]", [] { return nn::Identity(); }),
    row("InstanceNorm(4)", "[(3, 5, 4)]", [] { return nn::InstanceNorm(4); }),
    row("InstanceNorm(4, affine=True)", [] { return nn::InstanceNorm(4, 1e-5, true); }),
    row("LSTM(3, 4)", [] { return nn::LSTM(3, 4); }),
    row("LSTM(3, 4, False)", [] { return nn::LSTM(3, 4, false); }),
    row("LSTM(5, 70)", [] { return nn::LSTM(5, 70); }),
    row("LayerNorm(6)", [] { return nn::LayerNorm(6); }),
    row("LayerNorm(6, affine=False)", [] { return nn::LayerNorm(6, 1e-5, false); }),
    row("LayerNorm(6, bias=False)", [] { return nn::LayerNorm(6, 1e-5, true, false); }),
    row("LeakyReLU()", "[(4, 6)]", [] { return nn::LeakyReLU(); }),
    row("Linear(3, 4)", [] { return nn::Linear(3, 4); }),
    row("Linear(3, 4, False)", [] { return nn::Linear(3, 4, false); }),
    row("LogSigmoid()", "[(4, 6)]", [] { return nn::LogSigmoid(); }),
    row("LogSoftmax()", "[(4, 6)]", [] { return nn::LogSoftmax(); }),
    row("MaxPool1d(3, 1)", [] { return nn::MaxPool1d(3, 1); }),
    row("MaxPool2d((2, 3), (1, 2), (1, 0))",
        [] {
          return nn::MaxPool2d({{2, 3}}, {{{1, 2}}}, {{1, 0}});
        }),
    row("MaxPool2d(2)", [] { return nn::MaxPool2d(2); }),
    row("MaxPool2d(2, 2, 1)", [] { return nn::MaxPool2d(2, 2, 1); }),
    row("MaxPool2d(3, 2)", [] { return nn::MaxPool2d(3, 2); }),
    row("MaxPool2d(3, 2, 1)", [] { return nn::MaxPool2d(3, 2, 1); }),
    row("MaxPool2d(3, 5)", [] { return nn::MaxPool2d(3, 5); }),
    row("MaxPool3d(2)", "[(1, 4, 5, 4, 2)]", [] { return nn::MaxPool3d(2); }),
    row("Mish()", "[(4, 6)]", [] { return nn::Mish(); }),
    row("MultiHeadAttention(8, 2)", [] { return nn::MultiHeadAttention(8, 2); }),
    row("MultiHeadAttention(8, 2, bias=True)", [] { return nn::MultiHeadAttention(8, 2, true); }),
    row("PReLU(6)", [] { return nn::PReLU(6); }),
    row("PixelShuffle(2)", "[(2, 3, 4, 8)]", [] { return nn::PixelShuffle(2); }),
    row("QQLinear(64, 32)", "[(3, 64)]", [] { return nn::QQLinear(64, 32); }),
    row("QQLinear(64, 32).eval()", "[(3, 64)]", [] { return nn::QQLinear(64, 32); }),
    row("QuantizedAllToShardedLinear(64, 4)", "[(3, 64)]",
        [] { return nn::QuantizedAllToShardedLinear(64, 4); }),
    row("QuantizedEmbedding(10, 64)", "[[[0, 9], [3, 3]]]",
        [] { return nn::QuantizedEmbedding(10, 64); }),
    row("QuantizedLinear(64, 4)", "[(3, 64)]", [] { return nn::QuantizedLinear(64, 4); }),
    row("QuantizedLinear(64, 4, False, 32, 8)", "[(3, 64)]",
        [] { return nn::QuantizedLinear(64, 4, false, {.group_size = 32, .bits = 8}); }),
    row("QuantizedShardedToAllLinear(64, 4)", "[(3, 64)]",
        [] { return nn::QuantizedShardedToAllLinear(64, 4); }),
    row("RMSNorm(6)", [] { return nn::RMSNorm(6); }),
    row("RNN(3, 4)", [] { return nn::RNN(3, 4); }),
    row("RNN(3, 4, False)", [] { return nn::RNN(3, 4, false); }),
    row("RNN(3, 4, nonlinearity=nn.relu)",
        [] { return nn::RNN(3, 4, true, fast::RecurrentActivation::relu); }),
    row("RNN(3, 4, nonlinearity=nn.sigmoid)",
        [] { return nn::RNN(3, 4, true, [](const Array& x) { return sigmoid(x); }); }),
    row("RNN(5, 70)", [] { return nn::RNN(5, 70); }),
    row("ReLU()", "[(4, 6)]", [] { return nn::ReLU(); }),
    row("ReLU2()", "[(4, 6)]", [] { return nn::ReLU2(); }),
    row("ReLU6()", "[(4, 6)]", [] { return nn::ReLU6(); }),
    row("RoPE(4)", [] { return nn::RoPE(4); }),
    row("RoPE(6, traditional=True, base=100, scale=0.5)",
        [] { return nn::RoPE(6, true, 100, 0.5); }),
    row("SELU()", "[(4, 6)]", [] { return nn::SELU(); }),
    row("Sequential(nn.Linear(3, 4), mx.tanh, nn.ReLU())",
        [] {
          return nn::Sequential(
              nn::Linear(3, 4), [](const Array& x) { return tanh(x); }, nn::ReLU());
        }),
    row("ShardedToAllLinear(3, 4)", [] { return nn::ShardedToAllLinear(3, 4); }),
    row("ShardedToAllLinear(3, 4, False)", [] { return nn::ShardedToAllLinear(3, 4, false); }),
    row("SiLU()", "[(4, 6)]", [] { return nn::SiLU(); }),
    row("Sigmoid()", "[(4, 6)]", [] { return nn::Sigmoid(); }),
    row("SinusoidalPositionalEncoding(8)", [] { return nn::SinusoidalPositionalEncoding(8); }),
    row("SinusoidalPositionalEncoding(8, scale=2.0, cos_first=True, full_turns=True)",
        [] { return nn::SinusoidalPositionalEncoding(8, 0.0001, 1, 2.0, true, true); }),
    row("Softmax()", "[(4, 6)]", [] { return nn::Softmax(); }),
    row("Softmin()", "[(4, 6)]", [] { return nn::Softmin(); }),
    row("Softplus()", "[(4, 6)]", [] { return nn::Softplus(); }),
    row("Softshrink()", "[(4, 6)]", [] { return nn::Softshrink(); }),
    row("Softsign()", "[(4, 6)]", [] { return nn::Softsign(); }),
    row("Step()", "[(4, 6)]", [] { return nn::Step(); }),
    row("Tanh()", "[(4, 6)]", [] { return nn::Tanh(); }),
    row("Transformer(8, 2, 1, 1)", [] { return nn::Transformer(8, 2, 1, 1); }),
    row("TransformerDecoder(1, 8, 2)", [] { return nn::TransformerDecoder(1, 8, 2); }),
    row("TransformerDecoder(1, 8, 2, norm_first=False)",
        [] { return nn::TransformerDecoder(1, 8, 2, {.norm_first = false}); }),
    row("TransformerDecoderLayer(8, 2)", "[(2, 5, 8), (2, 4, 8), None, None]",
        [] { return nn::TransformerDecoderLayer(8, 2); }),
    row("TransformerEncoder(1, 8, 2, dropout=0.3, checkpoint=True)",
        [] { return nn::TransformerEncoder(1, 8, 2, {.dropout = 0.3, .checkpoint = true}); }),
    row("TransformerEncoder(2, 8, 2, norm_first=False)",
        [] { return nn::TransformerEncoder(2, 8, 2, {.norm_first = false}); }),
    row("TransformerEncoderLayer(8, 2)", "[(2, 5, 8), None]",
        [] { return nn::TransformerEncoderLayer(8, 2); }),
};

// Upsample(scale, mode, corners or antialias): a row for every combination.
Make upsample_row(const std::string& expression) {
  const std::string inside = expression.substr(9, expression.size() - 10);
  const size_t mode_at = inside.find(", '"), mode_end = inside.find("'", mode_at + 3);
  const std::string scale = inside.substr(0, mode_at), rest = inside.substr(mode_end + 1);
  nn::UpsampleOptions options{
      nn::interpolation_from(inside.substr(mode_at + 3, mode_end - mode_at - 3)), rest == ", True",
      rest == ", antialias=True"};
  if (scale[0] != '(') {
    return [=] { return made(nn::Upsample(std::stod(scale), options)); };
  }
  const size_t comma = scale.find(',');
  std::vector<double> scales{std::stod(scale.substr(1)), std::stod(scale.substr(comma + 1))};
  return [=] { return made(nn::Upsample(scales, options)); };
}

Make row_of(const std::string& expression) {
  auto found = rows.find(expression);
  if (found != rows.end()) return found->second;
  if (expression.rfind("Upsample(", 0) == 0) return upsample_row(expression);
  throw std::runtime_error("no row for " + expression);
}

// A sum in float32 that weighs the elements differently.
Array total(const Arrays& outputs) {
  Array sum_of_all(0.f);
  for (const Array& y : outputs) {
    Array weights = cos(astype(arange(static_cast<int>(y.size())), float32));
    sum_of_all = sum_of_all + sum(astype(flatten(y), float32) * weights);
  }
  return sum_of_all;
}

void run(const std::string& folder, const std::string& number, std::string expression) {
  const std::string suffix = ".eval()";
  const bool evaluating = expression.ends_with(suffix);
  if (evaluating && !rows.count(expression)) expression.resize(expression.size() - suffix.size());
  random::seed(7);
  const Made layer = row_of(expression)();
  std::map<std::string, Array> out;
  if (evaluating) layer.module->eval();
  for (const auto& [path, parameter] : layer.module->parameters()) {
    out.insert_or_assign("initial." + path, parameter);
  }

  auto [arrays, metadata] = load_safetensors(folder + "/" + number + ".safetensors");
  nn::Parameters weights;
  std::vector<Input> inputs(static_cast<size_t>(std::stoi(metadata.at("inputs"))));
  for (const auto& [name, array] : arrays) {
    if (name.rfind("weight.", 0) == 0) {
      weights.emplace_back(name.substr(7), array);
    } else {
      inputs[static_cast<size_t>(std::stoi(name.substr(3)))] = array;
    }
  }
  layer.module->load_weights(weights);

  random::seed(5);
  Arrays outputs = layer.call(inputs);
  eval(outputs);
  for (size_t i = 0; i < outputs.size(); i++) {
    out.insert_or_assign("out." + std::to_string(i), outputs[i]);
  }
  for (const auto& [path, parameter] : layer.module->parameters()) {
    out.insert_or_assign("after." + path, parameter);
  }
  layer.module->load_weights(weights);

  // Gradients of what is trainable and of floating inputs.
  Arrays arguments;
  std::vector<std::string> names;
  for (const auto& [path, parameter] : layer.module->trainable_parameters()) {
    if (!is_floating(parameter.dtype())) continue;
    arguments.push_back(parameter);
    names.push_back(path);
  }
  const size_t trainable = names.size();
  for (size_t i = 0; i < inputs.size(); i++) {
    if (!inputs[i] || !is_floating(inputs[i]->dtype())) continue;
    arguments.push_back(*inputs[i]);
    names.push_back("in." + std::to_string(i));
  }
  std::vector<int> argnums;
  for (size_t i = 0; i < arguments.size(); i++) argnums.push_back(static_cast<int>(i));
  if (!argnums.empty()) {
    random::seed(5);
    auto loss = [&](const Arrays& values) {
      nn::Parameters parameters;
      std::vector<Input> given = inputs;
      for (size_t i = 0; i < values.size(); i++) {
        if (i < trainable) {
          parameters.emplace_back(names[i], values[i]);
        } else {
          given[static_cast<size_t>(std::stoi(names[i].substr(3)))] = values[i];
        }
      }
      layer.module->update(parameters);
      return Arrays{total(layer.call(given))};
    };
    auto [value, gradients] = value_and_grad(loss, argnums)(arguments);
    eval(gradients);
    for (size_t i = 0; i < names.size(); i++) {
      out.insert_or_assign("grad." + names[i], gradients[i]);
    }
  }
  save_safetensors(folder + "/" + number + ".out.safetensors", out);

  // The graph that the layer makes, with what it leaves in its parameters.
  Arrays given;
  for (const Input& input : inputs) {
    if (input) given.push_back(*input);
  }
  for (bool shapeless : {false, true}) {
    const std::string path = folder + "/" + number + (shapeless ? ".any" : ".fixed") + ".cpp.mlxfn";
    layer.module->load_weights(weights);
    random::seed(5);
    auto function = [&](const Arrays& values) {
      std::vector<Input> in = inputs;
      size_t next = 0;
      for (Input& input : in) {
        if (input) input = values[next++];
      }
      Arrays y = layer.call(in);
      for (const auto& [name, parameter] : layer.module->parameters()) y.push_back(parameter);
      return y;
    };
    try {
      export_function(path, function, given, {.shapeless = shapeless});
    } catch (const std::invalid_argument& error) {
      std::ofstream(path) << error.what();
    }
  }
}

}  // namespace

int main(int, char** arguments) {
  const std::string folder = arguments[1];
  std::ifstream cases(folder + "/cases");
  std::string number, expression;
  int status = 0;
  while (cases >> number && std::getline(cases >> std::ws, expression)) {
    try {
      run(folder, number, expression);
    } catch (const std::exception& error) {
      std::cerr << expression << ": " << error.what() << "\n";
      status = 1;
    }
  }
  return status;
}
