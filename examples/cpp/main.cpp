// Fits a line to noisy points by gradient descent: arrays, a compiled gradient, evaluation.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "heddle/heddle.h"

namespace hd = heddle;

int main() {
  std::printf("heddle %s\n", std::string(hd::version()).c_str());

  // y = 2 x + 1 with a disturbance that no line can follow.
  std::vector<float> x, y;
  for (int i = 0; i < 64; i++) {
    x.push_back(static_cast<float>(i) / 32.0f - 1.0f);
    y.push_back(2.0f * x.back() + 1.0f + 0.1f * std::sin(50.0f * x.back()));
  }
  hd::Array inputs(x.begin(), hd::Shape{64}), targets(y.begin(), hd::Shape{64});

  auto loss = [&](const hd::Arrays& parameters) {
    hd::Array error = parameters[0] * inputs + parameters[1] - targets;
    return hd::Arrays{hd::sum(hd::square(error)) / hd::Array(64.0f)};
  };
  auto step = hd::compile([&](const hd::Arrays& parameters) {
    auto [value, gradients] = hd::value_and_grad(loss, {0, 1})(parameters);
    hd::Array rate(0.5f);
    return hd::Arrays{parameters[0] - rate * gradients[0], parameters[1] - rate * gradients[1],
                      value[0]};
  });

  hd::Arrays state{hd::Array(0.0f), hd::Array(0.0f)};
  float value = 0.0f;
  for (int i = 0; i < 100; i++) {
    hd::Arrays next = step(state);
    hd::eval(next);
    state = {next[0], next[1]};
    value = next[2].item<float>();
  }
  float slope = state[0].item<float>(), offset = state[1].item<float>();
  std::printf("slope %.3f, offset %.3f, mean squared error %.4f\n", slope, offset, value);
  return std::abs(slope - 2.0f) < 0.05f && std::abs(offset - 1.0f) < 0.05f ? 0 : 1;
}
