// The three operations of convolution: forward, and its two adjoints. Each is linear in both
// inputs, and the derivatives of each are the other two, so that any order of derivative stays
// fast.
#pragma once

#include "core/op.h"

namespace heddle {

struct ConvAttributes {
  Shape strides, low, high, kernel_dilation, input_dilation;
  int groups = 1;
  bool flip = false;

  template <class V>
  void visit(V& v) const {
    v("strides", strides);
    v("padding_low", low);
    v("padding_high", high);
    v("kernel_dilation", kernel_dilation);
    v("input_dilation", input_dilation);
    v("groups", groups);
    v("flip", flip);
  }
};

// inputs (input, weight)
class Convolution final : public OpClass<Convolution> {
 public:
  static constexpr const char* name = "Convolution";
  ConvAttributes params;
  explicit Convolution(ConvAttributes p) : params(std::move(p)) {}
  template <class V>
  void attributes(V& v) const {
    params.visit(v);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  // A transposed one is padded by its kernel's size.
  bool follows_shapes() const override { return !params.flip; }
};

// inputs (gradient of the result, weight); the gradient of the input, of shape `shape`
class ConvolutionBackwardInput final : public OpClass<ConvolutionBackwardInput> {
 public:
  static constexpr const char* name = "ConvolutionBackwardInput";
  ConvAttributes params;
  Shape shape;
  ConvolutionBackwardInput(ConvAttributes p, Shape s) : params(std::move(p)), shape(std::move(s)) {}
  template <class V>
  void attributes(V& v) const {
    params.visit(v);
    v("shape", shape);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{shape, in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// inputs (input, gradient of the result); the gradient of the weight, of shape `shape`
class ConvolutionBackwardWeight final : public OpClass<ConvolutionBackwardWeight> {
 public:
  static constexpr const char* name = "ConvolutionBackwardWeight";
  ConvAttributes params;
  Shape shape;
  ConvolutionBackwardWeight(ConvAttributes p, Shape s)
      : params(std::move(p)), shape(std::move(s)) {}
  template <class V>
  void attributes(V& v) const {
    params.visit(v);
    v("shape", shape);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{shape, in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

}  // namespace heddle
