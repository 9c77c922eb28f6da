#include "heddle/nn/attention.h"

#include <fmt/format.h>

#include <cmath>

#include "heddle/nn/activations.h"
#include "heddle/nn/functional.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/attention.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/shape.h"
#include "heddle/type_info.h"
#include "nn/shown.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {
namespace {

Array split_heads(const Array& x, int64_t heads) {
  return transpose(unflatten(x, -1, {heads, -1}), {0, 2, 1, 3});
}

TransformerOptions completed(TransformerOptions options, int64_t dims) {
  if (options.mlp_dims == 0) options.mlp_dims = 4 * dims;
  if (!options.activation) options.activation = relu;
  return options;
}

AttentionMask as_mask(const Mask& mask) { return mask ? AttentionMask(*mask) : AttentionMask(); }

// The two linear maps of a transformer's layer, with the activation and dropout between them.
Array transformed(const Array& x, Linear& first, Linear& second, Dropout& dropout,
                  const Part& activation) {
  return second(dropout(activation(first(x))));
}

}  // namespace

Array multi_head_attention(const Array& queries, const Array& keys, const Array& values,
                           int64_t heads, const AttentionMask& mask) {
  constexpr const char* name = "multi_head_attention";
  for (const Array* x : {&queries, &keys, &values}) {
    if (x->ndim() == 3 && heads > 0 && x->shape(-1) % heads == 0) continue;
    refuse(name,
           fmt::format("The queries, keys and values have the axes (batch, length, features), "
                       "which make {} heads, but one has the shape {}.",
                       heads, shown(x->shape())));
  }
  size_read(queries);  // for the scale
  const Array q = split_heads(queries, heads), k = split_heads(keys, heads);
  const Array v = split_heads(values, heads);
  const auto scale = static_cast<float>(std::sqrt(1.0 / static_cast<double>(q.shape(-1))));
  const auto* mode = std::get_if<std::string>(&mask);
  const auto* array = std::get_if<Array>(&mask);
  const Array y = fast::scaled_dot_product_attention(
      q, k, v, scale, mode ? *mode : "", array ? std::optional<Array>(*array) : std::nullopt);
  return flatten(transpose(y, {0, 2, 1, 3}), -2, -1);
}

Array additive_causal_mask(int n, Dtype dtype) {
  const Array positions = arange(n);
  const Array hidden = expand_dims(positions, 1) < expand_dims(positions, 0);
  return astype(hidden, dtype) * Array(finfo(dtype).min, dtype);
}

Array residual_branches(const Array& x, const std::vector<Branch>& branches, bool norm_first) {
  Array y = x;
  for (const Branch& branch : branches) {
    y = norm_first ? y + branch.part(branch.norm(y)) : branch.norm(y + branch.part(y));
  }
  return y;
}

MultiHeadAttention::MultiHeadAttention(int64_t dims, int64_t heads, bool bias)
    : MultiHeadAttention(dims, heads, AttentionOptions{.bias = bias}) {}
MultiHeadAttention::MultiHeadAttention(int64_t dims, int64_t heads, const AttentionOptions& options)
    : query_proj(options.query_input_dims.value_or(dims), dims, options.bias),
      key_proj(options.key_input_dims.value_or(dims), dims, options.bias),
      value_proj(options.value_input_dims.value_or(options.key_input_dims.value_or(dims)),
                 options.value_dims.value_or(dims), options.bias),
      out_proj(options.value_dims.value_or(dims), options.value_output_dims.value_or(dims),
               options.bias),
      heads_(heads) {
  if (heads < 1 || dims % heads != 0) {
    throw std::invalid_argument(
        fmt::format("The input feature dimensions should be divisible by the number of heads ({} "
                    "% {}) != 0",
                    dims, heads));
  }
}
Array MultiHeadAttention::operator()(const Array& queries, const Array& keys, const Array& values,
                                     const Mask& mask) {
  return out_proj(multi_head_attention(query_proj(queries), key_proj(keys), value_proj(values),
                                       heads_, as_mask(mask)));
}
Array MultiHeadAttention::create_additive_causal_mask(int n, Dtype dtype) {
  return additive_causal_mask(n, dtype);
}

TransformerEncoderLayer::TransformerEncoderLayer(int64_t dims, int64_t heads,
                                                 TransformerOptions options)
    : attention(dims, heads),
      ln1(dims),
      ln2(dims),
      linear1(dims, completed(options, dims).mlp_dims),
      linear2(completed(options, dims).mlp_dims, dims),
      dropout1(options.dropout),
      dropout2(options.dropout),
      options_(completed(options, dims)) {}
