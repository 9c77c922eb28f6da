// Kernels of matrix products, convolutions, attention and rotary embedding: from nodes to views.
#include "cpu/attention.h"
#include "cpu/conv.h"
#include "cpu/kernel.h"
#include "cpu/matmul.h"
#include "cpu/rope.h"
#include "ops/attention.h"
#include "ops/conv.h"
#include "ops/matmul.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<Matmul> matmul_kernel([](const Work& w) {
  Node& out = w.output();
  out.allocate_dense();
  matmul(w.input(0).view(), w.input(1).view(), out.view());
});

const RegisterKernel<AddMM> addmm_kernel([](const Work& w) {
  const auto& op = op_of<AddMM>(w);
  Node& out = w.output();
  out.allocate_dense();
  View addend = w.input(2).view();
  Epilogue epilogue;
  epilogue.alpha = op.alpha;
  epilogue.beta = op.beta;
  epilogue.addend = &addend;
  matmul(w.input(0).view(), w.input(1).view(), out.view(), epilogue);
});

ConvParams params_of(const ConvAttributes& a) {
  return {a.strides, a.low, a.high, a.kernel_dilation, a.input_dilation, a.groups, a.flip};
}

const RegisterKernel<Convolution> conv_kernel([](const Work& w) {
  w.output().allocate_dense();
  conv(w.input(0).view(), w.input(1).view(), w.output().view(),
       params_of(op_of<Convolution>(w).params));
});

const RegisterKernel<ConvolutionBackwardInput> conv_input_kernel([](const Work& w) {
  w.output().allocate_dense();
  conv_backward_input(w.input(0).view(), w.input(1).view(), w.output().view(),
                      params_of(op_of<ConvolutionBackwardInput>(w).params));
});

const RegisterKernel<ConvolutionBackwardWeight> conv_weight_kernel([](const Work& w) {
  w.output().allocate_dense();
  conv_backward_weight(w.input(0).view(), w.input(1).view(), w.output().view(),
                       params_of(op_of<ConvolutionBackwardWeight>(w).params));
});

const RegisterKernel<ScaledDotProductAttention> attention_kernel([](const Work& w) {
  const auto& op = op_of<ScaledDotProductAttention>(w);
  // Heads that were split off a row of features are joined again right after: with the result laid
  // out like the queries, that costs no copy.
  Node& out = w.output();
  const Node& q = w.input(0);
  bool heads_inside = q.shape.size() == 4 && q.shape[1] > 1 && q.strides[1] < q.strides[2];
  Strides strides = row_major_strides(out.shape);
  if (heads_inside) {
    const Shape& n = out.shape;
    strides = {n[1] * n[2] * n[3], n[3], n[1] * n[3], 1};
  }
  out.set_data(allocate(out.nbytes()), strides);
  View mask, sinks;
  AttentionParams params;
  params.scale = op.scale;
  params.causal = op.causal;
  if (op.has_mask) {
    mask = w.input(3).view();
    params.mask = &mask;
  }
  if (op.has_sinks) {
    sinks = w.input(w.inputs.size() - 1).view();
    params.sinks = &sinks;
  }
  attention(q.view(), w.input(1).view(), w.input(2).view(), out.view(), params);
});

const RegisterKernel<RoPE> rope_kernel([](const Work& w) {
  const auto& op = op_of<RoPE>(w);
  allocate_or_donate(w, 0, 0);
  View offset = w.input(1).view(), freqs;
  RopeParams params;
  params.dims = op.dims;
  params.traditional = op.traditional;
  params.base = op.base;
  params.scale = op.scale;
  params.inverse = op.inverse;
  params.offset = &offset;
  if (op.has_freqs) {
    freqs = w.input(2).view();
    params.freqs = &freqs;
  }
  rope(w.input(0).view(), w.output().view(), params);
});

}  // namespace
}  // namespace heddle::cpu
