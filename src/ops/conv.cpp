#include "ops/conv.h"

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/conv.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

using Forward = Convolution;
using BackwardInput = ConvolutionBackwardInput;
using BackwardWeight = ConvolutionBackwardWeight;

// Batches fold into channels: the examples of a batch are groups of one larger convolution.
//
// (B, N, spatial..., C) -> (N, spatial..., B * C)
Array channels_from_batch(const Array& x, int axis, int64_t batch, const Stream& s) {
  Array y = axis < 0 ? broadcast_to(
                           expand_dims(x, {0}, s),
                           [&] {
                             Shape shape = x.shape();
                             shape.insert(shape.begin(), batch);
                             return shape;
                           }(),
                           s)
                     : batch_to_front(x, axis);
  return flatten(moveaxis(y, 0, -2, s), -2, -1, s);
}
Array batch_from_channels(const Array& x, int64_t batch, const Stream& s) {
  return moveaxis(unflatten(x, -1, {batch, x.shape(-1) / batch}, s), -2, 0, s);
}
// (B, O, kernel..., C) -> (B * O, kernel..., C)
Array stacked_weights(const Array& w, int axis, int64_t batch, const Stream& s) {
  Array y = axis < 0 ? broadcast_to(
                           expand_dims(w, {0}, s),
                           [&] {
                             Shape shape = w.shape();
                             shape.insert(shape.begin(), batch);
                             return shape;
                           }(),
                           s)
                     : batch_to_front(w, axis);
  return flatten(y, 0, 1, s);
}

// With one weight for all, examples join the batch dimension instead.
struct Merged {
  Array x;
  int64_t batch;
};
Merged merge_batch(const Array& x, int axis, const Stream& s) {
  Array front = batch_to_front(x, axis);
  return {flatten(front, 0, 1, s), front.shape(0)};
}
Array split_batch(const Array& x, int64_t batch, const Stream& s) {
  return unflatten(x, 0, {batch, x.shape(0) / batch}, s);
}

ConvAttributes grouped(ConvAttributes p, int64_t batch) {
  p.groups *= static_cast<int>(batch);
  return p;
}

Shape spread(const char* what, const std::vector<int>& values, int dims) {
  Shape out(values.begin(), values.end());
  if (out.size() == 1) out.resize(static_cast<size_t>(dims), out[0]);
  if (static_cast<int>(out.size()) != dims) {
    refuse("conv", "Invalid {} for {}-dimensional convolution: got {} values.", what, dims,
           values.size());
  }
  return out;
}

void check_dtype(Dtype t) {
  if (is_floating(t)) return;
  refuse("conv",
         "Invalid input array with type {}. Convolution currently only supports "
         "floating point types",
         name_of(t));
}

void check_shapes(const Shape& input, const Shape& weight, int groups) {
  int dims = static_cast<int>(input.size()) - 2;
  if (dims < 1 || dims > 3) {
    refuse("conv",
           "Only works for inputs with 1-3 spatial dimensions. The inputs must "
           "be in the format [N, ..., C_in], got shape {}.",
           to_string(input));
  }
  if (weight.size() != input.size()) {
    refuse("conv",
           "Invalid weight array with {} dimensions for {}D convolution. "
           "Expected an array with {} dimensions following the format [C_out, "
           "..., C_in].",
           weight.size(), dims, input.size());
  }
  if (groups < 1) refuse("conv", "groups must be positive, got {}.", groups);
  if (input.back() != weight.back() * groups) {
    refuse("conv",
           "Expect the input channels in the input and weight array to match "
           "but got shapes - input: {} and weight: {}",
           to_string(input), to_string(weight));
  }
  if (weight[0] % groups != 0) {
    refuse("conv",
           "If groups > 1, the output channels must be divisible by the number "
           "of groups. Got {} output channels and {} groups.",
           weight[0], groups);
  }
}

