// What layers compute, as functions of their parameters: the layers of C++ and Python hold these
// and call the same functions. Channels, or features, are the last axis: (N, spatial..., C).
//
// Statistics, sums and what is computed from them are float32 or wider; a result is rounded once,
// to the dtype that the array and the parameters have together, but where a function says
// otherwise. Shapes and settings that do not fit throw std::invalid_argument "[function] ..."; so
// do dtypes that a function does not take. A parameter that is not given is left out of the
// formula.
#pragma once

#include <optional>
#include <vector>

#include "heddle/array.h"
#include "heddle/ops/shape.h"

namespace heddle::nn {

// --- Pools ---------------------------------------------------------------------------------------

// Windows over the spatial axes of (N, spatial..., C), one to three of them, with an entry for
// each. Along an axis of n elements, between padding `before` and `after`, there are
//   (n + before + after - dilation (kernel - 1) - 1) / stride + 1
// windows, rounded down; with `ceil_mode` up, as long as the last one starts before the padding at
// the end (PyTorch's and ONNX's rule).
struct Windows {
  Shape kernel;
  Shape stride = {};       // of the kernel's size if empty
  PadWidths padding = {};  // (before, after); none if empty
  Shape dilation = {};     // the step between the elements of a window; 1 if empty
  bool ceil_mode = false;
};

// The largest element of each window: NaN where there is one. Padding is lower than every element
// (minus infinity, or the lowest integer). Equal maxima share the gradient. All dtypes but complex.
Array max_pool(const Array& x, const Windows& windows);

// The same with where each maximum lies: uint32, counted in row-major order over the spatial axes
// of x, the first of several. A window that holds padding alone is refused.
struct MaxPooled {
  Array values, indices;
};
MaxPooled max_pool_with_indices(const Array& x, const Windows& windows);

// The sum of each window divided by its number of elements, or by `divisor`. Padding counts as
// zeros unless `count_include_pad` is false, and what a last window of ceil_mode has beyond it
// never does; a window without any element that counts is refused. Integers and bools give float32.
struct AverageOptions {
  bool count_include_pad = true;
  std::optional<int64_t> divisor = {};
};
Array average_pool(const Array& x, const Windows& windows, const AverageOptions& options = {});

// `sizes` windows along each spatial axis of n elements, as equal as they can be: window i has the
// elements from floor(i n / size) to ceil((i + 1) n / size), which is left out. -1 keeps n.
Array adaptive_max_pool(const Array& x, const Shape& sizes);
MaxPooled adaptive_max_pool_with_indices(const Array& x, const Shape& sizes);
Array adaptive_average_pool(const Array& x, const Shape& sizes);

}  // namespace heddle::nn
