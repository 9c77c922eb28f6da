// Normalization and loss in one pass over the last axis, which every array needs to have. float16
// and bfloat16 are computed in float32. Other than floating dtypes throw std::invalid_argument.
#pragma once

#include <optional>

#include "heddle/array.h"

namespace heddle::fast {

// x / sqrt(mean(x^2) + eps) * weight. `weight` (of the length of the last axis) takes part in the
// promotion.
Array rms_norm(const Array& x, const std::optional<Array>& weight, float eps,
               StreamOrDevice s = {});

// (x - mean) / sqrt(variance + eps) * weight + bias, in the dtype of x; with a weight in that of
// all.
Array layer_norm(const Array& x, const std::optional<Array>& weight,
                 const std::optional<Array>& bias, float eps, StreamOrDevice s = {});

// logsumexp(logits) - logits[target], float32, for integer targets in the shape of the other axes.
Array cross_entropy(const Array& logits, const Array& targets, StreamOrDevice s = {});

}  // namespace heddle::fast