// Those of a public function, of which the result has the weight's dtype or a wider one.
void check_inputs(const Array& input, const Array& weight, int groups) {
  check_dtype(is_floating(input.dtype()) ? promote_types(input.dtype(), weight.dtype())
                                         : input.dtype());
  check_shapes(input.shape(), weight.shape(), groups);
}

void check_shapes(const ConvAttributes& p, const Shape& input, const Shape& weight) {
  check_shapes(input, weight, p.groups);
  for (const Shape* each : {&p.strides, &p.low, &p.high, &p.kernel_dilation, &p.input_dilation}) {
    if (each->size() + 2 != input.size()) {
      refuse("conv", "{} values were given for the {} spatial dimensions of {}.", each->size(),
             input.size() - 2, to_string(input));
    }
  }
  auto positive = [](const char* what, const Shape& v) {
    if (std::all_of(v.begin(), v.end(), [](int64_t x) { return x > 0; })) return;
    refuse("conv", "{} sizes must be positive. Got {} {}.", what, what, to_string(v));
  };
  positive("Stride", p.strides);
  positive("Kernel dilation", p.kernel_dilation);
  positive("Input dilation", p.input_dilation);
}

Shape output_shape(const ConvAttributes& p, const Shape& input, const Shape& weight,
                   size_t itemsize) {
  Shape out{input[0]};
  for (size_t d = 0; d < p.strides.size(); d++) {
    int64_t n = input[d + 1], k = weight[d + 1];
    int64_t dilated = n > 0 ? p.input_dilation[d] * (n - 1) + 1 : 0;
    int64_t padded = dilated + p.low[d] + p.high[d];
    int64_t kernel = p.kernel_dilation[d] * (k - 1) + 1;
    if (kernel > padded) {
      refuse("conv",
             "Spatial dimensions of input after padding cannot be smaller than weight "
             "spatial dimensions. Got error at axis {} for input with shape {}, "
             "padding low {}, padding high {}, and weight of shape {}.",
             d + 1, to_string(input), to_string(p.low), to_string(p.high), to_string(weight));
    }
    out.push_back((padded - kernel) / p.strides[d] + 1);
  }
  out.push_back(weight[0]);
  check_shape("conv", out, itemsize);
  return out;
}

}  // namespace

void Convolution::check(const Arrays& in) const {
  require_inputs(*this, in, 2);
  require_one_dtype(*this, in);
  check_shapes(params, in[0].shape(), in[1].shape());
  check_dtype(in[0].dtype());
}

Avals Convolution::infer(const Arrays& in) const {
  return {{output_shape(params, in[0].shape(), in[1].shape(), in[0].itemsize()), in[0].dtype()}};
}

namespace {

// `gradient` has the shape of the convolution's result.
void check_gradient(const ConvAttributes& p, const Shape& input, const Shape& weight,
                    const Array& gradient) {
  check_dtype(gradient.dtype());
  check_shapes(p, input, weight);
  require_shape("conv", "The gradient", gradient,
                output_shape(p, input, weight, gradient.itemsize()));
}

}  // namespace

void ConvolutionBackwardInput::check(const Arrays& in) const {
  require_inputs(*this, in, 2);
  require_one_dtype(*this, in);
  check_gradient(params, shape, in[1].shape(), in[0]);
}
void ConvolutionBackwardWeight::check(const Arrays& in) const {
  require_inputs(*this, in, 2);
  require_one_dtype(*this, in);
  check_gradient(params, in[0].shape(), shape, in[1]);
}

