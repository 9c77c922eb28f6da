#include "heddle/nn/init.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/random.h"
#include "heddle/ops/shape.h"
#include "heddle/ops/sort.h"
#include "nn/shown.h"

namespace heddle::nn::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans_of(const Shape& shape) {
  if (shape.size() < 2) {
    throw std::invalid_argument(
        fmt::format("Glorot / He initialization requires at least 2 dimensional input but input "
                    "with {} dimensions.",
                    shape.size()));
  }
  double field = 1;
  for (size_t i = 1; i + 1 < shape.size(); i++) field *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape.back()) * field, static_cast<double>(shape.front()) * field};
}

double total(const Fans& fans) { return fans.in + fans.out; }
double chosen(const Fans& fans, Fan mode) { return mode == Fan::in ? fans.in : fans.out; }

Array scaled_normal(const Shape& shape, double deviation, Dtype dtype, const Key& key) {
  return random::normal(shape, dtype, std::nullopt, Array(deviation, dtype), key);
}
Array within(const Shape& shape, double bound, Dtype dtype, const Key& key) {
  return uniform(shape, -bound, bound, dtype, key);
}

}  // namespace

Fan fan_from(const std::string& name) {
  if (name == "fan_in") return Fan::in;
  if (name == "fan_out") return Fan::out;
  throw std::invalid_argument(
      fmt::format("Invalid mode: {}. Valid modes are: fan_in, fan_out", name));
}

Array constant(const Shape& shape, double value, Dtype dtype) {
  return full(shape, Array(value, dtype), dtype);
}
Array normal(const Shape& shape, double mean, double std, Dtype dtype, const Key& key) {
  return random::normal(shape, dtype, Array(mean, dtype), Array(std, dtype), key);
}
Array uniform(const Shape& shape, double low, double high, Dtype dtype, const Key& key) {
  return random::uniform(Array(low, dtype), Array(high, dtype), shape, dtype, key);
}
Array identity(const Shape& shape, Dtype dtype) {
  if (shape.size() != 2 || shape[0] != shape[1]) {
    throw std::invalid_argument(
        fmt::format("The input array must be a square matrix but got shape {}.", shown(shape)));
  }
  return eye(static_cast<int>(shape[0]), dtype);
}

Array glorot_normal(const Shape& shape, double gain, Dtype dtype, const Key& key) {
  return scaled_normal(shape, gain * std::sqrt(2.0 / total(fans_of(shape))), dtype, key);
}
Array glorot_uniform(const Shape& shape, double gain, Dtype dtype, const Key& key) {
  return within(shape, gain * std::sqrt(6.0 / total(fans_of(shape))), dtype, key);
}
Array he_normal(const Shape& shape, Fan mode, double gain, Dtype dtype, const Key& key) {
  return scaled_normal(shape, gain / std::sqrt(chosen(fans_of(shape), mode)), dtype, key);
}
Array he_uniform(const Shape& shape, Fan mode, double gain, Dtype dtype, const Key& key) {
  return within(shape, gain * std::sqrt(3.0 / chosen(fans_of(shape), mode)), dtype, key);
}

Array sparse(const Shape& shape, double sparsity, double mean, double std, Dtype dtype) {
  if (shape.size() != 2) {
    throw std::invalid_argument("Only tensors with 2 dimensions are supported");
  }
  const double wanted = std::ceil(sparsity * static_cast<double>(shape[1]));
  const auto zeros_in_row = std::clamp<int64_t>(static_cast<int64_t>(wanted), 0, shape[1]);
  Array order = argsort(random::uniform(shape), 1);
  Array values = normal(shape, mean, std, dtype);
  Array places = slice(order, Shape{0, 0}, Shape{shape[0], zeros_in_row});
  return put_along_axis(values, places, Array(0, dtype), 1);
}

Array orthogonal(const Shape& shape, double gain, Dtype dtype, const Key& key) {
  if (shape.size() != 2) {
    throw std::invalid_argument(fmt::format(
        "Orthogonal initialization requires a 2D array but got a {}D array.", shape.size()));
  }
  auto n = std::max(shape[0], shape[1]);
  auto [q, r] = linalg::qr(random::normal({n, n}, float32, key));
  // With the signs of R's diagonal taken over, the result is evenly distributed.
  Array even = q * sign(diag(r));
  return astype(slice(even, Shape{0, 0}, shape) * Array(gain), dtype);
}

}  // namespace heddle::nn::init
