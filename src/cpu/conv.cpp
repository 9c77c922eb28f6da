#include "cpu/conv.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "cpu/conv_patches.h"
#include "cpu/conv_pieces.h"
#include "cpu/dnnl.h"
#include "cpu/scratch.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

constexpr size_t most_spatial = 3;

GroupedWeight grouped(const View& v, int groups) {
  GroupedWeight w;
  w.data = v.data;
  w.dtype = v.dtype;
  w.groups = groups;
  w.out = v.shape[0] / groups;
  w.in = v.shape.back();
  w.out_stride = v.strides[0];
  w.group_stride = w.out * w.out_stride;
  w.in_stride = v.strides.back();
  w.kernel = Shape(v.shape.begin() + 1, v.shape.end() - 1);
  w.kernel_strides = Strides(v.strides.begin() + 1, v.strides.end() - 1);
  return w;
}

View view_of(const GroupedWeight& w) {
  View v{w.data, w.dtype, {w.groups, w.out}, {w.group_stride, w.out_stride}};
  for (size_t d = 0; d < w.kernel.size(); d++) {
    v.shape.push_back(w.kernel[d]);
    v.strides.push_back(w.kernel_strides[d]);
  }
  v.shape.push_back(w.in);
  v.strides.push_back(w.in_stride);
  return v;
}

void set_dense(GroupedWeight& w) {
  Strides strides = row_major_strides(view_of(w).shape);
  w.group_stride = strides[0];
  w.out_stride = strides[1];
  w.kernel_strides = Strides(strides.begin() + 2, strides.end() - 1);
  w.in_stride = 1;
}

// The same memory read backwards along the kernel's spatial dimensions.
GroupedWeight flipped(GroupedWeight w) {
  int64_t start = 0;
  for (size_t d = 0; d < w.kernel.size(); d++) {
    start += (w.kernel[d] - 1) * w.kernel_strides[d];
    w.kernel_strides[d] = -w.kernel_strides[d];
  }
  w.data = static_cast<char*>(w.data) + start * static_cast<int64_t>(size_of(w.dtype));
  return w;
}

bool positive_strides(const View& v) {
  for (size_t d = 0; d < v.shape.size(); d++) {
    if (v.shape[d] > 1 && v.strides[d] <= 0) return false;
  }
  return true;
}

// An operand in the form that a kernel wants, copied to scratch memory only where it differs.
class Prepared {
 public:
  View dense(const View& v, Dtype t) {
    if (v.dtype == t && v.row_contiguous()) return v;
    View copy = allocate(v.shape, t);
    tile::copy(v, copy);
    return copy;
  }
  GroupedWeight ordered(const GroupedWeight& w, Dtype t) {
    if (w.dtype == t && positive_strides(view_of(w))) return w;
    return dense(w, t);
  }
  GroupedWeight dense(const GroupedWeight& w, Dtype t) {
    if (w.dtype == t && w.dense()) return w;
    GroupedWeight copy = allocate(w, t);
    tile::copy(view_of(w), view_of(copy));
    return copy;
  }
  View allocate(const Shape& shape, Dtype t) {
    space_.emplace(element_count(shape) * size_of(t));
    return {space_->data(), t, shape, row_major_strides(shape)};
  }
  GroupedWeight allocate(GroupedWeight w, Dtype t) {
    w.data = allocate(view_of(w).shape, t).data;
    w.dtype = t;
    set_dense(w);
    return w;
  }

 private:
  std::optional<Scratch> space_;
};

onednn::Tensor activation_of(const View& v) {
  onednn::Tensor t;
  size_t spatial = v.shape.size() - 2;
  t.dtype = static_cast<int64_t>(v.dtype);
  Strides strides = row_major_strides(v.shape);
  auto add = [&](size_t d) {
    t.dims[t.rank] = v.shape[d];
    t.strides[t.rank++] = strides[d];
  };
  add(0);
  add(spatial + 1);
  for (size_t d = 0; d < spatial; d++) add(d + 1);
  return t;
}

onednn::Tensor weight_of(const GroupedWeight& w) {
  onednn::Tensor t;
  t.dtype = static_cast<int64_t>(w.dtype);
  auto add = [&](int64_t extent, int64_t stride) {
    t.dims[t.rank] = extent;
    t.strides[t.rank++] = stride;
  };
  if (w.groups > 1) add(w.groups, w.group_stride);
  add(w.out, w.out_stride);
  add(w.in, w.in_stride);
  for (size_t d = 0; d < w.kernel.size(); d++) add(w.kernel[d], w.kernel_strides[d]);
  return t;
}

GroupedWeight exchange_channels(GroupedWeight w) {
  std::swap(w.out, w.in);
  std::swap(w.out_stride, w.in_stride);
  return w;
}