std::optional<Arrays> Convolution::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays out;
  for (int i : p.wanted) {
    out.push_back(
        i == 0 ? apply(make_op<BackwardInput>(params, p.in[0].shape()), {p.g[0], p.in[1]}, s)
               : apply(make_op<BackwardWeight>(params, p.in[1].shape()), {p.in[0], p.g[0]}, s));
    // What strides left over of the input is that of the trace: then the sizes must agree.
    if (i == 0) out.back() = exactly_like(out.back(), p.in[0], s);
  }
  return out;
}
std::optional<Arrays> ConvolutionBackwardInput::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays out;
  for (int i : p.wanted) {
    out.push_back(
        i == 0 ? apply(make_op<Forward>(params), {p.g[0], p.in[1]}, s)
               : apply(make_op<BackwardWeight>(params, p.in[1].shape()), {p.g[0], p.in[0]}, s));
  }
  return out;
}
std::optional<Arrays> ConvolutionBackwardWeight::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays out;
  for (int i : p.wanted) {
    out.push_back(i == 0
                      ? apply(make_op<BackwardInput>(params, p.in[0].shape()), {p.in[1], p.g[0]}, s)
                      : apply(make_op<Forward>(params), {p.in[0], p.g[0]}, s));
  }
  return out;
}

std::optional<Batched> Convolution::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  if (b.axes[1] < 0) {
    Merged m = merge_batch(b.in[0], b.axes[0], s);
    return Batched{{split_batch(apply(*this, {m.x, b.in[1]}, s), m.batch, s)}, {0}};
  }
  int64_t n = batch_size(b.in, b.axes);
  Array out = apply(
      make_op<Forward>(grouped(params, n)),
      {channels_from_batch(b.in[0], b.axes[0], n, s), stacked_weights(b.in[1], b.axes[1], n, s)},
      s);
  return Batched{{batch_from_channels(out, n, s)}, {0}};
}
std::optional<Batched> ConvolutionBackwardInput::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  Shape to = shape;
  if (b.axes[1] < 0) {
    Merged m = merge_batch(b.in[0], b.axes[0], s);
    to[0] *= m.batch;
    return Batched{
        {split_batch(apply(make_op<BackwardInput>(params, to), {m.x, b.in[1]}, s), m.batch, s)},
        {0}};
  }
  int64_t n = batch_size(b.in, b.axes);
  to.back() *= n;
  Array out = apply(
      make_op<BackwardInput>(grouped(params, n), to),
      {channels_from_batch(b.in[0], b.axes[0], n, s), stacked_weights(b.in[1], b.axes[1], n, s)},
      s);
  return Batched{{batch_from_channels(out, n, s)}, {0}};
}
std::optional<Batched> ConvolutionBackwardWeight::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  int64_t n = batch_size(b.in, b.axes);
  Shape to = shape;
  to[0] *= n;
  Array out = apply(make_op<BackwardWeight>(grouped(params, n), to),
                    {channels_from_batch(b.in[0], b.axes[0], n, s),
                     channels_from_batch(b.in[1], b.axes[1], n, s)},
                    s);
  return Batched{{split_batch(out, n, s)}, {0}};
}

Array conv_general(const Array& input, const Array& weight, std::vector<int> stride,
                   std::vector<int> padding_low, std::vector<int> padding_high,
                   std::vector<int> kernel_dilation, std::vector<int> input_dilation, int groups,
                   bool flip, StreamOrDevice s) {
  check_inputs(input, weight, groups);
  int dims = input.ndim() - 2;
  ConvAttributes p{spread("stride", stride, dims),
                   spread("padding", padding_low, dims),
                   spread("padding", padding_high, dims),
                   spread("kernel dilation", kernel_dilation, dims),
                   spread("input dilation", input_dilation, dims),
                   groups,
                   flip};
  Dtype t = promote_types(input.dtype(), weight.dtype());
  Stream stream = to_stream(s);
  return apply(make_op<Forward>(std::move(p)),
               {astype(input, t, stream), astype(weight, t, stream)}, stream);
}

namespace {

void check_rank(int dims, const Array& input) {
  if (input.ndim() != dims + 2) {
    refuse("conv",
           "Invalid input array with {} dimensions for {}D convolution. Expected "
           "an array with {} "
           "dimensions following the format [N, ..., C_in].",
           input.ndim(), dims, dims + 2);
  }
}

}  // namespace

