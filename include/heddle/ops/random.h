// Random numbers. A key (uint32 of shape (2)) determines a draw bit for bit, and the bits are those
// of MLX. Without a key, a draw takes the next one of the calling thread, whose own key is seeded
// from the clock. `shape` is the shape of the result; bounds and parameters broadcast to it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "heddle/array.h"

namespace heddle::random {

using Key = std::optional<Array>;

Array key(uint64_t seed);
void seed(uint64_t seed);  // of the calling thread

// The calling thread's key. Drawing replaces it; compiled functions may capture and set it.
Array& state();

// Keys of independent sequences: two, or `num` as rows.
std::pair<Array, Array> split(const Array& key, StreamOrDevice s = {});
Array split(const Array& key, int num, StreamOrDevice s = {});

// Uniform unsigned integers of 1, 2 or 4 bytes.
Array bits(const Shape& shape, int width = 4, const Key& key = {}, StreamOrDevice s = {});

// Floating numbers in [low, high). float64 is refused, as MLX does.
Array uniform(const Array& low, const Array& high, const Shape& shape, Dtype dtype = float32,
              const Key& key = {}, StreamOrDevice s = {});
Array uniform(const Shape& shape, Dtype dtype = float32, const Key& key = {},
              StreamOrDevice s = {});

// Standard normal numbers, scaled and moved. Complex ones have variance 1/2 in each part.
Array normal(const Shape& shape, Dtype dtype = float32, const Key& key = {}, StreamOrDevice s = {});
Array normal(const Shape& shape, Dtype dtype, const std::optional<Array>& loc,
             const std::optional<Array>& scale, const Key& key = {}, StreamOrDevice s = {});

// Vectors of dependent normal numbers: mean (..., n), covariance (..., n, n) positive
// semi-definite, whose leading dimensions broadcast to `shape` or, if that is empty, to each other.
// float32 only.
Array multivariate_normal(const Array& mean, const Array& covariance, const Shape& shape = {},
                          Dtype dtype = float32, const Key& key = {}, StreamOrDevice s = {});

// Integers (or bool) in [low, high), all equally likely; `low` where there is none. Up to 2^24 they
// are drawn from float32 numbers, as in MLX, beyond from 96 bits each.
Array randint(const Array& low, const Array& high, const Shape& shape, Dtype dtype = int32,
              const Key& key = {}, StreamOrDevice s = {});

// True with probability p, which is floating; without a shape in that of p.
Array bernoulli(const Array& p, const Shape& shape, const Key& key = {}, StreamOrDevice s = {});
Array bernoulli(const Array& p, const Key& key = {}, StreamOrDevice s = {});

// Normal numbers within bounds; without a shape in that of the bounds.
Array truncated_normal(const Array& lower, const Array& upper, const Shape& shape,
                       Dtype dtype = float32, const Key& key = {}, StreamOrDevice s = {});
Array truncated_normal(const Array& lower, const Array& upper, Dtype dtype = float32,
                       const Key& key = {}, StreamOrDevice s = {});

Array gumbel(const Shape& shape, Dtype dtype = float32, const Key& key = {}, StreamOrDevice s = {});
Array laplace(const Shape& shape, Dtype dtype = float32, const Key& key = {},
              StreamOrDevice s = {});
Array laplace(const Shape& shape, Dtype dtype, const std::optional<Array>& loc,
              const std::optional<Array>& scale, const Key& key = {}, StreamOrDevice s = {});

// Indices (uint32) along `axis`, each with the probability that softmax gives its logit. One for
// each of the other positions; `num_samples` of them on a last axis; or `shape`, to which the shape
// of the other axes broadcasts.
Array categorical(const Array& logits, int axis = -1, const Key& key = {}, StreamOrDevice s = {});
Array categorical(const Array& logits, int axis, int num_samples, const Key& key = {},
                  StreamOrDevice s = {});
Array categorical(const Array& logits, int axis, const Shape& shape, const Key& key = {},
                  StreamOrDevice s = {});

// 0 .. n-1 (uint32) in a random order; the slices of `x` along an axis in a random order.
Array permutation(int n, const Key& key = {}, StreamOrDevice s = {});
Array permutation(const Array& x, int axis = 0, const Key& key = {}, StreamOrDevice s = {});

}  // namespace heddle::random
