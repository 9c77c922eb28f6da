#include "heddle/nn/recurrent.h"

#include <cmath>

#include "heddle/nn/init.h"
#include "nn/features.h"

namespace heddle::nn {
namespace {

// The weights of `gates` gates, and biases.
class Drawn {
 public:
  explicit Drawn(int64_t hidden) : bound_(1.0 / std::sqrt(static_cast<double>(hidden))) {}
  Array weight(int64_t rows, int64_t columns) const {
    return init::uniform({rows, columns}, -bound_, bound_);
  }
  std::optional<Array> bias(bool wanted, int64_t size) const {
    if (!wanted) return std::nullopt;
    return init::uniform({size}, -bound_, bound_);
  }

 private:
  double bound_;
};

}  // namespace

RNN::RNN(int64_t input_size, int64_t hidden_size, bool with_bias, Nonlinearity nonlinearity)
    : nonlinearity_(std::move(nonlinearity)) {
  Drawn drawn(hidden_size);
  wx = drawn.weight(hidden_size, input_size);
  wh = drawn.weight(hidden_size, hidden_size);
  bias = drawn.bias(with_bias, hidden_size);
}
Array RNN::operator()(const Array& x, const std::optional<Array>& hidden) {
  check_features("RNN", x, wx.shape(-1));
  return rnn(x, wx, wh, bias, hidden, nonlinearity_);
}

GRU::GRU(int64_t input_size, int64_t hidden_size, bool with_bias) {
  Drawn drawn(hidden_size);
  wx = drawn.weight(3 * hidden_size, input_size);
  wh = drawn.weight(3 * hidden_size, hidden_size);
  bias = drawn.bias(with_bias, 3 * hidden_size);
  bias_hn = drawn.bias(with_bias, hidden_size);
}
Array GRU::operator()(const Array& x, const std::optional<Array>& hidden) {
  check_features("GRU", x, wx.shape(-1));
  return fast::gru(x, wx, wh, bias, bias_hn, hidden);
}

LSTM::LSTM(int64_t input_size, int64_t hidden_size, bool with_bias) {
  Drawn drawn(hidden_size);
  wx = drawn.weight(4 * hidden_size, input_size);
  wh = drawn.weight(4 * hidden_size, hidden_size);
  bias = drawn.bias(with_bias, 4 * hidden_size);
}
std::pair<Array, Array> LSTM::operator()(const Array& x, const std::optional<Array>& hidden,
                                         const std::optional<Array>& cell) {
  check_features("LSTM", x, wx.shape(-1));
  return fast::lstm(x, wx, wh, bias, hidden, cell);
}

}  // namespace heddle::nn