bool plain_input(const ConvParams& p) {
  for (size_t d = 0; d < p.strides.size(); d++) {
    if (p.input_dilation[d] != 1 || p.low[d] < 0 || p.high[d] < 0) return false;
  }
  return true;
}

onednn::ConvRequest request_of(const View& src, const GroupedWeight& w, const View& dst,
                               const ConvParams& p) {
  onednn::ConvRequest r;
  r.src = activation_of(src);
  r.weights = weight_of(w);
  r.dst = activation_of(dst);
  for (size_t d = 0; d < p.strides.size(); d++) {
    r.strides[d] = p.strides[d];
    r.dilation[d] = p.kernel_dilation[d];
    r.low[d] = p.low[d];
    r.high[d] = p.high[d];
  }
  return r;
}

// A convolution of stride 1 over a dilated input is the gradient of a strided convolution with
// regard to its input: out plays src, input plays dst. Fails where that convolution would need
// negative padding.
std::optional<onednn::ConvRequest> as_gradient(const View& input, const GroupedWeight& w,
                                               const View& out, const ConvParams& p) {
  onednn::ConvRequest r = request_of(out, exchange_channels(w), input, p);
  r.direction = onednn::Direction::backward_data;
  for (size_t d = 0; d < p.strides.size(); d++) {
    int64_t reach = (w.kernel[d] - 1) * p.kernel_dilation[d], stride = p.input_dilation[d];
    int64_t low = reach - p.low[d];
    // The strided convolution must give exactly the input's extent; its last window may leave up to
    // stride - 1 elements unread.
    int64_t high = (input.shape[d + 1] - 1) * stride + reach + 1 - out.shape[d + 1] - low;
    if (high < 0 && high + stride - 1 >= 0) high = 0;
    if (p.strides[d] != 1 || low < 0 || high < 0) return std::nullopt;
    r.strides[d] = stride;
    r.low[d] = low;
    r.high[d] = high;
  }
  return r;
}

// The input with its dilation written out and negative padding cut off.
View spread(const View& input, const ConvParams& p, ConvParams& plain, Prepared& space) {
  View window = input;  // what is left of the input
  Shape shape = input.shape;
  Strides starts(p.strides.size());
  for (size_t d = 0; d < p.strides.size(); d++) {
    int64_t apart = p.input_dilation[d];
    int64_t extent = (input.shape[d + 1] - 1) * apart + 1;
    int64_t cut_low = std::max<int64_t>(0, -p.low[d]), cut_high = std::max<int64_t>(0, -p.high[d]);
    shape[d + 1] = std::max<int64_t>(0, extent - cut_low - cut_high);
    int64_t first = (cut_low + apart - 1) / apart;
    int64_t last = std::min(input.shape[d + 1] - 1, (extent - 1 - cut_high) / apart);
    window.data = window.as<char>() +
                  first * window.strides[d + 1] * static_cast<int64_t>(size_of(window.dtype));
    window.shape[d + 1] = std::max<int64_t>(0, last - first + 1);
    starts[d] = first * apart - cut_low;
    plain.input_dilation[d] = 1;
    plain.low[d] = std::max<int64_t>(0, p.low[d]);
    plain.high[d] = std::max<int64_t>(0, p.high[d]);
  }
  View whole = space.allocate(shape, input.dtype);
  std::memset(whole.data, 0, whole.size() * size_of(whole.dtype));
  if (window.size() == 0) return whole;
  View target = whole;
  target.shape = window.shape;
  for (size_t d = 0; d < p.strides.size(); d++) {
    target.data = target.as<char>() +
                  starts[d] * whole.strides[d + 1] * static_cast<int64_t>(size_of(whole.dtype));
    target.strides[d + 1] *= p.input_dilation[d];
  }
  tile::copy(window, target);
  return whole;
}

void fill_zero(const View& v) {
  alignas(8) static constexpr unsigned char zero[8] = {};
  View scalar{const_cast<unsigned char*>(zero), v.dtype, v.shape, Strides(v.shape.size())};
  tile::copy(scalar, v);
}

// What a convolution runs in. bfloat16 has its own arithmetic (AVX512-BF16, AMX) or none; oneDNN's
// float16 is slower than a conversion to float32 and back (2.1 ms against 1.4 for 3x3, 64 to 64
// channels, 56x56, on one core with AVX512-FP16) and has no gradients, except where the work is all
// memory traffic.
Dtype compute_dtype(Dtype t, bool depthwise_forward) {
  if (!is_half(t)) return t;
  if (t == Dtype::float16 && !depthwise_forward) return Dtype::float32;
  return onednn::native(t) ? t : Dtype::float32;
}

