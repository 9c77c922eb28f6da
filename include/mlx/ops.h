// The forms of operations that MLX has beside heddle's: other orders of parameters, lists of int,
// results in a vector. They are declared in namespace heddle, whose nested namespaces (random,
// linalg, ...) could not be added to from mlx::core without making their names ambiguous.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlx/array.h"

namespace heddle {

// --- creation -----------------------------------------------------------------------------------

inline Array arange(double start, double stop, Dtype dtype, StreamOrDevice s = {}) {
  return arange(start, stop, 1.0, dtype, s);
}
inline Array arange(double start, double stop, StreamOrDevice s) {
  return arange(start, stop, 1.0, s);
}
inline Array arange(double stop, Dtype dtype, StreamOrDevice s = {}) {
  return arange(0.0, stop, 1.0, dtype, s);
}
inline Array arange(double stop, StreamOrDevice s = {}) { return arange(0.0, stop, 1.0, s); }
inline Array arange(int start, int stop, StreamOrDevice s) { return arange(start, stop, 1, s); }
inline Array linspace(double start, double stop, int num, Dtype dtype, StreamOrDevice s) {
  return linspace(start, stop, num, dtype, true, s);
}
inline Array linspace(double start, double stop, int num, bool endpoint, Dtype dtype = float32,
                      StreamOrDevice s = {}) {
  return linspace(start, stop, num, dtype, endpoint, s);
}
inline Array zeros(const Shape& shape, StreamOrDevice s) { return zeros(shape, float32, s); }
inline Array ones(const Shape& shape, StreamOrDevice s) { return ones(shape, float32, s); }
inline Array zeros_like(const Array& a, Dtype dtype, StreamOrDevice s = {}) {
  return full_like(a, Array(0), dtype, s);
}
inline Array ones_like(const Array& a, Dtype dtype, StreamOrDevice s = {}) {
  return full_like(a, Array(1), dtype, s);
}
inline Array eye(int n, StreamOrDevice s) { return eye(n, float32, s); }
inline Array eye(int n, int m, StreamOrDevice s) { return eye(n, m, 0, float32, s); }
inline Array eye(int n, int m, int k, StreamOrDevice s) { return eye(n, m, k, float32, s); }
inline Array identity(int n, StreamOrDevice s) { return identity(n, float32, s); }
inline Array tri(int n, Dtype dtype, StreamOrDevice s = {}) { return tri(n, n, 0, dtype, s); }

// --- shapes -------------------------------------------------------------------------------------

inline Array flatten(const Array& a, StreamOrDevice s) { return flatten(a, 0, -1, s); }
inline Array flip(const Array& a, int axis, StreamOrDevice s = {}) {
  return flip(a, std::vector<int>{axis}, s);
}
inline Arrays split(const Array& a, int sections, StreamOrDevice s) {
  return split(a, sections, 0, s);
}
inline Arrays split(const Array& a, const Shape& indices, StreamOrDevice s) {
  return split(a, indices, 0, s);
}
inline Arrays unstack(const Array& a, StreamOrDevice s) { return unstack(a, 0, s); }
inline Array stack(const Arrays& arrays, StreamOrDevice s) { return stack(arrays, 0, s); }
inline Array tile(const Array& a, const std::vector<int>& repetitions, StreamOrDevice s = {}) {
  return tile(a, Shape(repetitions.begin(), repetitions.end()), s);
}
inline Array roll(const Array& a, const Shape& shifts, StreamOrDevice s = {}) {
  int64_t sum = 0;
  for (int64_t shift : shifts) sum += shift;
  return roll(a, sum, s);
}
inline Array roll(const Array& a, int shift, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return roll(a, Shape(axes.size(), shift), axes, s);
}
inline Array roll(const Array& a, int shift, int axis, StreamOrDevice s = {}) {
  return roll(a, Shape{shift}, std::vector<int>{axis}, s);
}
inline Array roll(const Array& a, const Shape& shifts, int axis, StreamOrDevice s = {}) {
  return roll(a, shifts, std::vector<int>(shifts.size(), axis), s);
}
inline Array trace(const Array& a, StreamOrDevice s) { return trace(a, 0, 0, 1, {}, s); }
inline Array trace(const Array& a, int offset, int axis1, int axis2, StreamOrDevice s) {
  return trace(a, offset, axis1, axis2, {}, s);
}
inline Shape broadcast_shapes(const Shape& a, const Shape& b) {
  return broadcast_shapes(std::vector<Shape>{a, b});
}

inline Array pad(const Array& a, const std::vector<std::pair<int, int>>& widths,
                 const Array& value = Array(0), const std::string& mode = "constant",
                 StreamOrDevice s = {}) {
  return pad(a, PadWidths(widths.begin(), widths.end()), value, mode, s);
}
inline Array pad(const Array& a, const std::pair<int, int>& width, const Array& value = Array(0),
                 const std::string& mode = "constant", StreamOrDevice s = {}) {
  return pad(a, PadWidths(static_cast<size_t>(a.ndim()), width), value, mode, s);
}
inline Array pad(const Array& a, int width, const Array& value = Array(0),
                 const std::string& mode = "constant", StreamOrDevice s = {}) {
  return pad(a, std::pair{width, width}, value, mode, s);
}
inline Array pad(const Array& a, const std::vector<int>& axes, const Shape& low, const Shape& high,
                 const Array& value = Array(0), const std::string& mode = "constant",
                 StreamOrDevice s = {}) {
  if (axes.size() != low.size() || axes.size() != high.size()) {
    throw std::invalid_argument("[pad] axes, low and high must have the same number of entries.");
  }
  PadWidths widths(static_cast<size_t>(a.ndim()));
  for (size_t i = 0; i < axes.size(); i++) {
    widths[static_cast<size_t>(normalize_axis("pad", axes[i], a.ndim()))] = {low[i], high[i]};
  }
  return pad(a, widths, value, mode, s);
}

// Each array by itself, as numpy does.
inline Arrays atleast_1d(const Arrays& arrays, StreamOrDevice s = {}) {
  Arrays out;
  for (const Array& a : arrays) out.push_back(atleast_1d(a, s));
  return out;
}
inline Arrays atleast_2d(const Arrays& arrays, StreamOrDevice s = {}) {
  Arrays out;
  for (const Array& a : arrays) out.push_back(atleast_2d(a, s));
  return out;
}
inline Arrays atleast_3d(const Arrays& arrays, StreamOrDevice s = {}) {
  Arrays out;
  for (const Array& a : arrays) out.push_back(atleast_3d(a, s));
  return out;
}

// The product of the sizes of `axes`, or one over it: a constant of the traced shape.
inline Array number_of_elements(const Array& a, const std::vector<int>& axes, bool inverted,
                                Dtype dtype = int32, StreamOrDevice s = {}) {
  double count = 1;
  for (int axis : axes) count *= static_cast<double>(a.shape(axis));
  return full({}, Array(inverted ? 1 / count : count, float64), dtype, s);
}

// --- slices, gather, scatter --------------------------------------------------------------------

inline Array slice(const Array& a, std::initializer_list<int> start, const Shape& stop,
                   const Shape& step, StreamOrDevice s = {}) {
  return slice(a, Shape(start.begin(), start.end()), stop, step, s);
}
inline Array slice_update(const Array& a, const Array& update, const Shape& start,
                          const Shape& stop, const Shape& step, StreamOrDevice s) {
  return slice_update(a, update, start, stop, step, Combine::assign, s);
}
inline Array slice_update_add(const Array& a, const Array& update, const Shape& start,
                              const Shape& stop, StreamOrDevice s = {}) {
  return slice_update_add(a, update, start, stop, Shape(start.size(), 1), s);
}
inline Array slice_update_prod(const Array& a, const Array& update, const Shape& start,
                               const Shape& stop, StreamOrDevice s = {}) {
  return slice_update_prod(a, update, start, stop, Shape(start.size(), 1), s);
}
inline Array slice_update_max(const Array& a, const Array& update, const Shape& start,
                              const Shape& stop, StreamOrDevice s = {}) {
  return slice_update_max(a, update, start, stop, Shape(start.size(), 1), s);
}
inline Array slice_update_min(const Array& a, const Array& update, const Shape& start,
                              const Shape& stop, StreamOrDevice s = {}) {
  return slice_update_min(a, update, start, stop, Shape(start.size(), 1), s);
}
inline Array gather(const Array& a, const Array& indices, int axis, const Shape& slice_sizes,
                    StreamOrDevice s = {}) {
  return gather(a, Arrays{indices}, std::vector<int>{axis}, slice_sizes, s);
}
inline Array scatter(const Array& a, const Arrays& indices, const Array& updates,
                     const std::vector<int>& axes, StreamOrDevice s) {
  return scatter(a, indices, updates, axes, Combine::assign, s);
}
inline Array scatter(const Array& a, const Array& indices, const Array& updates, int axis,
                     StreamOrDevice s = {}) {
  return scatter(a, Arrays{indices}, updates, std::vector<int>{axis}, Combine::assign, s);
}
inline Array scatter_add(const Array& a, const Array& indices, const Array& updates, int axis,
                         StreamOrDevice s = {}) {
  return scatter_add(a, Arrays{indices}, updates, std::vector<int>{axis}, s);
}
inline Array scatter_prod(const Array& a, const Array& indices, const Array& updates, int axis,
                          StreamOrDevice s = {}) {
  return scatter_prod(a, Arrays{indices}, updates, std::vector<int>{axis}, s);
}
inline Array scatter_max(const Array& a, const Array& indices, const Array& updates, int axis,
                         StreamOrDevice s = {}) {
  return scatter_max(a, Arrays{indices}, updates, std::vector<int>{axis}, s);
}
inline Array scatter_min(const Array& a, const Array& indices, const Array& updates, int axis,
                         StreamOrDevice s = {}) {
  return scatter_min(a, Arrays{indices}, updates, std::vector<int>{axis}, s);
}

// The rows along the first axis, for `for (array row : a)`.
class RowIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using difference_type = int64_t;
  using value_type = Array;
  using reference = Array;

