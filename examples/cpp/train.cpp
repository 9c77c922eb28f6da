// Trains a small network on two interleaved spirals: a module, a loss, gradients, an optimizer with
// a schedule. Given a path, it saves the weights there, for the Python package as well.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "heddle/heddle.h"
#include "heddle/nn.h"
#include "heddle/optim.h"

namespace hd = heddle;
namespace nn = heddle::nn;

class Classifier : public nn::Module {
 public:
  hd::Array operator()(const hd::Array& x) { return out(body(x)); }
  void members(nn::Members& m) override { m("body", body)("out", out); }

 private:
  nn::Sequential body{nn::Linear(2, 32), nn::silu, nn::Linear(32, 32), nn::silu};
  nn::Linear out{32, 2};
};

int main(int argc, char** argv) {
  hd::random::seed(1);
  std::vector<float> points;
  std::vector<int> labels;
  for (int i = 0; i < 400; i++) {
    const float turn = static_cast<float>(i / 2) / 200.0f * 7.0f, radius = 0.1f + turn / 7.0f;
    const float side = i % 2 == 0 ? 1.0f : -1.0f;
    points.push_back(side * radius * std::cos(turn));
    points.push_back(side * radius * std::sin(turn));
    labels.push_back(i % 2);
  }
  const hd::Array x(points.begin(), hd::Shape{400, 2}), y(labels.begin(), hd::Shape{400});

  Classifier model;
  hd::optim::Adam optimizer(hd::optim::cosine_decay(0.02, 300));
  for (int step = 0; step < 300; step++) {
    auto [loss, gradients] = nn::value_and_grad(model, [&] {
      return nn::losses::cross_entropy(model(x), y, {}, -1, 0.0, nn::losses::Reduction::mean);
    });
    optimizer.update(model, gradients);
    hd::Arrays changed{loss};
    for (auto& [path, parameter] : model.parameters()) changed.push_back(parameter);
    hd::eval(changed);
    if (step % 100 == 99) std::printf("step %3d: loss %.4f\n", step + 1, loss.item<float>());
  }
  const hd::Array right = hd::equal(hd::argmax(model(x), -1), hd::astype(y, hd::uint32));
  const float accuracy = hd::mean(hd::astype(right, hd::float32)).item<float>();
  std::printf("accuracy %.1f %%\n", 100.0f * accuracy);
  if (argc > 1) model.save_weights(argv[1]);
  return accuracy > 0.95f ? 0 : 1;
}
