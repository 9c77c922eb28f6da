// The three operations of convolution: forward, and its two adjoints. Each is linear in both
// inputs, and the derivatives of each are the other two, so that any order of derivative stays
// fast.
#pragma once

#include "core/op.h"

namespace heddle {

// A number for each dimension that the window slides along.
struct PerWindow : Shape {
  using Shape::Shape;
  PerWindow(Shape numbers) : Shape(std::move(numbers)) {}
};

struct ConvAttributes {
  PerWindow strides, low, high, kernel_dilation, input_dilation;
  int groups = 1;
  bool flip = false;

  void fields(auto& v) {
    v("strides", strides)("padding_low", low)("padding_high", high);
    v("kernel_dilation", kernel_dilation)("input_dilation", input_dilation);
    v("groups", groups)("flip", flip);
  }
};

// inputs (input, weight)
struct Convolution {
  ConvAttributes params;
  void fields(auto& v) { v("params", params); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  // A transposed one is padded by its kernel's size.
  bool follows_shapes() const { return !params.flip; }
};

// inputs (gradient of the result, weight); the gradient of the input, of shape `shape`
struct ConvolutionBackwardInput {
  ConvAttributes params;
  Sizes shape;
  void fields(auto& v) { v("params", params)("shape", shape); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{shape, in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// inputs (input, gradient of the result); the gradient of the weight, of shape `shape`
struct ConvolutionBackwardWeight {
  ConvAttributes params;
  Sizes shape;
  void fields(auto& v) { v("params", params)("shape", shape); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{shape, in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

}  // namespace heddle
