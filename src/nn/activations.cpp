#include "heddle/nn/activations.h"

#include <cmath>
#include <numbers>

#include "heddle/ops.h"
#include "nn/scalar.h"

namespace heddle::nn {

Array relu(const Array& x) { return maximum(x, integer(0, x)); }
Array relu2(const Array& x) { return square(relu(x)); }
Array relu6(const Array& x) { return minimum(relu(x), scalar(6, x)); }
Array leaky_relu(const Array& x, double negative_slope) {
  return maximum(scalar(negative_slope, x) * x, x);
}
Array prelu(const Array& x, const Array& alpha) {
  return relu(x) + alpha * minimum(x, integer(0, x));
}

Array elu(const Array& x, double alpha) {
  Array below = scalar(alpha, x) * (exp(x) - scalar(1, x));
  return where(x > integer(0, x), x, below);
}
Array celu(const Array& x, double alpha) {
  Array a = scalar(alpha, x), zero = scalar(0, x);
  return maximum(x, zero) + a * (exp(minimum(x, zero) / a) - scalar(1, x));
}
Array selu(const Array& x) { return elu(x, 1.67326) * scalar(1.0507, x); }
Array silu(const Array& x) { return x * sigmoid(x); }

Array gelu(const Array& x) {
  Array distribution = scalar(1, x) + erf(x / scalar(std::numbers::sqrt2, x));
  return x * distribution / scalar(2, x);
}
Array gelu_approx(const Array& x) {
  Array cubic = x + scalar(0.044715, x) * power(x, integer(3, x));
  Array wave = tanh(scalar(std::sqrt(2 * std::numbers::inv_pi), x) * cubic);
  return scalar(0.5, x) * x * (scalar(1, x) + wave);
}
Array gelu_fast_approx(const Array& x) { return x * sigmoid(scalar(1.702, x) * x); }

Array mish(const Array& x) { return x * tanh(softplus(x)); }
Array softplus(const Array& x) { return logaddexp(x, integer(0, x)); }
Array softsign(const Array& x) { return x / (integer(1, x) + abs(x)); }
Array softshrink(const Array& x, double lambda) {
  Array bound = scalar(lambda, x);
  return where(abs(x) > bound, x - sign(x) * bound, integer(0, x));
}
Array hard_shrink(const Array& x, double lambda) {
  return where(abs(x) > scalar(lambda, x), x, integer(0, x));
}
Array hard_tanh(const Array& x, double lowest, double highest) {
  return minimum(maximum(x, scalar(lowest, x)), scalar(highest, x));
}
Array hardswish(const Array& x) {
  Array gate = minimum(maximum(x + integer(3, x), integer(0, x)), integer(6, x));
  return x * gate / scalar(6, x);
}
Array step(const Array& x, double threshold) {
  return where(x >= scalar(threshold, x), Array(1), Array(0));
}
Array log_sigmoid(const Array& x) { return negative(softplus(negative(x))); }

Array softmin(const Array& x, int axis) { return softmax(negative(x), axis); }
Array log_softmax(const Array& x, int axis) { return x - logsumexp(x, {axis}, true); }
Array glu(const Array& x, int axis) {
  Arrays halves = split(x, 2, axis);
  return halves[0] * sigmoid(halves[1]);
}

}  // namespace heddle::nn
