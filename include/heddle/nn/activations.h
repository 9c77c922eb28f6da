// Activation functions. All work element by element and keep the dtype, but that integers become
// float32 where the result is not one; softmax, softmin, log_softmax and glu work along an axis.
#pragma once

#include "heddle/array.h"

namespace heddle::nn {

Array relu(const Array& x);                                      // max(x, 0)
Array relu2(const Array& x);                                     // max(x, 0)^2
Array relu6(const Array& x);                                     // min(max(x, 0), 6)
Array leaky_relu(const Array& x, double negative_slope = 0.01);  // max(a x, x)
Array prelu(const Array& x, const Array& alpha);                 // max(0, x) + alpha min(0, x)
Array elu(const Array& x, double alpha = 1.0);                   // x, alpha (e^x - 1) below zero
Array celu(const Array& x, double alpha = 1.0);  // max(0, x) + alpha (e^(min(0, x) / alpha) - 1)
Array selu(const Array& x);                      // 1.0507 elu(x, 1.67326)
Array silu(const Array& x);                      // x sigmoid(x)
Array gelu(const Array& x);                      // x Phi(x), Phi the normal distribution
Array gelu_approx(const Array& x);               // the same by a tanh, off by less than 0.0005
Array gelu_fast_approx(const Array& x);          // x sigmoid(1.702 x), off by less than 0.015
Array mish(const Array& x);                      // x tanh(softplus(x))
Array softplus(const Array& x);                  // log(1 + e^x)
Array softsign(const Array& x);                  // x / (1 + |x|)
Array softshrink(const Array& x, double lambda = 0.5);   // towards zero by lambda
Array hard_shrink(const Array& x, double lambda = 0.5);  // zero within lambda of it
Array hard_tanh(const Array& x, double lowest = -1.0, double highest = 1.0);
Array hardswish(const Array& x);                     // x min(max(x + 3, 0), 6) / 6
Array step(const Array& x, double threshold = 0.0);  // int32: 1 from the threshold on
Array log_sigmoid(const Array& x);
Array softmin(const Array& x, int axis = -1);
Array log_softmax(const Array& x, int axis = -1);
Array glu(const Array& x, int axis = -1);  // a sigmoid(b) for the halves a, b of x

}  // namespace heddle::nn
