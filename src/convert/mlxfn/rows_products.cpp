#include <algorithm>
#include <numeric>

#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/conv.h"
#include "ops/matmul.h"

namespace heddle::convert::mlxfn {
namespace {

std::vector<int> ints(const Shape& s) { return {s.begin(), s.end()}; }

// The last two axes apart, batches must agree; the public functions would broadcast them.
void require_product(const Array& a, const Array& b) {
  bool fits = a.ndim() >= 2 && a.ndim() == b.ndim() && a.shape(-1) == b.shape(-2) &&
              a.dtype() == b.dtype() &&
              std::equal(a.shape().begin(), a.shape().end() - 2, b.shape().begin());
  if (!fits) {
    throw std::invalid_argument(fmt::format("operands of shapes {} and {} do not fit",
                                            to_string(a.shape()), to_string(b.shape())));
  }
}

// (groups * n, ..., last) with the groups' share of the first and the last axis swapped:
// (groups * last, ..., n).
Array swap_ends(const Array& x, int groups, const Stream& s) {
  Array split = unflatten(x, 0, {groups, -1}, s);
  return flatten(swapaxes(split, 1, -1, s), 0, 1, s);
}

// The gradient of a convolution's input is a convolution of the cotangent with the kernel turned
// around: strides and dilation of the input change places.
Array input_gradient(const ConvolutionBackwardInput& op, const Arrays& in, const Stream& s) {
  const ConvAttributes& c = op.params;
  const Array &g = in[0], &w = in[1];
  std::vector<int> low, high;
  Shape start(g.shape().size(), 0), stop = op.shape;
  bool cut = false;
  for (size_t d = 0; d < c.strides.size(); d++) {
    int64_t reach = c.kernel_dilation[d] * (w.shape()[d + 1] - 1);
    int64_t before = reach - c.low[d];
    int64_t dilated = c.input_dilation[d] * (op.shape[d + 1] - 1) + 1;
    int64_t spread = c.strides[d] * (g.shape()[d + 1] - 1) + 1;
    if (before < 0) {
      // More padding than the kernel reaches: what falls on it is cut off afterwards.
      if (-before % c.input_dilation[d] != 0) {
        throw std::invalid_argument(
            "[export_function] Unable to serialize primitive ConvolutionBackwardInput with more "
            "padding than kernel and a dilated input");
      }
      int64_t skip = -before / c.input_dilation[d];
      start[d + 1] = skip;
      stop[d + 1] += skip;
      dilated -= before;
      before = 0;
      cut = true;
    }
    int64_t after = dilated + reach - spread - before;
    low.push_back(static_cast<int>(before));
    high.push_back(static_cast<int>(std::max<int64_t>(after, 0)));
    cut |= after < 0;
  }
  Array out = conv_general(g, swap_ends(w, c.groups, s), ints(c.input_dilation), low, high,
                           ints(c.kernel_dilation), ints(c.strides), c.groups, !c.flip, s);
  return cut ? slice(out, start, stop, s) : out;
}

// The gradient of the kernel is a convolution of the input with the cotangent, examples and
// channels exchanged: strides and dilation of the kernel change places.
Array weight_gradient(const ConvolutionBackwardWeight& op, const Arrays& in, const Stream& s) {
  const ConvAttributes& c = op.params;
  const int groups = c.groups;
  // (N, ..., groups * C) -> (C, ..., groups * N)
  Array x = unflatten(in[0], -1, {groups, -1}, s);
  x = flatten(swapaxes(x, 0, -1, s), -2, -1, s);
  Array g = swapaxes(in[1], 0, -1, s);  // (O, ..., N)
  Array out = conv_general(x, g, ints(c.kernel_dilation), ints(c.low), ints(c.high),
                           ints(c.strides), ints(c.input_dilation), groups, false, s);
  out = swapaxes(out, 0, -1,
                 s);  // (O, kernel..., C), where strides left a rest longer than the kernel
  const bool strided =
      std::any_of(c.strides.begin(), c.strides.end(), [](int64_t n) { return n > 1; });
  if (strided) out = slice(out, Shape(op.shape.size(), 0), op.shape, s);
  if (!c.flip) return out;
  std::vector<int> spatial(c.strides.size());
  std::iota(spatial.begin(), spatial.end(), 1);
  return flip(out, spatial, s);
}

}  // namespace

Rows product_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"Matmul", {}, 2, 2, [](const Reading& r) {
                 require_product(r.in[0], r.in[1]);
                 return Arrays{matmul(r.in[0], r.in[1], r.stream)};
               }});
  s.push_back({"Matmul", "Matmul"});

  p.push_back(
      {"AddMM", {{"alpha", Kind::real32}, {"beta", Kind::real32}}, 3, 3, [](const Reading& r) {
         require_product(r.in[0], r.in[1]);
         return Arrays{addmm(r.in[2], r.in[0], r.in[1], static_cast<float>(r.real(0)),
                             static_cast<float>(r.real(1)), r.stream)};
       }});
  s.push_back({"AddMM", "AddMM", [](const Writing& w) {
                 const auto& op = op_of<AddMM>(w);
                 return Values{double{op.alpha}, double{op.beta}};
               }});

  p.push_back({"Convolution",
               {{"stride", Kind::axes},
                {"padding_low", Kind::axes},
                {"padding_high", Kind::axes},
                {"kernel_dilation", Kind::axes},
                {"input_dilation", Kind::axes},
                {"groups", Kind::integer},
                {"flip", Kind::boolean}},
               2,
               2,
               [](const Reading& r) {
                 return Arrays{conv_general(r.in[0], r.in[1], r.axes(0), r.axes(1), r.axes(2),
                                            r.axes(3), r.axes(4), r.integer(5), r.flag(6),
                                            r.stream)};
               }});
  s.push_back(
      {"Convolution", "Convolution", [](const Writing& w) {
         const ConvAttributes& c = op_of<Convolution>(w).params;
         return Values{
             list(c.strides),        list(c.low),       list(c.high), list(c.kernel_dilation),
             list(c.input_dilation), int64_t{c.groups}, c.flip};
       }});

  Spelling input{"ConvolutionBackwardInput"};
  input.write = [](const Writing& w) {
    return w.to.compose(w.in, [&](const Arrays& in) {
      return Arrays{input_gradient(op_of<ConvolutionBackwardInput>(w), in, to_stream({}))};
    });
  };
  s.push_back(input);
  Spelling weight{"ConvolutionBackwardWeight"};
  weight.write = [](const Writing& w) {
    return w.to.compose(w.in, [&](const Arrays& in) {
      return Arrays{weight_gradient(op_of<ConvolutionBackwardWeight>(w), in, to_stream({}))};
    });
  };
  s.push_back(weight);
  return rows;
}

}  // namespace heddle::convert::mlxfn