  RowIterator(const Array& a, int64_t row) : array_(a), row_(row) {}
  Array operator*() const { return take(array_, row_, 0); }
  RowIterator& operator++() {
    row_++;
    return *this;
  }
  bool operator==(const RowIterator& o) const { return array_.same_as(o.array_) && row_ == o.row_; }

 private:
  Array array_;
  int64_t row_;
};
inline RowIterator begin(const Array& a) { return {a, 0}; }
inline RowIterator end(const Array& a) { return {a, a.shape(0)}; }

// --- reductions of everything, on a given stream ------------------------------------------------

inline Array all(const Array& a, StreamOrDevice s) { return all(a, false, s); }
inline Array any(const Array& a, StreamOrDevice s) { return any(a, false, s); }
inline Array sum(const Array& a, StreamOrDevice s) { return sum(a, false, s); }
inline Array prod(const Array& a, StreamOrDevice s) { return prod(a, false, s); }
inline Array max(const Array& a, StreamOrDevice s) { return max(a, false, s); }
inline Array min(const Array& a, StreamOrDevice s) { return min(a, false, s); }
inline Array mean(const Array& a, StreamOrDevice s) { return mean(a, false, s); }
inline Array median(const Array& a, StreamOrDevice s) { return median(a, false, s); }
inline Array var(const Array& a, StreamOrDevice s) { return var(a, false, 0, s); }
inline Array std(const Array& a, StreamOrDevice s) { return std(a, false, 0, s); }
inline Array argmax(const Array& a, StreamOrDevice s) { return argmax(a, false, s); }
inline Array argmin(const Array& a, StreamOrDevice s) { return argmin(a, false, s); }
inline Array logsumexp(const Array& a, StreamOrDevice s) { return logsumexp(a, false, s); }
inline std::pair<Array, Array> minmax(const Array& a, StreamOrDevice s) {
  return minmax(a, false, s);
}
inline Array array_equal(const Array& a, const Array& b, StreamOrDevice s) {
  return array_equal(a, b, false, s);
}
inline Array round(const Array& a, StreamOrDevice s) { return round(a, 0, s); }
inline Array positive(const Array& a, StreamOrDevice = {}) { return a; }