Array conv(int dims, const Array& input, const Array& weight, std::vector<int> stride,
           std::vector<int> padding, std::vector<int> dilation, int groups, StreamOrDevice s) {
  check_rank(dims, input);
  return conv_general(input, weight, std::move(stride), padding, padding, std::move(dilation), {1},
                      groups, false, s);
}

Array conv_transpose(int dims, const Array& input, const Array& weight, std::vector<int> stride,
                     std::vector<int> padding, std::vector<int> dilation,
                     std::vector<int> output_padding, int groups, StreamOrDevice s) {
  check_rank(dims, input);
  check_inputs(input, weight, groups);
  Shape pad = spread("padding", padding, dims), dil = spread("dilation", dilation, dims);
  Shape extra = spread("output padding", output_padding, dims);
  auto narrow = [](int64_t size) {
    if (size == static_cast<int>(size)) return static_cast<int>(size);
    throw std::overflow_error(
        fmt::format("[conv] A transposed convolution pads its input by {}, which is beyond 32 "
                    "bits: dilation * (kernel - 1) - padding + output padding.",
                    size));
  };
  std::vector<int> low, high;
  for (size_t d = 0; d < static_cast<size_t>(dims); d++) {
    int64_t reach = dil[d] * (weight.shape()[d + 1] - 1);
    low.push_back(narrow(reach - pad[d]));
    high.push_back(narrow(reach - pad[d] + extra[d]));
  }
  return conv_general(input, weight, {1}, low, high, std::move(dilation), std::move(stride), groups,
                      true, s);
}

namespace {

std::vector<int> listed(const Extent2& p) { return {p.first, p.second}; }
std::vector<int> listed(const Extent3& t) {
  return {std::get<0>(t), std::get<1>(t), std::get<2>(t)};
}

}  // namespace

Array conv2d(const Array& input, const Array& weight, const Extent2& stride, const Extent2& padding,
             const Extent2& dilation, int groups, StreamOrDevice s) {
  return conv(2, input, weight, listed(stride), listed(padding), listed(dilation), groups, s);
}

Array conv3d(const Array& input, const Array& weight, const Extent3& stride, const Extent3& padding,
             const Extent3& dilation, int groups, StreamOrDevice s) {
  return conv(3, input, weight, listed(stride), listed(padding), listed(dilation), groups, s);
}

Array conv_transpose2d(const Array& input, const Array& weight, const Extent2& stride,
                       const Extent2& padding, const Extent2& dilation,
                       const Extent2& output_padding, int groups, StreamOrDevice s) {
  return conv_transpose(2, input, weight, listed(stride), listed(padding), listed(dilation),
                        listed(output_padding), groups, s);
}

Array conv_transpose3d(const Array& input, const Array& weight, const Extent3& stride,
                       const Extent3& padding, const Extent3& dilation,
                       const Extent3& output_padding, int groups, StreamOrDevice s) {
  return conv_transpose(3, input, weight, listed(stride), listed(padding), listed(dilation),
                        listed(output_padding), groups, s);
}

Array convolve(const Array& a, const Array& v, const std::string& mode, StreamOrDevice s) {
  if (a.ndim() != 1 || v.ndim() != 1) refuse("convolve", "Inputs must be 1D.");
  if (a.size() == 0 || v.size() == 0) refuse("convolve", "Inputs cannot be empty.");
  const Array& signal = a.size() < v.size() ? v : a;
  const Array& kernel = a.size() < v.size() ? a : v;
  int n = static_cast<int>(kernel.size());
  int low = 0, high = 0;
  if (mode == "full") {
    low = high = n - 1;
  } else if (mode == "same") {
    low = (n - 1) / 2 + (n % 2 == 0 ? 1 : 0);
    high = (n - 1) / 2;
  } else if (mode != "valid") {
    refuse("convolve", "Invalid mode.");
  }
  Array out = conv_general(reshape(signal, {1, signal.size(), 1}, s), reshape(kernel, {1, n, 1}, s),
                           {1}, {low}, {high}, {1}, {1}, 1, true, s);
  return reshape(out, {out.size()}, s);
}

}  // namespace heddle
