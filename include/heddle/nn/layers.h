// Linear maps, embeddings, dropout, pooling, positions, and the sequence of layers. Features and
// channels are the last axis.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "heddle/nn/functional.h"
#include "heddle/nn/quantized.h"

namespace heddle::nn {

// y = x W^T + b; weight (output, input). Both start uniform within 1 / sqrt(input).
class Linear : public QuantizableLayer {
 public:
  Linear(int64_t input_dims, int64_t output_dims, bool bias = true);
  Array operator()(const Array& x) override;
  void quantize(const Quantization& format = {}) override;
  void members(Members& m) override {
    m("weight", weight)("scales", scales)("biases", biases)("bias", bias);
  }
  std::optional<Array> bias;
};

// A Linear that is quantized from the start; a new one's bias is zero, and all of it frozen.
class QuantizedLinear : public Linear {
 public:
  QuantizedLinear(int64_t input_dims, int64_t output_dims, bool bias = true,
                  const Quantization& format = {});
  static QuantizedLinear from_linear(const Linear& layer, const Quantization& format = {});

 private:
  QuantizedLinear(const Linear& layer, const Quantization& format);
};

// A Linear without bias that rounds its input as well as its weight: see Quantization::input.
class QQLinear : public Linear {
 public:
  QQLinear(int64_t input_dims, int64_t output_dims, const Quantization& format = {.mode = "nvfp4"});
  static QQLinear from_linear(const Linear& layer, const Quantization& format = {.mode = "nvfp4"});

 private:
  QQLinear(const Linear& layer, const Quantization& format);
};

// y_i = x2^T W_i x1 + b_i; weight (output, input2, input1).
class Bilinear : public Module {
 public:
  Bilinear(int64_t input1_dims, int64_t input2_dims, int64_t output_dims, bool bias = true);
  Array operator()(const Array& x1, const Array& x2);
  void members(Members& m) override { m("weight", weight)("bias", bias); }
  Array weight;
  std::optional<Array> bias;
};

class Identity : public Layer {
 public:
  Array operator()(const Array& x) override { return x; }
};

// Rows of a table for integers; weight (count, dims).
class Embedding : public QuantizableLayer {
 public:
  Embedding(int64_t count, int64_t dims);
  Array operator()(const Array& x) override;
  void quantize(const Quantization& format = {}) override;
  Array as_linear(const Array& x) const;  // for output weights tied to it
  void members(Members& m) override { m("weight", weight)("scales", scales)("biases", biases); }
};

// An Embedding that is quantized from the start.
class QuantizedEmbedding : public Embedding {
 public:
  QuantizedEmbedding(int64_t count, int64_t dims, const Quantization& format = {});
  static QuantizedEmbedding from_embedding(const Embedding& layer, const Quantization& format = {});

 private:
  QuantizedEmbedding(const Embedding& layer, const Quantization& format);
};

// In training, zero with probability p and scaled by 1 / (1 - p) otherwise: elements, or whole
// channels of images and volumes. p outside of [0, 1) throws std::invalid_argument.
class Dropout : public Layer {
 public:
  explicit Dropout(double p = 0.5, int spatial_dims = 0);
  Array operator()(const Array& x) override;

 private:
  double p_;
  int spatial_dims_;
};
class Dropout2d : public Dropout {
 public:
  explicit Dropout2d(double p = 0.5) : Dropout(p, 2) {}
};
class Dropout3d : public Dropout {
 public:
  explicit Dropout3d(double p = 0.5) : Dropout(p, 3) {}
};

// A value for every spatial dimension, or one for all.
template <int dims>
struct Sizes : std::array<int64_t, dims> {
  Sizes(int64_t all) { this->fill(all); }  // NOLINT: a number stands for all dimensions
  Sizes(const std::array<int64_t, dims>& each) : std::array<int64_t, dims>(each) {}  // NOLINT
};

enum class Pooling { max, average };

// Windows of (N, spatial..., C); by default they lie side by side: see max_pool and average_pool.
// Throws std::invalid_argument unless kernel and stride are positive and the padding is not
// negative.
template <int dims, Pooling pooling>
class Pool : public Layer {
 public:
  explicit Pool(Sizes<dims> kernel, std::optional<Sizes<dims>> stride = {},
                Sizes<dims> padding = 0);
  Array operator()(const Array& x) override;

 private:
  Windows windows_;
};
using MaxPool1d = Pool<1, Pooling::max>;
using MaxPool2d = Pool<2, Pooling::max>;
using MaxPool3d = Pool<3, Pooling::max>;
using AvgPool1d = Pool<1, Pooling::average>;
using AvgPool2d = Pool<2, Pooling::average>;
using AvgPool3d = Pool<3, Pooling::average>;

// Rotary positions for (B, ..., L, D): see fast::rope.
class RoPE : public Layer {
 public:
  explicit RoPE(int dims, bool traditional = false, double base = 10000, double scale = 1.0)
      : dims_(dims), traditional_(traditional), base_(base), scale_(scale) {}
  Array operator()(const Array& x) override { return (*this)(x, 0); }
  Array operator()(const Array& x, int offset);

 private:
  int dims_;
  bool traditional_;
  double base_, scale_;
};

// Sines and cosines of positions at frequencies in a geometric series from max to min. `dims` is
// positive and even (std::invalid_argument).
class SinusoidalPositionalEncoding : public Layer {
 public:
  explicit SinusoidalPositionalEncoding(int dims, double min_freq = 0.0001, double max_freq = 1,
                                        std::optional<double> scale = {}, bool cos_first = false,
                                        bool full_turns = false);
  Array operator()(const Array& x) override;

 private:
  Array frequencies_;
  double scale_;
  bool cos_first_;
};

// A function of one array as a layer.
class Function : public Layer {
 public:
  explicit Function(std::function<Array(const Array&)> function) : function_(std::move(function)) {}
  Array operator()(const Array& x) override { return function_(x); }

 private:
  std::function<Array(const Array&)> function_;
};

// Layers and functions one after the other: Sequential net(Linear(2, 8), relu, Linear(8, 1)).
class Sequential : public Layer {
 public:
  template <class... Parts>
  explicit Sequential(Parts... parts) {
    (append(std::move(parts)), ...);
  }
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("layers", layers); }
  std::vector<std::shared_ptr<Layer>> layers;

 private:
  template <class Part>
  void append(Part part) {
    if constexpr (std::is_base_of_v<Layer, Part>) {
      layers.push_back(std::make_shared<Part>(std::move(part)));
    } else {
      layers.push_back(
          std::make_shared<Function>([part](const Array& x) -> Array { return part(x); }));
    }
  }
};

}  // namespace heddle::nn
