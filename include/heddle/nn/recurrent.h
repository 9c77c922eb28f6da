// Recurrent layers over (..., time, features); see ops/recurrent.h for the cells, and `rnn` in
// functional.h. All parameters start uniform within 1 / sqrt(hidden).
#pragma once

#include "heddle/nn/functional.h"
#include "heddle/nn/module.h"
#include "heddle/ops/recurrent.h"

namespace heddle::nn {

class RNN : public Layer {
 public:
  RNN(int64_t input_size, int64_t hidden_size, bool with_bias = true,
      Nonlinearity nonlinearity = fast::RecurrentActivation::tanh);
  Array operator()(const Array& x) override { return (*this)(x, {}); }
  Array operator()(const Array& x, const std::optional<Array>& hidden);
  void members(Members& m) override { m("Wxh", wx)("Whh", wh)("bias", bias); }
  Array wx, wh;
  std::optional<Array> bias;

 private:
  Nonlinearity nonlinearity_;
};

class GRU : public Layer {
 public:
  GRU(int64_t input_size, int64_t hidden_size, bool with_bias = true);
  Array operator()(const Array& x) override { return (*this)(x, {}); }
  Array operator()(const Array& x, const std::optional<Array>& hidden);
  void members(Members& m) override { m("Wx", wx)("Wh", wh)("b", bias)("bhn", bias_hn); }
  Array wx, wh;
  std::optional<Array> bias, bias_hn;
};

class LSTM : public Module {
 public:
  LSTM(int64_t input_size, int64_t hidden_size, bool with_bias = true);
  // The hidden states and the cells of all steps.
  std::pair<Array, Array> operator()(const Array& x, const std::optional<Array>& hidden = {},
                                     const std::optional<Array>& cell = {});
  void members(Members& m) override { m("Wx", wx)("Wh", wh)("bias", bias); }
  Array wx, wh;
  std::optional<Array> bias;
};

}  // namespace heddle::nn