Array TransformerEncoderLayer::operator()(const Array& x, const Mask& mask) {
  const Branch attend{[&](const Array& z) { return ln1(z); },
                      [&](const Array& z) { return dropout1(attention(z, z, z, mask)); }};
  const Branch transform{[&](const Array& z) { return ln2(z); },
                         [&](const Array& z) {
                           return transformed(z, linear1, linear2, dropout2, options_.activation);
                         }};
  return residual_branches(x, {attend, transform}, options_.norm_first);
}

TransformerEncoder::TransformerEncoder(int layer_count, int64_t dims, int64_t heads,
                                       TransformerOptions options)
    : ln(dims), checkpoint_(options.checkpoint) {
  for (int i = 0; i < layer_count; i++) layers.emplace_back(dims, heads, options);
}
Array TransformerEncoder::operator()(const Array& x, const Mask& mask) {
  Array y = x;
  for (auto& layer : layers) {
    auto call = [&layer, mask](const Arrays& in) { return Arrays{layer(in[0], mask)}; };
    y = checkpoint_ ? checkpoint(layer, call)({y})[0] : layer(y, mask);
  }
  return ln(y);
}

TransformerDecoderLayer::TransformerDecoderLayer(int64_t dims, int64_t heads,
                                                 TransformerOptions options)
    : self_attention(dims, heads),
      cross_attention(dims, heads),
      ln1(dims),
      ln2(dims),
      ln3(dims),
      linear1(dims, completed(options, dims).mlp_dims),
      linear2(completed(options, dims).mlp_dims, dims),
      dropout1(options.dropout),
      dropout2(options.dropout),
      dropout3(options.dropout),
      options_(completed(options, dims)) {}
Array TransformerDecoderLayer::operator()(const Array& x, const Array& memory, const Mask& x_mask,
                                          const Mask& memory_mask) {
  const Branch attend{[&](const Array& z) { return ln1(z); },
                      [&](const Array& z) { return dropout1(self_attention(z, z, z, x_mask)); }};
  const Branch recall{
      [&](const Array& z) { return ln2(z); },
      [&](const Array& z) { return dropout2(cross_attention(z, memory, memory, memory_mask)); }};
  const Branch transform{[&](const Array& z) { return ln3(z); },
                         [&](const Array& z) {
                           return transformed(z, linear1, linear2, dropout3, options_.activation);
                         }};
  return residual_branches(x, {attend, recall, transform}, options_.norm_first);
}

TransformerDecoder::TransformerDecoder(int layer_count, int64_t dims, int64_t heads,
                                       TransformerOptions options)
    : ln(dims), checkpoint_(options.checkpoint) {
  for (int i = 0; i < layer_count; i++) layers.emplace_back(dims, heads, options);
}
Array TransformerDecoder::operator()(const Array& x, const Array& memory, const Mask& x_mask,
                                     const Mask& memory_mask) {
  Array y = x;
  for (auto& layer : layers) {
    auto call = [&layer, x_mask, memory_mask](const Arrays& in) {
      return Arrays{layer(in[0], in[1], x_mask, memory_mask)};
    };
    y = checkpoint_ ? checkpoint(layer, call)({y, memory})[0]
                    : layer(y, memory, x_mask, memory_mask);
  }
  return ln(y);
}

Transformer::Transformer(int64_t dims, int64_t heads, int encoder_layers, int decoder_layers,
                         TransformerOptions options)
    : encoder(encoder_layers, dims, heads, options),
      decoder(decoder_layers, dims, heads, options) {}
Array Transformer::operator()(const Array& source, const Array& target, const Mask& source_mask,
                              const Mask& target_mask, const Mask& memory_mask) {
  return decoder(target, encoder(source, source_mask), target_mask, memory_mask);
}

Array ALiBi::slopes(int heads, Dtype dtype) { return alibi_slopes(heads, dtype); }
Array ALiBi::matrix(int queries, int keys, int heads, int offset, Dtype dtype) {
  return alibi_matrix(queries, keys, heads, offset, dtype);
}
Array ALiBi::operator()(const Array& scores, int offset, const Mask& mask) const {
  return alibi(scores, offset, mask);
}

}  // namespace heddle::nn