// --- scans: over the flattened array, or in another dtype
// ------------------------------------------

inline Array cumsum(const Array& a, int axis, bool reverse, bool inclusive,
                    std::optional<Dtype> dtype, StreamOrDevice s = {}) {
  return cumsum(dtype ? astype(a, *dtype, s) : a, axis, reverse, inclusive, s);
}
inline Array cumsum(const Array& a, bool reverse, bool inclusive, std::optional<Dtype> dtype,
                    StreamOrDevice s = {}) {
  return cumsum(flatten(a, s), 0, reverse, inclusive, dtype, s);
}
inline Array cumsum(const Array& a, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return cumsum(flatten(a, s), 0, reverse, inclusive, s);
}
inline Array cumprod(const Array& a, int axis, bool reverse, bool inclusive,
                     std::optional<Dtype> dtype, StreamOrDevice s = {}) {
  return cumprod(dtype ? astype(a, *dtype, s) : a, axis, reverse, inclusive, s);
}
inline Array cumprod(const Array& a, bool reverse, bool inclusive, std::optional<Dtype> dtype,
                     StreamOrDevice s = {}) {
  return cumprod(flatten(a, s), 0, reverse, inclusive, dtype, s);
}
inline Array cumprod(const Array& a, bool reverse = false, bool inclusive = true,
                     StreamOrDevice s = {}) {
  return cumprod(flatten(a, s), 0, reverse, inclusive, s);
}
inline Array cummax(const Array& a, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return cummax(flatten(a, s), 0, reverse, inclusive, s);
}
inline Array cummin(const Array& a, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return cummin(flatten(a, s), 0, reverse, inclusive, s);
}
inline Array logcumsumexp(const Array& a, bool reverse = false, bool inclusive = true,
                          StreamOrDevice s = {}) {
  return logcumsumexp(flatten(a, s), 0, reverse, inclusive, s);
}

