// Activations in forms that hold at infinity and in their derivatives: no branch that is not taken
// overflows, nothing that can be infinite is multiplied by what vanishes.
#include "heddle/nn/activations.h"

#include <cmath>
#include <numbers>

#include "heddle/ops/pointwise.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "nn/scalar.h"
#include "nn/wide.h"

namespace heddle::nn {
namespace {

// x * gate(x) for a gate that rises from 0 to 1 and has reached them at -bound and bound. Beyond
// these the derivative goes through the factor alone: infinity times a vanishing slope is left out
// by the minimum.
template <class Gate>
Array gated(const Array& given, double bound, Gate gate) {
  Array x = widened_to_float(given);
  if (is_complex(x.dtype())) return x * gate(x);
  Array factor = maximum(x, scalar(-bound, x));
  return rounded(factor * gate(minimum(factor, scalar(bound, x))), given.dtype());
}
// Where sigmoids have long come to rest, in float64 too.
constexpr double resting = 1000;

// x above zero, and below(x) from there down, which sees no other values.
template <class Below>
Array continued(const Array& x, Below below) {
  Array positive = x > integer(0, x);
  return where(positive, x, below(where(positive, integer(0, x), x)));
}

Array wide_elu(const Array& x, double alpha) {
  return continued(x, [&](const Array& y) { return scalar(alpha, y) * expm1(y); });
}

}  // namespace

Array relu(const Array& x) { return maximum(x, integer(0, x)); }
Array relu2(const Array& x) { return square(relu(x)); }
Array relu6(const Array& x) { return minimum(relu(x), scalar(6, x)); }
Array leaky_relu(const Array& given, double negative_slope) {
  if (negative_slope == 0) return relu(given);
  Array x = widened_to_float(given);
  // The larger of x and slope x, by the sign of x: at infinity they do not differ.
  auto times = [&](double slope) { return slope == 1 ? x : scalar(slope, x) * x; };
  Array y = where(x >= scalar(0, x), times(std::max(negative_slope, 1.0)),
                  times(std::min(negative_slope, 1.0)));
  return rounded(y, given.dtype());
}
Array prelu(const Array& given, const Array& alpha) {
  Array x = widened(given), zero = integer(0, x);
  Array y = where(x >= zero, x, widened(alpha) * minimum(x, zero));
  return rounded(y, together({given, alpha}));
}

Array elu(const Array& x, double alpha) { return rounded(wide_elu(widened(x), alpha), x.dtype()); }
Array celu(const Array& given, double alpha) {
  Array x = widened_to_float(given), a = scalar(alpha, x);
  return rounded(continued(x, [&](const Array& y) { return a * expm1(y / a); }), given.dtype());
}
Array selu(const Array& given) {
  Array x = widened_to_float(given);
  return rounded(wide_elu(x, 1.67326) * scalar(1.0507, x), given.dtype());
}
Array silu(const Array& x) {
  return gated(x, resting, [](const Array& y) { return sigmoid(y); });
}

Array gelu(const Array& x) {
  return gated(x, 50, [](const Array& y) {
    const Array half = scalar(0.5, y);
    return half + half * erf(y * scalar(std::numbers::sqrt2 / 2, y));
  });
}
Array gelu_approx(const Array& x) {
  // (1 + tanh(z)) / 2 is sigmoid(2 z), which keeps the digits below zero.
  return gated(x, 50, [](const Array& y) {
    Array cubic = y * (scalar(1, y) + scalar(0.044715, y) * square(y));
    return sigmoid(scalar(2 * std::sqrt(2 * std::numbers::inv_pi), y) * cubic);
  });
}
Array gelu_fast_approx(const Array& x) {
  return gated(x, resting, [](const Array& y) { return sigmoid(scalar(1.702, y) * y); });
}

Array mish(const Array& x) {
  return gated(x, resting, [](const Array& y) { return tanh(softplus(y)); });
}
Array softplus(const Array& given) {
  Array x = widened(given);
  return rounded(logaddexp(x, integer(0, x)), given.dtype());
}
Array softsign(const Array& given) {
  Array x = widened_to_float(given);
  // From 2^60 on the result is 1.
  if (!is_complex(x.dtype())) x = clip(x, scalar(-0x1p60, x), scalar(0x1p60, x));
  return rounded(x / (scalar(1, x) + abs(x)), given.dtype());
}
// Within lambda is what is not beyond it: NaN stays NaN.
Array softshrink(const Array& given, double lambda) {
  Array x = widened_to_float(given), bound = scalar(lambda, x);
  return rounded(where(abs(x) <= bound, scalar(0, x), x - sign(x) * bound), given.dtype());
}
Array hard_shrink(const Array& given, double lambda) {
  Array x = widened(given);
  return where(abs(x) <= scalar(lambda, x), integer(0, given), given);
}
Array hard_tanh(const Array& x, double lowest, double highest) {
  return minimum(maximum(x, scalar(lowest, x)), scalar(highest, x));
}
Array hardswish(const Array& x) {
  return gated(x, 3, [](const Array& y) { return (y + scalar(3, y)) / scalar(6, y); });
}
Array step(const Array& given, double threshold) {
  Array x = widened(given);
  return where(x >= scalar(threshold, x), Array(1), Array(0));
}
Array log_sigmoid(const Array& x) { return rounded(-softplus(-widened_to_float(x)), x.dtype()); }

Array softmin(const Array& x, int axis) {
  return rounded(softmax(-widened_to_float(x), axis), x.dtype());
}
Array log_softmax(const Array& given, int axis) {
  // The largest is taken away first: the difference of two large numbers has few digits.
  Array x = widened_to_float(given);
  Array top = stop_gradient(max(x, {axis}, true));
  Array shifted = where(isposinf(x), scalar(0, x), x - top);
  return rounded(shifted - log(sum(exp(shifted), {axis}, true)), given.dtype());
}
Array glu(const Array& x, int axis) {
  Arrays halves = split(x, 2, axis);
  return rounded(widened(halves[0]) * sigmoid(widened(halves[1])), x.dtype());
}

}  // namespace heddle::nn
