// Weights that are stored in few bits. A member of a model cannot become an object of another
// class, so layers that can be quantized are quantized where they are: `weight` becomes the packed
// matrix and `scales` and (in the affine mode) `biases` join it, named as in the files of Python's
// models.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "heddle/nn/module.h"

namespace heddle::nn {

// As for quantize in ops/quantized.h. With `input`, of linear layers without bias and in the modes
// nvfp4 and mxfp8, the input of every product is rounded too; then the weight stays as it is in
// training mode, where it has gradients, and is packed by eval(). train() makes it bfloat16.
struct Quantization {
  std::optional<int> group_size = {}, bits = {};
  std::string mode = "affine";
  bool input = false;
};

// A layer around one matrix (output, input), or a table (count, dims).
class QuantizableLayer : public Layer {
 public:
  // Formats that do not suit the weight and a second quantization throw std::invalid_argument. What
  // is stored in few bits is frozen.
  virtual void quantize(const Quantization& format = {});
  bool quantized() const { return format_.has_value(); }
  const std::optional<Quantization>& format() const { return format_; }
  int64_t columns() const;  // of the matrix, packed or not

  Array weight;
  std::optional<Array> scales, biases;

 protected:
  explicit QuantizableLayer(Array initial) : weight(std::move(initial)) {}
  void mode_changed() override;
  Array times_weight(const Array& x) const;  // x W^T
  Array rows_of_weight(const Array& indices) const;
  // Takes the format of a matrix that is packed already.
  void adopt(const Quantization& format) { format_ = format; }

 private:
  void pack();
  std::optional<Quantization> format_;
};

// Quantizes the layers of a model that can be and are not yet: those without modules inside. The
// second form asks for the format of each by its path; none leaves it as it is, and a format for
// what cannot be quantized throws std::invalid_argument.
using QuantizationChoice =
    std::function<std::optional<Quantization>(const std::string& path, Module& layer)>;
void quantize(Module& model, const Quantization& format = {});
void quantize(Module& model, const QuantizationChoice& choose);

}  // namespace heddle::nn
