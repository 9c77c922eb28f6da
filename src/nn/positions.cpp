// Ways of telling attention where a token stands.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "heddle/nn/functional.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/shape.h"
#include "nn/scalar.h"
#include "nn/shown.h"
#include "nn/wide.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {

Array sinusoidal_frequencies(int dims, double min_freq, double max_freq, bool full_turns) {
  if (dims <= 0 || dims % 2 != 0) {
    refuse("sinusoidal_frequencies",
           fmt::format("dims must be positive and even but got {}.", dims));
  }
  // A single one is the highest.
  const Array position = Array(1.f) - arange(0, dims / 2) / Array(std::max(dims / 2 - 1, 1));
  const double lowest = std::log(min_freq), highest = std::log(max_freq);
  const Array exponent = position * scalar(highest - lowest, position) + scalar(lowest, position);
  const Array frequencies = exp(exponent);
  return full_turns ? frequencies * scalar(2 * std::numbers::pi, frequencies) : frequencies;
}

Array sinusoidal_encoding(const Array& positions, const Array& frequencies, double scale,
                          bool cos_first) {
  const Array angles = expand_dims(positions, -1) * frequencies;
  Arrays waves{sin(angles), cos(angles)};
  if (cos_first) std::swap(waves[0], waves[1]);
  const Array y = concatenate(waves, -1);
  return scale == 1 ? y : y * scalar(scale, y);
}

Array alibi_slopes(int heads, Dtype dtype) {
  if (heads < 1) refuse("alibi", fmt::format("There is at least one head, not {}.", heads));
  int lower = 1;
  while (2 * lower <= heads) lower *= 2;
  std::vector<float> values;
  for (int i = 0; i < lower; i++) {
    values.push_back(static_cast<float>(std::exp2(-8.0 * (i + 1) / lower)));
  }
  for (int i = 0; i < heads - lower; i++) {
    values.push_back(static_cast<float>(std::exp2(-8.0 * (2 * i + 1) / (2 * lower))));
  }
  return expand_dims(Array(values.begin(), Shape{heads}, dtype), std::vector<int>{1, 2});
}

Array alibi_matrix(int queries, int keys, int heads, int offset, Dtype dtype) {
  // Distances beyond 2048 are not numbers of a float16.
  const Dtype wide = is_half(dtype) ? float32 : dtype;
  const Array rows = expand_dims(arange(offset, queries), 1);
  const Array distance = -abs(rows - expand_dims(arange(0, keys), 0));
  const Array biases =
      astype(expand_dims(distance, std::vector<int>{0, 1}), wide) * alibi_slopes(heads, wide);
  return astype(biases, dtype);
}

Array alibi(const Array& scores, int offset, const std::optional<Array>& mask) {
  if (scores.ndim() < 3) {
    refuse("alibi",
           fmt::format("Scores have the axes (..., heads, queries, keys), not the shape {}.",
                       shown(scores.shape())));
  }
  size_read(scores);
  const Array wide = widened_to_float(scores);
  const Array biases =
      alibi_matrix(static_cast<int>(scores.shape(-2)) + offset, static_cast<int>(scores.shape(-1)),
                   static_cast<int>(scores.shape(-3)), offset, wide.dtype());
  if (!mask) return rounded(wide + biases, scores.dtype());
  return rounded(wide + (biases + *mask), together({scores, *mask}));
}

}  // namespace heddle::nn
