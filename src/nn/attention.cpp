#include "heddle/nn/attention.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "heddle/nn/activations.h"
#include "nn/scalar.h"
#include "nn/wide.h"

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

// x with what `part` adds to it, normalized before or after.
template <class Part>
Array residual(const Array& x, LayerNorm& norm, bool norm_first, Part&& part) {
  return norm_first ? x + part(norm(x)) : norm(x + part(x));
}

double lowest_of(Dtype dtype) {
  if (dtype == float16) return -65504.0;
  if (dtype == bfloat16) return -3.3895313892515355e38;
  if (dtype == float64) return std::numeric_limits<double>::lowest();
  return static_cast<double>(std::numeric_limits<float>::lowest());
}

}  // namespace

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
  Array q = split_heads(query_proj(queries), heads_), k = split_heads(key_proj(keys), heads_);
  Array v = split_heads(value_proj(values), heads_);
  const auto scale = static_cast<float>(std::sqrt(1.0 / static_cast<double>(q.shape(-1))));
  Array y = fast::scaled_dot_product_attention(q, k, v, scale, mask ? "array" : "", mask);
  return out_proj(flatten(transpose(y, {0, 2, 1, 3}), -2, -1));
}
Array MultiHeadAttention::create_additive_causal_mask(int n, Dtype dtype) {
  Array positions = arange(n);
  Array hidden = expand_dims(positions, 1) < expand_dims(positions, 0);
  // The lowest finite number: -inf would make rows that are hidden altogether NaN.
  return astype(hidden, dtype) * Array(lowest_of(dtype), dtype);
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
  Array y = residual(x, ln1, options_.norm_first,
                     [&](const Array& z) { return dropout1(attention(z, z, z, mask)); });
  return residual(y, ln2, options_.norm_first, [&](const Array& z) {
    return linear2(dropout2(options_.activation(linear1(z))));
  });
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
  const bool first = options_.norm_first;
  Array y = residual(x, ln1, first,
                     [&](const Array& z) { return dropout1(self_attention(z, z, z, x_mask)); });
  y = residual(y, ln2, first, [&](const Array& z) {
    return dropout2(cross_attention(z, memory, memory, memory_mask));
  });
  return residual(y, ln3, first, [&](const Array& z) {
    return linear2(dropout3(options_.activation(linear1(z))));
  });
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

// For a power of two the slopes are the series that begins with and proceeds by 2^(-8 / heads).
// Other numbers take the slopes of the next lower power of two, then every other one of the next
// higher.
Array ALiBi::slopes(int heads, Dtype dtype) {
  int lower = 1;
  while (2 * lower <= heads) lower *= 2;
  std::vector<float> values;
  for (int i = 0; i < lower; i++) {
    values.push_back(static_cast<float>(std::exp2(-8.0 * (i + 1) / lower)));
  }
  for (int i = 0; i < heads - lower; i++) {
    values.push_back(static_cast<float>(std::exp2(-8.0 * (2 * i + 1) / (2 * lower))));
  }
  return Array(values.begin(), Shape{heads, 1, 1}, dtype);
}
Array ALiBi::matrix(int queries, int keys, int heads, int offset, Dtype dtype) {
  // Distances beyond 2048 are not numbers of a float16.
  const Dtype wide = is_half(dtype) ? float32 : dtype;
  Array distance = abs(expand_dims(arange(offset, queries), 1) - arange(keys));
  return rounded(astype(-distance, wide) * slopes(heads, wide), dtype);
}
Array ALiBi::operator()(const Array& scores, int offset, const Mask& mask) const {
  Array bias =
      matrix(static_cast<int>(scores.shape(-2)) + offset, static_cast<int>(scores.shape(-1)),
             static_cast<int>(scores.shape(-3)), offset, widened(scores).dtype());
  if (mask) bias = bias + widened(*mask);
  return rounded(widened(scores) + bias, mask ? together({scores, *mask}) : scores.dtype());
}

}  // namespace heddle::nn