// The values, then what was asked for: index, inverse, counts.
inline Arrays unique(const Array& a, int size, bool return_index, bool return_inverse = false,
                     bool return_counts = false, const std::optional<Array>& fill_value = {},
                     StreamOrDevice s = {}) {
  Unique found = unique(a, size, fill_value, s);
  Arrays out{found.values};
  if (return_index) out.push_back(found.index);
  if (return_inverse) out.push_back(found.inverse);
  if (return_counts) out.push_back(found.counts);
  return out;
}

inline Array conv_general(const Array& input, const Array& weight, std::vector<int> stride,
                          std::vector<int> padding, std::vector<int> kernel_dilation,
                          std::vector<int> input_dilation, int groups = 1, bool flip = false,
                          StreamOrDevice s = {}) {
  return conv_general(input, weight, std::move(stride), padding, padding,
                      std::move(kernel_dilation), std::move(input_dilation), groups, flip, s);
}

namespace random {

inline Array bits(const Shape& shape, const Key& key, StreamOrDevice s = {}) {
  return bits(shape, 4, key, s);
}
inline Array uniform(const Shape& shape, const Key& key, StreamOrDevice s = {}) {
  return uniform(shape, float32, key, s);
}
inline Array normal(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key = {},
                    StreamOrDevice s = {}) {
  return normal(shape, dtype, Array(loc), Array(scale), key, s);
}
inline Array normal(const Shape& shape, float loc, float scale, const Key& key = {},
                    StreamOrDevice s = {}) {
  return normal(shape, float32, loc, scale, key, s);
}
inline Array normal(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  return normal(shape, dtype, std::nullopt, std::nullopt, key, s);
}
inline Array normal(const Shape& shape, const Key& key, StreamOrDevice s = {}) {
  return normal(shape, float32, std::nullopt, std::nullopt, key, s);
}
inline Array laplace(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key = {},
                     StreamOrDevice s = {}) {
  return laplace(shape, dtype, Array(loc), Array(scale), key, s);
}
inline Array laplace(const Shape& shape, float loc, float scale, const Key& key = {},
                     StreamOrDevice s = {}) {
  return laplace(shape, float32, loc, scale, key, s);
}
inline Array laplace(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  return laplace(shape, dtype, std::nullopt, std::nullopt, key, s);
}
inline Array laplace(const Shape& shape, const Key& key, StreamOrDevice s = {}) {
  return laplace(shape, float32, std::nullopt, std::nullopt, key, s);
}
inline Array bernoulli(const Key& key = {}, StreamOrDevice s = {}) {
  return bernoulli(Array(0.5f), key, s);
}

}  // namespace random

