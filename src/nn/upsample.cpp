// Interpolation is separable: each spatial dimension in turn becomes a weighted sum of a few
// samples of its input, the taps.
#include "heddle/nn/upsample.h"

#include <fmt/format.h>

#include <cmath>

#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle::nn {
namespace {

Array number(double value) { return Array(value, float32); }

int scaled_size(int64_t size, double scale) {
  return static_cast<int>(scale * static_cast<double>(size));
}

Array counted(int count) { return arange(0.0, static_cast<double>(count), 1.0, float32); }

// Where the samples of the output lie in the input, as fractional indices.
Array positions_of(int64_t size, double scale, bool align_corners) {
  const int count = scaled_size(size, scale);
  const auto last = static_cast<double>(size - 1);
  if (align_corners) return counted(count) * number(last / std::max(count - 1, 1));
  // Spread evenly around the middle of the input.
  const double step = 1 / scale, start = ((count - 1) * step - last) / 2;
  return counted(count) * number(step) - number(start);
}

// The input sample that is nearest to each sample of the output.
Array nearest_indices(int64_t size, double scale) {
  const int count = scaled_size(size, scale);
  const Array step = number(static_cast<double>(size) / count);
  Array index = counted(count);
  index = count > size ? round((index + number(0.5)) * step - number(0.5)) : index * step;
  return astype(index, uint32);
}

// The kernel of linear interpolation.
Array triangle(const Array& distance) { return maximum(number(1) - abs(distance), number(0)); }

// The kernel of cubic convolution with the free parameter a (R. Keys, 1981).
Array cubic(const Array& distance, double a) {
  Array d = abs(distance);
  Array near = ((number(a + 2) * d - number(a + 3)) * d * d) + number(1);
  Array far = (((d - number(5)) * d + number(8)) * d - number(4)) * number(a);
  return where(d <= number(1), near, where(d < number(2), far, number(0)));
}

// One dimension by linear or cubic interpolation.
Array interpolated(const Array& x, int axis, double scale, const UpsampleOptions& options) {
  const int64_t size = x.shape(axis);
  const Array last = number(static_cast<double>(size - 1));
  const bool linear = options.mode == Interpolation::linear, smooth = options.antialias;
  Array positions = positions_of(size, scale, options.align_corners);
  if (linear && !smooth) positions = clip(positions, number(0), last);
  // To smooth before samples are left out the kernel is made wider by the factor of reduction.
  const double stretch = smooth ? std::max(1 / scale, 1.0) : 1.0;
  // -0.75 is OpenCV's choice; -0.5, with antialiasing, that of PIL.
  const double a = smooth ? -0.5 : -0.75;
  const int reach = static_cast<int>(std::ceil((linear ? 1 : 2) * stretch));
  Array offsets = arange(1.0 - reach, 1.0 + reach, 1.0, float32);
  Array taps = expand_dims(floor(positions), 1) + offsets;
  Array distance = (taps - expand_dims(positions, 1)) / number(stretch);
  Array weights = linear ? triangle(distance) : cubic(distance, a);
  if (smooth) {
    // Nothing lies beyond the border; without antialiasing the border repeats.
    weights = where(logical_and(taps >= number(0), taps <= last), weights, number(0));
    weights = weights / sum(weights, {1}, true);
  }
  Array indices = astype(clip(taps, number(0), last), uint32);
  Shape column(static_cast<size_t>(x.ndim() - axis), 1);
  column[0] = -1;
  Array total;
  for (int tap = 0; tap < 2 * reach; tap++) {
    Array term = take(x, take(indices, tap, 1), axis) * reshape(take(weights, tap, 1), column);
    total = tap == 0 ? term : total + term;
  }
  return total;
}

void check(const UpsampleOptions& options) {
  if (!options.antialias) return;
  if (options.mode == Interpolation::nearest) {
    refuse("Upsample", "Antialiasing is not supported for nearest neighbor upsampling");
  }
  if (options.align_corners) {
    refuse("Upsample",
           "antialias=True with align_corners=True is not supported. Use align_corners=False for "
           "antialiased interpolation.");
  }
}

}  // namespace

Interpolation interpolation_from(const std::string& name) {
  if (name == "nearest") return Interpolation::nearest;
  if (name == "linear") return Interpolation::linear;
  if (name == "cubic") return Interpolation::cubic;
  refuse("Upsample", "Got unsupported upsampling algorithm: {}", name);
}

Array upsample(const Array& x, const std::vector<double>& scales, const UpsampleOptions& options) {
  check(options);
  const int dims = x.ndim() - 2;
  if (dims <= 0) {
    refuse("Upsample",
           "The input should have at least 1 spatial dimension which means it should be at least "
           "3D but {}D was provided",
           x.ndim());
  }
  if (static_cast<int>(scales.size()) != dims) {
    refuse(
        "Upsample",
        "One scale per spatial dimension is required but {} were given for {} spatial dimensions",
        scales.size(), dims);
  }
  Array y = x;
  for (int axis = 1; axis <= dims; axis++) {
    const double scale = scales[static_cast<size_t>(axis - 1)];
    if (!(scale > 0) || !std::isfinite(scale)) {
      refuse("Upsample", "Scales must be positive, but {} was given", scale);
    }
    if (scale == 1) continue;
    if (options.mode != Interpolation::nearest) {
      y = interpolated(y, axis, scale, options);
    } else if (scale == std::floor(scale)) {
      y = repeat(y, static_cast<int>(scale), axis);
    } else {
      y = take(y, nearest_indices(y.shape(axis), scale), axis);
    }
  }
  return y;
}

Array pixel_shuffle(const Array& x, int factor) {
  const int64_t squared = int64_t{factor} * factor;
  if (factor < 1) refuse("pixel_shuffle", "The factor must be positive but is {}.", factor);
  if (x.ndim() < 3 || x.shape(-1) % squared != 0) {
    refuse("pixel_shuffle",
           "The input has the axes (..., height, width, channels) with a multiple of {} channels, "
           "not the shape {}.",
           squared, to_string(x.shape()));
  }
  // (..., height, width, channels, row, column) to (..., height, row, width, column, channels)
  const Array parts = unflatten(x, -1, {-1, factor, factor});
  const Array rows = moveaxis(parts, -2, -4), columns = moveaxis(rows, -1, -2);
  return flatten(flatten(columns, -3, -2), -4, -3);
}

Upsample::Upsample(double scale, const UpsampleOptions& options)
    : scales_{scale}, same_for_all_(true), options_(options) {
  check(options);
}
Upsample::Upsample(std::vector<double> scales, const UpsampleOptions& options)
    : scales_(std::move(scales)), same_for_all_(false), options_(options) {
  check(options);
}
Array Upsample::operator()(const Array& x) {
  if (!same_for_all_) return upsample(x, scales_, options_);
  return upsample(
      x, std::vector<double>(static_cast<size_t>(std::max(x.ndim() - 2, 0)), scales_[0]), options_);
}

}  // namespace heddle::nn
