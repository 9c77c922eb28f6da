// Attention between linear projections, and the encoder and decoder stacks made of it. Arrays are
// (batch, length, dims); masks are added to the scores and broadcast to (batch, heads, queries,
// keys).
#pragma once

#include "heddle/nn/layers.h"
#include "heddle/nn/normalization.h"

namespace heddle::nn {

using Mask = std::optional<Array>;

// Features of the inputs, of the projected values and of the output, where they are not `dims`.
struct AttentionOptions {
  std::optional<int64_t> query_input_dims = {}, key_input_dims = {};
  std::optional<int64_t> value_input_dims = {};  // otherwise those of the keys
  std::optional<int64_t> value_dims = {}, value_output_dims = {};
  bool bias = false;
};

// `dims` is a multiple of `heads`; the projections have no bias unless asked for.
class MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(int64_t dims, int64_t heads, const AttentionOptions& options);
  MultiHeadAttention(int64_t dims, int64_t heads, bool bias = false);
  Array operator()(const Array& queries, const Array& keys, const Array& values,
                   const Mask& mask = {});
  void members(Members& m) override {
    m("query_proj", query_proj)("key_proj", key_proj)("value_proj", value_proj)("out_proj",
                                                                                out_proj);
  }
  // (n, n): the lowest number of the dtype where a key comes after the query.
  static Array create_additive_causal_mask(int n, Dtype dtype = float32);
  Linear query_proj, key_proj, value_proj, out_proj;

 private:
  int64_t heads_;
};

struct TransformerOptions {
  int64_t mlp_dims = 0;  // 4 * dims if 0
  double dropout = 0.0;
  std::function<Array(const Array&)> activation = nullptr;  // relu if empty
  bool norm_first = true;
  bool checkpoint = false;  // stacks compute their layers again for derivatives
};

class TransformerEncoderLayer : public Module {
 public:
  TransformerEncoderLayer(int64_t dims, int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x, const Mask& mask = {});
  void members(Members& m) override {
    m("attention", attention)("ln1", ln1)("ln2", ln2)("linear1", linear1)("linear2", linear2)(
        "dropout1", dropout1)("dropout2", dropout2);
  }
  MultiHeadAttention attention;
  LayerNorm ln1, ln2;
  Linear linear1, linear2;
  Dropout dropout1, dropout2;

 private:
  TransformerOptions options_;
};

class TransformerEncoder : public Module {
 public:
  TransformerEncoder(int layer_count, int64_t dims, int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x, const Mask& mask = {});
  void members(Members& m) override { m("layers", layers)("ln", ln); }
  std::vector<TransformerEncoderLayer> layers;
  LayerNorm ln;

 private:
  bool checkpoint_;
};

class TransformerDecoderLayer : public Module {
 public:
  TransformerDecoderLayer(int64_t dims, int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x, const Array& memory, const Mask& x_mask = {},
                   const Mask& memory_mask = {});
  void members(Members& m) override {
    m("self_attention", self_attention)("cross_attention", cross_attention)("ln1", ln1)("ln2", ln2)(
        "ln3", ln3)("linear1", linear1)("linear2", linear2)("dropout1", dropout1)(
        "dropout2", dropout2)("dropout3", dropout3);
  }
  MultiHeadAttention self_attention, cross_attention;
  LayerNorm ln1, ln2, ln3;
  Linear linear1, linear2;
  Dropout dropout1, dropout2, dropout3;

 private:
  TransformerOptions options_;
};

class TransformerDecoder : public Module {
 public:
  TransformerDecoder(int layer_count, int64_t dims, int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x, const Array& memory, const Mask& x_mask = {},
                   const Mask& memory_mask = {});
  void members(Members& m) override { m("layers", layers)("ln", ln); }
  std::vector<TransformerDecoderLayer> layers;
  LayerNorm ln;

 private:
  bool checkpoint_;
};

class Transformer : public Module {
 public:
  Transformer(int64_t dims = 512, int64_t heads = 8, int encoder_layers = 6, int decoder_layers = 6,
              TransformerOptions options = {});
  Array operator()(const Array& source, const Array& target, const Mask& source_mask = {},
                   const Mask& target_mask = {}, const Mask& memory_mask = {});
  void members(Members& m) override { m("encoder", encoder)("decoder", decoder); }
  TransformerEncoder encoder;
  TransformerDecoder decoder;
};

// Biases of scores that fall off with the distance, in each head by its slope: see alibi_slopes,
// alibi_matrix and alibi.
class ALiBi {
 public:
  static Array slopes(int heads, Dtype dtype = float32);
  static Array matrix(int queries, int keys, int heads, int offset = 0, Dtype dtype = float32);
  Array operator()(const Array& scores, int offset = 0, const Mask& mask = {}) const;
};

}  // namespace heddle::nn
