// Convolutions by oneDNN.
#include <algorithm>
#include <optional>
#include <stdexcept>

#include "core/threads.h"
#include "cpu/dnnl_kernel.h"
#include "cpu/scratch.h"

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
  // The forward convolution that gradients belong to has no sums wider than its arrays.
  Tensor narrow = r.weights;
  narrow.dtype = r.src.dtype;
  primitive_attr attributes = with_user_scratchpad();
  bool forward = r.direction == Direction::forward;
  ::dnnl::convolution_forward::primitive_desc hint(
      engine(),
      forward ? ::dnnl::prop_kind::forward_inference : ::dnnl::prop_kind::forward_training,
      algorithm, src, any_layout(narrow), dst, w.strides, w.dilation, w.low, w.high, attributes,
      true);
  if (!hint) return std::nullopt;
  Kernel k;
  auto arguments = [&](const auto& d, int src_id, const memory::desc& src_desc, int weights_id,
                       const memory::desc& weights_desc, int dst_id, const memory::desc& dst_desc) {
    k.add(src_id, src_desc);
    k.accept(desc_of(r.src), r.direction == Direction::backward_data);
    k.add(weights_id, weights_desc);
    if (r.packed) {
      k.pack(desc_of(r.weights));
    } else {
      k.accept(desc_of(r.weights), r.direction == Direction::backward_weights);
    }
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

constexpr size_t weights_argument = 1;

Kernel& packed_kernel(const ConvRequest& request) {
  ConvRequest r = request;
  r.packed = 1;
  return cache().find(r, [&] { return make_convolution(r); });
}

// How many channels of this dimension lie together in a layout.
int64_t block_of(const memory::desc& layout, int64_t dimension) {
  const auto blocks = layout.get_inner_blks();
  const auto of = layout.get_inner_idxs();
  int64_t block = 1;
  for (size_t i = 0; i < blocks.size(); i++) {
    if (of[i] == dimension) block *= blocks[i];
  }
  return block;
}

// Rearranges weights of many channels in parts of some output channels, each by a thread.
void rearrange(const ConvRequest& r, Kernel::Reorder& whole, void* from, void* to) {
  constexpr size_t many_bytes = 1 << 17;
  const memory::desc given = whole.from.get_desc(), wanted = whole.to.get_desc();
  const int64_t out = r.weights.dims[0], step = block_of(wanted, 0);
  const bool filled_up = out % step != 0 || r.weights.dims[1] % block_of(wanted, 1) != 0;
  const bool grouped = r.weights.rank > r.src.rank;
  if (grouped || filled_up || wanted.get_size() < many_bytes) {
    whole.from.set_data_handle(from);
    whole.to.set_data_handle(to);
    whole.primitive.execute(stream(), whole.from, whole.to);
    return;
  }
  parallel_for(out / step, std::max<int64_t>(1, 64 / step), [&](int64_t begin, int64_t end) {
    const OneThread one;
    memory::dims extents(r.weights.dims, r.weights.dims + r.weights.rank);
    memory::dims offsets(extents.size());
    extents[0] = (end - begin) * step;
    offsets[0] = begin * step;
    memory source(given.submemory_desc(extents, offsets), engine(), from);
    memory target(wanted.submemory_desc(extents, offsets), engine(), to);
    ::dnnl::reorder(source, target).execute(stream(), source, target);
  });
}

}  // namespace

void convolution(const ConvRequest& request, void* src, void* weights, void* dst) {
  const OneThread one;
  Kernel& k = cache().find(request, [&] { return make_convolution(request); });
  void* pointers[] = {src, weights, dst, nullptr};
  execute(k, pointers);
}

struct PackedWeights::Parts {
  Parts(void* weights, const Kernel& k)
      : given(weights),
        order(k.arguments[weights_argument].object.get_desc()),
        packed(k.packing ? order.get_size() + shared_margin : 0),
        data(k.packing ? packed.data() : weights) {}
  void* given;
  memory::desc order;
  Scratch packed;
  void* data;
};

PackedWeights::PackedWeights(const ConvRequest& request, void* weights) {
  const OneThread one;
  Kernel& k = packed_kernel(request);
  auto parts = std::make_unique<Parts>(weights, k);
  if (k.packing) rearrange(request, *k.packing, weights, parts->data);
  parts_ = std::move(parts);
}

PackedWeights::~PackedWeights() = default;

void PackedWeights::convolve(const ConvRequest& request, void* src, void* dst) const {
  const OneThread one;
  Kernel& k = packed_kernel(request);
  if (k.arguments[weights_argument].object.get_desc() != parts_->order) {
    return convolution(request, src, parts_->given, dst);
  }
  void* pointers[] = {src, parts_->data, dst, nullptr};
  execute(k, pointers);
}

}  // namespace heddle::cpu::onednn
