#include "heddle/nn/quantized.h"

#include <fmt/format.h>

#include "heddle/nn/layers.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/products.h"
#include "heddle/ops/quantized.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle::nn {
namespace {

// What each mode takes where nothing else is asked for.
int default_bits(const std::string& mode) { return mode == "mxfp8" ? 8 : 4; }

void check(const Quantization& format) {
  if (format.input && format.mode != "nvfp4" && format.mode != "mxfp8") {
    throw std::invalid_argument(fmt::format(
        "Quantized activations are only supported for 'nvfp4' and 'mxfp8' modes, got {}.",
        format.mode));
  }
}

}  // namespace

void QuantizableLayer::quantize(const Quantization& format) {
  if (quantized()) refuse("quantize", "The layer is quantized already.");
  check(format);
  format_ = format;
  try {
    if (!format.input || !training()) pack();
  } catch (...) {
    format_ = {};
    throw;
  }
}

void QuantizableLayer::pack() {
  Arrays parts = heddle::quantize(weight, format_->group_size, format_->bits, format_->mode);
  weight = parts[0];
  scales = parts[1];
  if (parts.size() > 2) biases = parts[2];
  if (!format_->input) freeze({"weight", "scales", "biases"}, false);
}

void QuantizableLayer::mode_changed() {
  if (!format_ || !format_->input || training() == !scales) return;
  if (!training()) return pack();
  weight = dequantize(weight, *scales, biases, format_->group_size, format_->bits, format_->mode);
  scales.reset();
}

int64_t QuantizableLayer::columns() const {
  if (!scales) return weight.shape(-1);
  return weight.shape(-1) * 32 / format_->bits.value_or(default_bits(format_->mode));
}

Array QuantizableLayer::times_weight(const Array& x) const {
  if (!format_) return matmul(x, transpose(weight));
  const Quantization& f = *format_;
  if (f.input) return qqmm(x, weight, scales, f.group_size, f.bits, f.mode);
  return quantized_matmul(x, weight, *scales, biases, true, f.group_size, f.bits, f.mode);
}

Array QuantizableLayer::rows_of_weight(const Array& indices) const {
  Array rows = take(weight, indices, 0);
  if (!format_) return rows;
  std::optional<Array> row_biases;
  if (biases) row_biases = take(*biases, indices, 0);
  return dequantize(rows, take(*scales, indices, 0), row_biases, format_->group_size, format_->bits,
                    format_->mode);
}

void quantize(Module& model, const Quantization& format) {
  quantize(model, [&](const std::string&, Module& module) -> std::optional<Quantization> {
    auto* layer = dynamic_cast<QuantizableLayer*>(&module);
    if (!layer || layer->quantized()) return {};
    return format;
  });
}

void quantize(Module& model, const QuantizationChoice& choose) {
  for (const auto& [path, module] : model.named_modules()) {
    if (module->named_modules().size() > 1) continue;
    std::optional<Quantization> format = choose(path, *module);
    if (!format) continue;
    auto* layer = dynamic_cast<QuantizableLayer*>(module);
    if (!layer) {
      throw std::invalid_argument(
          fmt::format("Unable to quantize \"{}\": the layer has no quantized form.", path));
    }
    layer->quantize(*format);
  }
}

// --- the layers
// -----------------------------------------------------------------------------------

void Linear::quantize(const Quantization& format) {
  if (format.input && bias) {
    throw std::invalid_argument("A layer with a bias cannot quantize its input.");
  }
  QuantizableLayer::quantize(format);
}

void Embedding::quantize(const Quantization& format) {
  if (format.input) throw std::invalid_argument("Quantized input is not supported.");
  QuantizableLayer::quantize(format);
}

QuantizedLinear::QuantizedLinear(int64_t input_dims, int64_t output_dims, bool with_bias,
                                 const Quantization& format)
    : Linear(input_dims, output_dims, false) {
  quantize(format);
  if (with_bias) bias = zeros({output_dims});
  freeze();
}
QuantizedLinear QuantizedLinear::from_linear(const Linear& layer, const Quantization& format) {
  return QuantizedLinear(layer, format);
}
QuantizedLinear::QuantizedLinear(const Linear& layer, const Quantization& format) : Linear(layer) {
  quantize(format);
}

QuantizedEmbedding::QuantizedEmbedding(int64_t count, int64_t dims, const Quantization& format)
    : Embedding(count, dims) {
  quantize(format);
}
QuantizedEmbedding QuantizedEmbedding::from_embedding(const Embedding& layer,
                                                      const Quantization& format) {
  return QuantizedEmbedding(layer, format);
}
QuantizedEmbedding::QuantizedEmbedding(const Embedding& layer, const Quantization& format)
    : Embedding(layer) {
  quantize(format);
}

QQLinear::QQLinear(int64_t input_dims, int64_t output_dims, const Quantization& format)
    : Linear(input_dims, output_dims, false) {
  quantize({format.group_size, format.bits, format.mode, true});
}
QQLinear QQLinear::from_linear(const Linear& layer, const Quantization& format) {
  return QQLinear(layer, format);
}
QQLinear::QQLinear(const Linear& layer, const Quantization& format) : Linear(layer) {
  quantize({format.group_size, format.bits, format.mode, true});
}

}  // namespace heddle::nn