// oneDNN multiplies pairs of bfloat16 channels. Where a group has an odd number of them, the last
// is paired with what lies behind it in memory, times zero, which is NaN if that is infinite or
// NaN. It has kernels of their own for three channels, and for one that is not a gradient's.
bool pairs_up(const GroupedWeight& w, const ConvParams& p, bool depthwise) {
  if (w.in % 2 == 0 || depthwise) return true;
  return w.groups == 1 && (w.in == 3 || (w.in == 1 && plain_input(p) && !p.flip));
}

// out is row-contiguous.
void run(const View& input, const GroupedWeight& weight, const View& out, const ConvParams& p) {
  if (out.size() == 0) return;
  if (input.size() == 0 || weight.in == 0 || element_count(weight.kernel) == 0) {
    return fill_zero(out);
  }
  bool depthwise = weight.in == 1 && weight.out == 1 && plain_input(p) && !p.flip;
  Dtype t = compute_dtype(out.dtype, depthwise);
  if (t == Dtype::bfloat16 && !pairs_up(weight, p, depthwise)) t = Dtype::float32;
  Prepared input_space, weight_space, out_space, spread_space;
  View x = input_space.dense(input, t);
  View result = t == out.dtype ? out : out_space.allocate(out.shape, t);
  if (t == Dtype::float64 || p.strides.size() > most_spatial) {
    conv_patches(x, weight_space.dense(weight, t), result, p);
  } else {
    std::optional<onednn::ConvRequest> gradient;
    // Where the kernel is flipped, too, the gradient saves turning it round.
    if (!plain_input(p) || p.flip) gradient = as_gradient(x, weight, result, p);
    bool flip = p.flip != gradient.has_value();
    GroupedWeight w = weight_space.ordered(flip ? flipped(weight) : weight, t);
    if (gradient) {
      gradient->weights = weight_of(exchange_channels(w));
      gradient->src.dtype = gradient->dst.dtype = static_cast<int64_t>(t);
      convolve(*gradient, result.data, w.data, x.data);
    } else if (plain_input(p)) {
      convolve(request_of(x, w, result, p), x.data, w.data, result.data);
    } else {
      ConvParams plain = p;
      View spread_input = spread(x, p, plain, spread_space);
      if (spread_input.size() == 0) {
        fill_zero(out);
        return;
      }
      convolve(request_of(spread_input, w, result, plain), spread_input.data, w.data, result.data);
    }
  }
  if (t != out.dtype) tile::copy(result, out);
}

}  // namespace

void conv(const View& input, const View& weight, const View& out, const ConvParams& params) {
  run(input, grouped(weight, params.groups), out, params);
}

// The gradient is again a convolution, of the result's gradient, with the channels of the weight
// exchanged, the kernel reversed, and stride and input dilation changing places.
void conv_backward_input(const View& out_gradient, const View& weight, const View& input_gradient,
                         const ConvParams& params) {
  GroupedWeight w = exchange_channels(grouped(weight, params.groups));
  ConvParams p = params;
  p.strides = params.input_dilation;
  p.input_dilation = params.strides;
  p.flip = !params.flip;
  for (size_t d = 0; d < p.strides.size(); d++) {
    int64_t reach = (w.kernel[d] - 1) * p.kernel_dilation[d];
    int64_t extent = (out_gradient.shape[d + 1] - 1) * p.input_dilation[d] + 1;
    p.low[d] = reach - params.low[d];
    p.high[d] = (input_gradient.shape[d + 1] - 1) * p.strides[d] + reach + 1 - extent - p.low[d];
  }
  run(out_gradient, w, input_gradient, p);
}

void conv_backward_weight(const View& input, const View& out_gradient, const View& weight_gradient,
                          const ConvParams& p) {
  if (weight_gradient.size() == 0) return;
  if (input.size() == 0 || out_gradient.size() == 0) return fill_zero(weight_gradient);
  const Dtype t = compute_dtype(weight_gradient.dtype, false);
  Prepared input_space, gradient_space, weight_space, spread_space;
  View x = input_space.dense(input, t);
  View dy = gradient_space.dense(out_gradient, t);
  GroupedWeight out = grouped(weight_gradient, p.groups);
  const bool in_place = t == out.dtype && !p.flip && out.dense();
  GroupedWeight w = in_place ? out : weight_space.allocate(out, t);
  if (t == Dtype::float64 || p.strides.size() > most_spatial) {
    conv_patches_backward_weight(x, dy, w, p);
    if (w.data != out.data) tile::copy(view_of(w), view_of(out));
    return;
  }
  ConvParams plain = p;
  View source = plain_input(p) ? x : spread(x, p, plain, spread_space);
  if (source.size() == 0) return fill_zero(weight_gradient);
  onednn::ConvRequest r = request_of(source, w, dy, plain);
  r.direction = onednn::Direction::backward_weights;
  convolve(r, source.data, w.data, dy.data);
  if (!in_place) tile::copy(view_of(w), view_of(p.flip ? flipped(out) : out));
}

}  // namespace heddle::cpu
