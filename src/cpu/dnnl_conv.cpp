// Convolutions by oneDNN.
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "cpu/dnnl_kernel.h"

namespace heddle::cpu::onednn {
namespace {

struct Window {
  memory::dims strides, dilation, low, high;
};

Window window_of(const ConvRequest& r) {
  int64_t n = r.src.rank - 2;
  Window w;
  w.strides.assign(r.strides, r.strides + n);
  w.low.assign(r.low, r.low + n);
  w.high.assign(r.high, r.high + n);
  for (int64_t i = 0; i < n; i++) w.dilation.push_back(r.dilation[i] - 1);
  return w;
}

// `any` lets oneDNN choose the layout of the activations too, at the price of two reorders.
std::optional<Kernel> make_convolution(const ConvRequest& r, bool any) {
  Window w = window_of(r);
  auto algorithm = ::dnnl::algorithm::convolution_direct;
  auto activation = [&](const Tensor& t) { return any ? any_layout(t) : desc_of(t); };
  memory::desc src = activation(r.src), dst = activation(r.dst);
  memory::desc weights = any_layout(r.weights);
  primitive_attr attributes = with_user_scratchpad();
  bool forward = r.direction == Direction::forward;
  ::dnnl::convolution_forward::primitive_desc hint(
      engine(),
      forward ? ::dnnl::prop_kind::forward_inference : ::dnnl::prop_kind::forward_training,
      algorithm, src, weights, dst, w.strides, w.dilation, w.low, w.high, attributes, true);
  if (!hint) return std::nullopt;
  Kernel k;
  auto arguments = [&](const auto& d, int src_id, const memory::desc& src_desc, int weights_id,
                       const memory::desc& weights_desc, int dst_id, const memory::desc& dst_desc) {
    k.add(src_id, src_desc);
    k.accept(desc_of(r.src), r.direction == Direction::backward_data);
    k.add(weights_id, weights_desc);
    k.accept(desc_of(r.weights), r.direction == Direction::backward_weights);
    k.add(dst_id, dst_desc);
    k.accept(desc_of(r.dst), forward);
    add_scratchpad(k, d);
  };
  if (forward) {
    k.primitive = ::dnnl::convolution_forward(hint);
    arguments(hint, DNNL_ARG_SRC, hint.src_desc(), DNNL_ARG_WEIGHTS, hint.weights_desc(),
              DNNL_ARG_DST, hint.dst_desc());
  } else if (r.direction == Direction::backward_data) {
    ::dnnl::convolution_backward_data::primitive_desc d(engine(), algorithm, src, weights, dst,
                                                        w.strides, w.dilation, w.low, w.high, hint,
                                                        attributes, true);
    if (!d) return std::nullopt;
    k.primitive = ::dnnl::convolution_backward_data(d);
    arguments(d, DNNL_ARG_DIFF_SRC, d.diff_src_desc(), DNNL_ARG_WEIGHTS, d.weights_desc(),
              DNNL_ARG_DIFF_DST, d.diff_dst_desc());
  } else {
    ::dnnl::convolution_backward_weights::primitive_desc d(engine(), algorithm, src, weights, dst,
                                                           w.strides, w.dilation, w.low, w.high,
                                                           hint, attributes, true);
    if (!d) return std::nullopt;
    k.primitive = ::dnnl::convolution_backward_weights(d);
    arguments(d, DNNL_ARG_SRC, d.src_desc(), DNNL_ARG_DIFF_WEIGHTS, d.diff_weights_desc(),
              DNNL_ARG_DIFF_DST, d.diff_dst_desc());
  }
  return k;
}

Kernel make_convolution(const ConvRequest& r) {
  std::optional<Kernel> plain = make_convolution(r, false);
  if (plain && !plain->reference) return std::move(*plain);
  std::optional<Kernel> chosen = make_convolution(r, true);
  if (chosen && (!plain || !chosen->reference)) return std::move(*chosen);
  if (plain) return std::move(*plain);
  throw std::runtime_error("[conv] oneDNN has no implementation for these shapes.");
}

int64_t elements_of(const Tensor& t) {
  return std::accumulate(t.dims, t.dims + t.rank, int64_t{1}, std::multiplies<>());
}

// What a convolution computes and moves is too little to wake other threads for.
bool is_small(const ConvRequest& r) {
  int64_t moved = elements_of(r.src) + elements_of(r.weights) + elements_of(r.dst);
  // Each element of the weights meets one element of dst per sample and position.
  int64_t positions = r.dst.dims[0];
  for (int64_t d = 2; d < r.dst.rank; d++) positions *= r.dst.dims[d];
  return moved <= parallel_grain * 2 && elements_of(r.weights) * positions <= parallel_grain * 8;
}

}  // namespace

void convolution(const ConvRequest& request, void* src, void* weights, void* dst) {
  ThreadLimit limit(is_small(request) ? 1 : num_threads());
  Kernel& k = cache().find(request, [&] { return make_convolution(request); });
  void* pointers[] = {src, weights, dst, nullptr};
  execute(k, pointers);
}

}  // namespace heddle::cpu::onednn
