#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "cpu/conv.h"
#include "tensor.h"

using namespace heddle;
using namespace heddle::test;
using cpu::ConvParams;

namespace {

struct Case {
  const char* name;
  Shape input;  // (N, spatial..., C)
  int64_t out_channels;
  Shape kernel;
  ConvParams params;
};

Shape out_shape(const Case& c) {
  Shape shape{c.input[0]};
  for (size_t d = 0; d < c.kernel.size(); d++) {
    int64_t extent =
        (c.input[d + 1] - 1) * c.params.input_dilation[d] + 1 + c.params.low[d] + c.params.high[d];
    int64_t window = (c.kernel[d] - 1) * c.params.kernel_dilation[d] + 1;
    shape.push_back((extent - window) / c.params.strides[d] + 1);
  }
  shape.push_back(c.out_channels);
  return shape;
}

Shape weight_shape(const Case& c) {
  Shape shape{c.out_channels};
  for (int64_t k : c.kernel) shape.push_back(k);
  shape.push_back(c.input.back() / c.params.groups);
  return shape;
}

// Calls f(input index, weight index, out index) for every product of the convolution.
void each_product(const Case& c, const std::function<void(Shape, Shape, Shape)>& f) {
  int64_t in_per_group = c.input.back() / c.params.groups;
  int64_t out_per_group = c.out_channels / c.params.groups;
  each_index(out_shape(c), [&](const Shape& o) {
    int64_t g = o.back() / out_per_group;
    each_index(c.kernel, [&](const Shape& k) {
      Shape x{o[0]}, w{o.back()};
      for (size_t d = 0; d < k.size(); d++) {
        int64_t at =
            o[d + 1] * c.params.strides[d] - c.params.low[d] + k[d] * c.params.kernel_dilation[d];
        if (at < 0 || at % c.params.input_dilation[d] != 0) return;
        at /= c.params.input_dilation[d];
        if (at >= c.input[d + 1]) return;
        x.push_back(at);
        w.push_back(c.params.flip ? c.kernel[d] - 1 - k[d] : k[d]);
      }
      x.push_back(0);
      w.push_back(0);
      for (int64_t i = 0; i < in_per_group; i++) {
        x.back() = g * in_per_group + i;
        w.back() = i;
        f(x, w, o);
      }
    });
  });
}

// The sums that each_product gives for one of the three arrays, beside what was computed.
double error_of(const Tensor& got, const std::vector<double>& wanted, int64_t length) {
  double worst = 0;
  size_t i = 0;
  each_index(got.view.shape, [&](const Shape& index) {
    double error = std::abs(got.at(index).real() - wanted[i++]) / tolerance(got.view.dtype, length);
    if (!(error <= worst)) worst = error;
  });
  return worst;
}

int64_t row_major(const Shape& shape, const Shape& index) {
  int64_t at = 0;
  for (size_t d = 0; d < shape.size(); d++) at = at * shape[d] + index[d];
  return at;
}

std::vector<Case> cases() {
  return {
      {"1-d", {2, 9, 3}, 4, {3}, {{1}, {1}, {1}, {1}, {1}}},
      {"1-d strided, one-sided padding", {2, 11, 3}, 4, {4}, {{2}, {3}, {0}, {1}, {1}}},
      {"2-d", {2, 7, 6, 5}, 8, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
      {"2-d wide", {1, 8, 8, 32}, 48, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
      {"pointwise", {2, 5, 5, 16}, 32, {1, 1}, {{1, 1}, {0, 0}, {0, 0}, {1, 1}, {1, 1}}},
      {"strided, dilated", {1, 12, 13, 4}, 6, {3, 2}, {{2, 3}, {1, 0}, {2, 1}, {2, 3}, {1, 1}}},
      {"grouped", {2, 6, 7, 6}, 9, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 3}},
      {"depthwise", {2, 6, 7, 16}, 16, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 16}},
      {"depthwise, two each",
       {1, 6, 5, 5},
       10,
       {3, 3},
       {{2, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 5}},
      {"flipped", {2, 6, 5, 4}, 3, {3, 2}, {{1, 1}, {1, 1}, {1, 0}, {1, 1}, {1, 1}, 1, true}},
      {"transposed", {2, 4, 5, 6}, 5, {3, 3}, {{1, 1}, {1, 1}, {2, 1}, {1, 1}, {2, 2}, 1, true}},
      {"transposed, grouped",
       {1, 4, 4, 6},
       4,
       {3, 4},
       {{1, 1}, {2, 3}, {2, 3}, {1, 1}, {3, 2}, 2, true}},
      {"dilated input, not flipped",
       {1, 4, 5, 3},
       4,
       {3, 3},
       {{1, 1}, {1, 2}, {1, 0}, {1, 1}, {2, 3}}},
      {"dilated input and stride",
       {1, 6, 5, 3},
       4,
       {3, 2},
       {{3, 2}, {1, 2}, {1, 0}, {1, 2}, {2, 3}}},
      {"more padding than kernel",
       {1, 3, 3, 2},
       4,
       {2, 2},
       {{1, 1}, {3, 4}, {5, 2}, {1, 1}, {1, 1}}},
      {"dilated input, much padding",
       {1, 3, 3, 2},
       4,
       {2, 2},
       {{1, 1}, {3, 4}, {5, 2}, {1, 1}, {2, 2}}},
      {"negative padding", {1, 8, 9, 2}, 4, {3, 3}, {{1, 2}, {-1, 1}, {0, -2}, {1, 1}, {1, 1}}},
      {"negative padding of dilated input",
       {1, 5, 5, 2},
       4,
       {3, 3},
       {{1, 1}, {-1, 2}, {-2, -3}, {1, 1}, {2, 3}}},
      {"unread last row", {1, 8, 8, 3}, 4, {3, 3}, {{2, 3}, {0, 0}, {0, 0}, {1, 1}, {1, 1}}},
      {"3-d",
       {1, 4, 5, 6, 3},
       4,
       {2, 3, 2},
       {{1, 1, 1}, {1, 1, 0}, {0, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      {"3-d strided, grouped",
       {2, 5, 5, 5, 4},
       6,
       {2, 2, 3},
       {{2, 1, 2}, {0, 1, 1}, {0, 1, 1}, {1, 2, 1}, {1, 1, 1}, 2}},
      {"3-d transposed",
       {1, 3, 3, 3, 2},
       3,
       {2, 2, 2},
       {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {2, 2, 2}, 1, true}},
  };
}

const Dtype dtypes[] = {float32, float16, bfloat16, float64};

}  // namespace

TEST_CASE("conv and its gradients equal the plain loops") {
  for (Dtype t : dtypes) {
    for (const Case& c : cases()) {
      for (bool strided : {false, true}) {
        CAPTURE(name_of(t));
        CAPTURE(c.name);
        CAPTURE(strided);
        auto order = [&](size_t rank) {
          std::vector<int> reversed;
          for (size_t i = 0; strided && i < rank; i++)
            reversed.push_back(static_cast<int>(rank - 1 - i));
          return reversed;
        };
        size_t rank = c.input.size();
        Shape result = out_shape(c), kernel = weight_shape(c);
        Tensor x(t, c.input, order(rank)), w(t, kernel, order(rank)), y(t, result);
        Tensor dy(t, result, order(rank)), dx(t, c.input), dw(t, kernel);
        x.fill(1), w.fill(2), dy.fill(3);
        std::vector<double> y_sum(y.view.size()), dx_sum(dx.view.size()), dw_sum(dw.view.size());
        each_product(c, [&](const Shape& xi, const Shape& wi, const Shape& yi) {
          double xv = x.at(xi).real(), wv = w.at(wi).real(), dyv = dy.at(yi).real();
          y_sum[row_major(result, yi)] += xv * wv;
          dx_sum[row_major(c.input, xi)] += dyv * wv;
          dw_sum[row_major(kernel, wi)] += dyv * xv;
        });
        int64_t taps = element_count(c.kernel);
        cpu::conv(x.view, w.view, y.view, c.params);
        CHECK(error_of(y, y_sum, taps * kernel.back()) <= 1);
        cpu::conv_backward_input(dy.view, w.view, dx.view, c.params);
        CHECK(error_of(dx, dx_sum, taps * c.out_channels / c.params.groups) <= 1);
        cpu::conv_backward_weight(x.view, dy.view, dw.view, c.params);
        CHECK(error_of(dw, dw_sum, element_count(result) / c.out_channels) <= 1);
      }
    }
  }
}

TEST_CASE("conv of empty arrays") {
  ConvParams p{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  Tensor w(float32, {4, 3, 3, 2}), none(float32, {0, 5, 5, 2}), no_out(float32, {0, 5, 5, 4});
  cpu::conv(none.view, w.view, no_out.view, p);
  w.fill(1);
  cpu::conv_backward_weight(none.view, no_out.view, w.view, p);
  each_index(w.view.shape, [&](const Shape& i) { CHECK(w.at(i) == Number(0)); });
  Tensor no_channels(float32, {1, 5, 5, 0}), thin(float32, {4, 3, 3, 0}),
      out(float32, {1, 5, 5, 4});
  out.fill(2);
  cpu::conv(no_channels.view, thin.view, out.view, p);
  each_index(out.view.shape, [&](const Shape& i) { CHECK(out.at(i) == Number(0)); });
}
