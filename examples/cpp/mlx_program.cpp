// A program written for MLX's C++ interface, unchanged: it includes mlx/mlx.h and links heddle.
// Logistic regression by gradient descent, and derivatives of a function of one array.
#include <cmath>
#include <iostream>

#include "mlx/mlx.h"

namespace mx = mlx::core;

int main() {
  // The third derivative of exp(2 x) is 8 exp(2 x).
  auto f = [](const mx::array& x) { return mx::exp(2.0f * x); };
  mx::array third = mx::grad(mx::grad(mx::grad(f)))(mx::array(0.5f));
  std::cout << "third derivative " << third << std::endl;
  bool right = std::abs(third.item<float>() - 8.0f * std::exp(1.0f)) < 1e-3f;

  // Rows of a matrix, one at a time.
  mx::array a({1.0f, 2.0f, 3.0f, 4.0f}, {2, 2});
  auto norms = mx::vmap([](const mx::array& row) { return mx::sqrt(mx::sum(mx::square(row))); });
  std::cout << norms(a) << std::endl;

  constexpr int features = 20, examples = 1000;
  mx::random::seed(3);
  auto truth = mx::random::normal({features});
  auto inputs = mx::random::normal({examples, features});
  auto labels = mx::matmul(inputs, truth) > mx::array(0.0f);
  auto weights = 1e-2f * mx::random::normal({features});

  auto loss = [&](const mx::array& w) {
    auto logits = mx::matmul(inputs, w);
    return (1.0f / examples) * mx::sum(mx::logaddexp(mx::array(0.0f), logits) - labels * logits);
  };
  auto gradient = mx::grad(loss);
  for (int i = 0; i < 500; i++) {
    weights = weights - 0.5f * gradient(weights);
    mx::eval(weights);
  }
  auto agreed = mx::mean((mx::matmul(inputs, weights) > mx::array(0.0f)) == labels);
  std::cout << "accuracy " << agreed.item<float>() << std::endl;
  return right && agreed.item<float>() > 0.95f ? 0 : 1;
}