namespace linalg {

inline Array norm(const Array& a, double ord, int axis, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return norm(a, ord, std::vector<int>{axis}, keepdims, s);
}
inline Array norm(const Array& a, const std::string& ord, int axis, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return norm(a, ord, std::vector<int>{axis}, keepdims, s);
}
inline Array norm(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return norm(a, std::vector<int>{axis}, keepdims, s);
}
inline Arrays svd(const Array& a, StreamOrDevice s) { return svd(a, true, s); }

}  // namespace linalg

namespace fft {

inline Array fft2(const Array& a, const Shape& n, const std::vector<int>& axes,
                  FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return fftn(a, n, axes, norm, s);
}
inline Array ifft2(const Array& a, const Shape& n, const std::vector<int>& axes,
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return ifftn(a, n, axes, norm, s);
}
inline Array rfft2(const Array& a, const Shape& n, const std::vector<int>& axes,
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return rfftn(a, n, axes, norm, s);
}
inline Array irfft2(const Array& a, const Shape& n, const std::vector<int>& axes,
                    FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return irfftn(a, n, axes, norm, s);
}
inline Array fft2(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return fftn(a, axes, norm, s);
}
inline Array ifft2(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return ifftn(a, axes, norm, s);
}
inline Array rfft2(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return rfftn(a, axes, norm, s);
}
inline Array irfft2(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                    StreamOrDevice s = {}) {
  return irfftn(a, axes, norm, s);
}

inline Array stft(const Array& x, int n_fft, const std::optional<int>& hop_length,
                  const std::optional<int>& win_length = {},
                  const std::optional<Array>& window = {}, bool center = true,
                  const std::string& pad_mode = "reflect", FFTNorm norm = FFTNorm::Backward,
                  const std::optional<bool>& onesided = {}, StreamOrDevice s = {}) {
  Frames frames{hop_length.value_or(0), win_length.value_or(0), window, center, norm, onesided};
  return stft(x, n_fft, frames, pad_mode, s);
}
inline Array istft(const Array& spectra, const std::optional<int>& n_fft,
                   const std::optional<int>& hop_length, const std::optional<int>& win_length = {},
                   const std::optional<Array>& window = {}, bool center = true,
                   FFTNorm norm = FFTNorm::Backward, const std::optional<bool>& onesided = {},
                   const std::optional<int>& length = {}, StreamOrDevice s = {}) {
  Frames frames{hop_length.value_or(0), win_length.value_or(0), window, center, norm, onesided};
  return istft(spectra, n_fft, frames, length, s);
}

}  // namespace fft

}  // namespace heddle
