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
#define ROW(expression, ...)                     \
  {                                              \
    expression, [] { return made(__VA_ARGS__); } \
  }

const std::map<std::string, Make> rows = {
    ROW("ALiBi()", Scores()),
    ROW("AllToShardedLinear(3, 4)", nn::AllToShardedLinear(3, 4)),
    ROW("AllToShardedLinear(3, 4, False)", nn::AllToShardedLinear(3, 4, false)),
    ROW("AvgPool1d(3, 1)", nn::AvgPool1d(3, 1)),
    ROW("AvgPool2d((2, 3), (1, 2), (1, 0))", nn::AvgPool2d({{2, 3}}, {{{1, 2}}}, {{1, 0}})),
    ROW("AvgPool2d(2)", nn::AvgPool2d(2)),
    ROW("AvgPool2d(2, 2, 1)", nn::AvgPool2d(2, 2, 1)),
    ROW("AvgPool2d(3, 1, 1)", nn::AvgPool2d(3, 1, 1)),
    ROW("AvgPool2d(3, 2)", nn::AvgPool2d(3, 2)),
    ROW("AvgPool2d(3, 2, 1)", nn::AvgPool2d(3, 2, 1)),
    ROW("AvgPool2d(3, 5)", nn::AvgPool2d(3, 5)),
    ROW("AvgPool3d(2, 1, 1)", nn::AvgPool3d(2, 1, 1)),
    ROW("BatchNorm(4)", nn::BatchNorm(4)),
    ROW("BatchNorm(4, track_running_stats=False)", nn::BatchNorm(4, 1e-5, 0.1, true, false)),
    ROW("Bilinear(3, 4, 5)", nn::Bilinear(3, 4, 5)),
    ROW("Bilinear(3, 4, 5, False)", nn::Bilinear(3, 4, 5, false)),
    ROW("CELU()", nn::CELU()),
    ROW("CELU(0.3)", nn::CELU(0.3)),
    ROW("Conv1d(3, 4, 3, 2, 1)", nn::Conv1d(3, 4, 3, {.stride = 2, .padding = 1})),
    ROW("Conv1d(4, 6, 3, 1, 2, 2, 2)",
        nn::Conv1d(4, 6, 3, {.stride = 1, .padding = 2, .dilation = 2, .groups = 2})),
    ROW("Conv2d(3, 4, (3, 2), (2, 1), 1, bias=False)",
        nn::Conv2d(3, 4, {{3, 2}}, {.stride = {{2, 1}}, .padding = 1, .bias = false})),
    ROW("Conv3d(2, 3, 2, 1, 1)", nn::Conv3d(2, 3, 2, {.stride = 1, .padding = 1})),
    ROW("ConvTranspose1d(3, 4, 3, 2, 1, 1, 1)",
        nn::ConvTranspose1d(3, 4, 3,
                            {.stride = 2, .padding = 1, .dilation = 1, .output_padding = 1})),
    ROW("ConvTranspose2d(3, 4, 3, 2, 1)",
        nn::ConvTranspose2d(3, 4, 3, {.stride = 2, .padding = 1})),
    ROW("ConvTranspose3d(2, 3, 2, 2)", nn::ConvTranspose3d(2, 3, 2, {.stride = 2})),
    ROW("Dropout(0.3)", nn::Dropout(0.3)),
    ROW("Dropout2d(0.3)", nn::Dropout2d(0.3)),
    ROW("Dropout3d(0.3)", nn::Dropout3d(0.3)),
    ROW("ELU()", nn::ELU()),
    ROW("ELU(0.3)", nn::ELU(0.3)),
    ROW("Embedding(10, 4)", nn::Embedding(10, 4)),
    ROW("FullyShardedModule(nn.Linear(3, 4))",
        nn::FullyShardedModule(std::make_shared<nn::Linear>(3, 4))),
    ROW("GELU()", nn::GELU()),
    ROW("GELU('fast')", nn::GELU("fast")),
    ROW("GELU('precise')", nn::GELU("precise")),
    ROW("GLU()", nn::GLU()),
    ROW("GLU(0)", nn::GLU(0)),
    ROW("GRU(3, 4)", nn::GRU(3, 4)),
    ROW("GRU(3, 4, False)", nn::GRU(3, 4, false)),
    ROW("GRU(5, 70)", nn::GRU(5, 70)),
    ROW("GroupNorm(2, 4)", nn::GroupNorm(2, 4)),
    ROW("GroupNorm(2, 4, affine=False)", nn::GroupNorm(2, 4, 1e-5, false)),
    ROW("GroupNorm(2, 4, affine=False, pytorch_compatible=True)",
        nn::GroupNorm(2, 4, 1e-5, false, true)),
    ROW("GroupNorm(2, 4, pytorch_compatible=True)", nn::GroupNorm(2, 4, 1e-5, true, true)),
    ROW("HardShrink()", nn::HardShrink()),
    ROW("HardTanh()", nn::HardTanh()),
    ROW("Hardswish()", nn::Hardswish()),
    ROW("Identity()", nn::Identity()),
    ROW("InstanceNorm(4)", nn::InstanceNorm(4)),
    ROW("InstanceNorm(4, affine=True)", nn::InstanceNorm(4, 1e-5, true)),
    ROW("LSTM(3, 4)", nn::LSTM(3, 4)),
    ROW("LSTM(3, 4, False)", nn::LSTM(3, 4, false)),
    ROW("LSTM(5, 70)", nn::LSTM(5, 70)),
    ROW("LayerNorm(6)", nn::LayerNorm(6)),
    ROW("LayerNorm(6, affine=False)", nn::LayerNorm(6, 1e-5, false)),
    ROW("LayerNorm(6, bias=False)", nn::LayerNorm(6, 1e-5, true, false)),
    ROW("LeakyReLU()", nn::LeakyReLU()),
    ROW("Linear(3, 4)", nn::Linear(3, 4)),
    ROW("Linear(3, 4, False)", nn::Linear(3, 4, false)),
    ROW("LogSigmoid()", nn::LogSigmoid()),
    ROW("LogSoftmax()", nn::LogSoftmax()),
    ROW("MaxPool1d(3, 1)", nn::MaxPool1d(3, 1)),
    ROW("MaxPool2d((2, 3), (1, 2), (1, 0))", nn::MaxPool2d({{2, 3}}, {{{1, 2}}}, {{1, 0}})),
    ROW("MaxPool2d(2)", nn::MaxPool2d(2)),
    ROW("MaxPool2d(2, 2, 1)", nn::MaxPool2d(2, 2, 1)),
    ROW("MaxPool2d(3, 2)", nn::MaxPool2d(3, 2)),
    ROW("MaxPool2d(3, 2, 1)", nn::MaxPool2d(3, 2, 1)),
    ROW("MaxPool2d(3, 5)", nn::MaxPool2d(3, 5)),
    ROW("MaxPool3d(2)", nn::MaxPool3d(2)),
    ROW("Mish()", nn::Mish()),
    ROW("MultiHeadAttention(8, 2)", nn::MultiHeadAttention(8, 2)),
    ROW("MultiHeadAttention(8, 2, bias=True)", nn::MultiHeadAttention(8, 2, true)),
    ROW("PReLU(6)", nn::PReLU(6)),
    ROW("QQLinear(64, 32)", nn::QQLinear(64, 32)),
    ROW("QuantizedAllToShardedLinear(64, 4)", nn::QuantizedAllToShardedLinear(64, 4)),
    ROW("QuantizedEmbedding(10, 64)", nn::QuantizedEmbedding(10, 64)),
    ROW("QuantizedLinear(64, 4)", nn::QuantizedLinear(64, 4)),
    ROW("QuantizedLinear(64, 4, False, 32, 8)",
        nn::QuantizedLinear(64, 4, false, {.group_size = 32, .bits = 8})),
    ROW("QuantizedShardedToAllLinear(64, 4)", nn::QuantizedShardedToAllLinear(64, 4)),
    ROW("RMSNorm(6)", nn::RMSNorm(6)),
    ROW("RNN(3, 4)", nn::RNN(3, 4)),
    ROW("RNN(3, 4, False)", nn::RNN(3, 4, false)),
    ROW("RNN(3, 4, nonlinearity=nn.relu)", nn::RNN(3, 4, true, fast::RecurrentActivation::relu)),
    ROW("RNN(3, 4, nonlinearity=nn.sigmoid)",
        nn::RNN(3, 4, true, [](const Array& x) { return sigmoid(x); })),
    ROW("RNN(5, 70)", nn::RNN(5, 70)),
    ROW("ReLU()", nn::ReLU()),
    ROW("ReLU2()", nn::ReLU2()),
    ROW("ReLU6()", nn::ReLU6()),
    ROW("RoPE(4)", nn::RoPE(4)),
    ROW("RoPE(6, traditional=True, base=100, scale=0.5)", nn::RoPE(6, true, 100, 0.5)),
    ROW("SELU()", nn::SELU()),
    ROW("Sequential(nn.Linear(3, 4), mx.tanh, nn.ReLU())",
        nn::Sequential(
            nn::Linear(3, 4), [](const Array& x) { return tanh(x); }, nn::ReLU())),
    ROW("ShardedToAllLinear(3, 4)", nn::ShardedToAllLinear(3, 4)),
    ROW("ShardedToAllLinear(3, 4, False)", nn::ShardedToAllLinear(3, 4, false)),
    ROW("SiLU()", nn::SiLU()),
    ROW("Sigmoid()", nn::Sigmoid()),
    ROW("SinusoidalPositionalEncoding(8)", nn::SinusoidalPositionalEncoding(8)),
    ROW("SinusoidalPositionalEncoding(8, scale=2.0, cos_first=True, full_turns=True)",
        nn::SinusoidalPositionalEncoding(8, 0.0001, 1, 2.0, true, true)),
    ROW("Softmax()", nn::Softmax()),
    ROW("Softmin()", nn::Softmin()),
    ROW("Softplus()", nn::Softplus()),
    ROW("Softshrink()", nn::Softshrink()),
    ROW("Softsign()", nn::Softsign()),
    ROW("Step()", nn::Step()),
    ROW("Tanh()", nn::Tanh()),
    ROW("Transformer(8, 2, 1, 1)", nn::Transformer(8, 2, 1, 1)),
    ROW("TransformerDecoder(1, 8, 2)", nn::TransformerDecoder(1, 8, 2)),
    ROW("TransformerDecoder(1, 8, 2, norm_first=False)",
        nn::TransformerDecoder(1, 8, 2, {.norm_first = false})),
    ROW("TransformerDecoderLayer(8, 2)", nn::TransformerDecoderLayer(8, 2)),
    ROW("TransformerEncoder(1, 8, 2, dropout=0.3, checkpoint=True)",
        nn::TransformerEncoder(1, 8, 2, {.dropout = 0.3, .checkpoint = true})),
    ROW("TransformerEncoder(2, 8, 2, norm_first=False)",
        nn::TransformerEncoder(2, 8, 2, {.norm_first = false})),
    ROW("TransformerEncoderLayer(8, 2)", nn::TransformerEncoderLayer(8, 2)),
};
#undef ROW

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
  if (evaluating) expression.resize(expression.size() - suffix.size());
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
