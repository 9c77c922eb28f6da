// Shapes, order and layout of elements.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "heddle/ops/shape.h"
#include "mlx/utils.h"

namespace mlx::core {

namespace detail {

template <class F>
std::vector<array> each(const std::vector<array>& arrays, F&& f) {
  std::vector<array> results;
  for (const array& a : arrays) results.push_back(f(a));
  return results;
}

}  // namespace detail

inline array copy(array a, StreamOrDevice s = {}) { return heddle::copy(a, detail::in(s)); }
inline array as_strided(array a, Shape shape, Strides strides, size_t offset,
                        StreamOrDevice s = {}) {
  return heddle::as_strided(a, detail::in(shape), detail::in(strides), static_cast<int64_t>(offset),
                            detail::in(s));
}
inline array reshape(const array& a, Shape shape, StreamOrDevice s = {}) {
  return heddle::reshape(a, detail::in(shape), detail::in(s));
}
inline array unflatten(const array& a, int axis, Shape shape, StreamOrDevice s = {}) {
  return heddle::unflatten(a, axis, detail::in(shape), detail::in(s));
}
inline array flatten(const array& a, int start_axis, int end_axis = -1, StreamOrDevice s = {}) {
  return heddle::flatten(a, start_axis, end_axis, detail::in(s));
}
inline array flatten(const array& a, StreamOrDevice s = {}) { return flatten(a, 0, -1, s); }
inline array squeeze(const array& a, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return heddle::squeeze(a, axes, detail::in(s));
}
inline array squeeze(const array& a, int axis, StreamOrDevice s = {}) {
  return heddle::squeeze(a, axis, detail::in(s));
}
inline array squeeze(const array& a, StreamOrDevice s = {}) {
  return heddle::squeeze(a, detail::in(s));
}
inline array expand_dims(const array& a, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return heddle::expand_dims(a, axes, detail::in(s));
}
inline array expand_dims(const array& a, int axis, StreamOrDevice s = {}) {
  return heddle::expand_dims(a, axis, detail::in(s));
}
inline array flip(const array& a, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return heddle::flip(a, axes, detail::in(s));
}
inline array flip(const array& a, StreamOrDevice s = {}) { return heddle::flip(a, detail::in(s)); }
inline array flip(const array& a, int axis, StreamOrDevice s = {}) {
  return flip(a, std::vector<int>{axis}, s);
}
inline std::vector<array> split(const array& a, int num_splits, int axis, StreamOrDevice s = {}) {
  return detail::out(heddle::split(a, num_splits, axis, detail::in(s)));
}
inline std::vector<array> split(const array& a, const Shape& indices, int axis,
                                StreamOrDevice s = {}) {
  return detail::out(heddle::split(a, detail::in(indices), axis, detail::in(s)));
}
inline std::vector<array> split(const array& a, int num_splits, StreamOrDevice s = {}) {
  return split(a, num_splits, 0, s);
}
inline std::vector<array> split(const array& a, const Shape& indices, StreamOrDevice s = {}) {
  return split(a, indices, 0, s);
}
inline std::vector<array> unstack(const array& a, int axis, StreamOrDevice s = {}) {
  return detail::out(heddle::unstack(a, axis, detail::in(s)));
}
inline std::vector<array> unstack(const array& a, StreamOrDevice s = {}) {
  return unstack(a, 0, s);
}
inline array concatenate(std::vector<array> arrays, int axis, StreamOrDevice s = {}) {
  return heddle::concatenate(detail::in(arrays), axis, detail::in(s));
}
inline array concatenate(std::vector<array> arrays, StreamOrDevice s = {}) {
  return heddle::concatenate(detail::in(arrays), detail::in(s));
}
inline array stack(const std::vector<array>& arrays, int axis, StreamOrDevice s = {}) {
  return heddle::stack(detail::in(arrays), axis, detail::in(s));
}
inline array stack(const std::vector<array>& arrays, StreamOrDevice s = {}) {
  return stack(arrays, 0, s);
}
inline array repeat(const array& arr, int repeats, int axis, StreamOrDevice s = {}) {
  return heddle::repeat(arr, repeats, axis, detail::in(s));
}
inline array repeat(const array& arr, int repeats, StreamOrDevice s = {}) {
  return heddle::repeat(arr, repeats, detail::in(s));
}
inline array tile(const array& arr, std::vector<int> reps, StreamOrDevice s = {}) {
  return heddle::tile(arr, heddle::Shape(reps.begin(), reps.end()), detail::in(s));
}
inline array transpose(const array& a, std::vector<int> axes, StreamOrDevice s = {}) {
  return heddle::transpose(a, axes, detail::in(s));
}
inline array transpose(const array& a, StreamOrDevice s = {}) {
  return heddle::transpose(a, detail::in(s));
}
inline array transpose(const array& a, std::initializer_list<int> axes, StreamOrDevice s = {}) {
  return transpose(a, std::vector<int>(axes), s);
}
inline array matrix_transpose(const array& a, StreamOrDevice s = {}) {
  return heddle::matrix_transpose(a, detail::in(s));
}
inline array swapaxes(const array& a, int axis1, int axis2, StreamOrDevice s = {}) {
  return heddle::swapaxes(a, axis1, axis2, detail::in(s));
}
inline array moveaxis(const array& a, int source, int destination, StreamOrDevice s = {}) {
  return heddle::moveaxis(a, source, destination, detail::in(s));
}
inline array pad(const array& a, const std::vector<std::pair<int, int>>& pad_width,
                 const array& pad_value = array(0), const std::string& mode = "constant",
                 StreamOrDevice s = {}) {
  if (pad_width.size() != a.ndim()) {
    throw std::invalid_argument("[pad] A pair of sizes is wanted for each of " +
                                std::to_string(a.ndim()) + " dimensions, got " +
                                std::to_string(pad_width.size()) + ".");
  }
  heddle::PadWidths widths(pad_width.begin(), pad_width.end());
  return detail::apart(heddle::pad(a, widths, pad_value, mode, detail::in(s)), a, s);
}
inline array pad(const array& a, const std::vector<int>& axes, const Shape& low_pad_size,
                 const Shape& high_pad_size, const array& pad_value = array(0),
                 const std::string& mode = "constant", StreamOrDevice s = {}) {
  if (axes.size() != low_pad_size.size() || axes.size() != high_pad_size.size()) {
    throw std::invalid_argument("[pad] axes and sizes before and after must have as many entries.");
  }
  std::vector<std::pair<int, int>> widths(a.ndim());
  for (size_t i = 0; i < axes.size(); i++) {
    int axis = normalize_axis_index(axes[i], static_cast<int>(a.ndim()), "[pad] ");
    widths[static_cast<size_t>(axis)] = {low_pad_size[i], high_pad_size[i]};
  }
  return pad(a, widths, pad_value, mode, s);
}
inline array pad(const array& a, const std::pair<int, int>& pad_width,
                 const array& pad_value = array(0), const std::string& mode = "constant",
                 StreamOrDevice s = {}) {
  return pad(a, std::vector<std::pair<int, int>>(a.ndim(), pad_width), pad_value, mode, s);
}
inline array pad(const array& a, int pad_width, const array& pad_value = array(0),
                 const std::string& mode = "constant", StreamOrDevice s = {}) {
  return pad(a, std::pair<int, int>(pad_width, pad_width), pad_value, mode, s);
}
inline array broadcast_to(const array& a, const Shape& shape, StreamOrDevice s = {}) {
  return heddle::broadcast_to(a, detail::in(shape), detail::in(s));
}
inline std::vector<array> broadcast_arrays(const std::vector<array>& inputs,
                                           StreamOrDevice s = {}) {
  return detail::out(heddle::broadcast_arrays(detail::in(inputs), detail::in(s)));
}
inline array diagonal(const array& a, int offset = 0, int axis1 = 0, int axis2 = 1,
                      StreamOrDevice s = {}) {
  return heddle::diagonal(a, offset, axis1, axis2, detail::in(s));
}
inline array diag(const array& a, int k = 0, StreamOrDevice s = {}) {
  return heddle::diag(a, k, detail::in(s));
}
inline array trace(const array& a, int offset, int axis1, int axis2, Dtype dtype,
                   StreamOrDevice s = {}) {
  return heddle::trace(a, offset, axis1, axis2, dtype.val(), detail::in(s));
}
inline array trace(const array& a, int offset, int axis1, int axis2, StreamOrDevice s = {}) {
  return heddle::trace(a, offset, axis1, axis2, std::nullopt, detail::in(s));
}
inline array trace(const array& a, StreamOrDevice s = {}) {
  return heddle::trace(a, 0, 0, 1, std::nullopt, detail::in(s));
}
inline std::vector<array> depends(const std::vector<array>& inputs,
                                  const std::vector<array>& dependencies) {
  return detail::out(heddle::depends(detail::in(inputs), detail::in(dependencies)));
}
inline array atleast_1d(const array& a, StreamOrDevice s = {}) {
  return heddle::atleast_1d(a, detail::in(s));
}
inline std::vector<array> atleast_1d(const std::vector<array>& a, StreamOrDevice s = {}) {
  return detail::each(a, [&](const array& x) { return atleast_1d(x, s); });
}
inline array atleast_2d(const array& a, StreamOrDevice s = {}) {
  return heddle::atleast_2d(a, detail::in(s));
}
inline std::vector<array> atleast_2d(const std::vector<array>& a, StreamOrDevice s = {}) {
  return detail::each(a, [&](const array& x) { return atleast_2d(x, s); });
}
inline array atleast_3d(const array& a, StreamOrDevice s = {}) {
  return heddle::atleast_3d(a, detail::in(s));
}
inline std::vector<array> atleast_3d(const std::vector<array>& a, StreamOrDevice s = {}) {
  return detail::each(a, [&](const array& x) { return atleast_3d(x, s); });
}
inline array view(const array& a, const Dtype& dtype, StreamOrDevice s = {}) {
  return heddle::view(a, dtype, detail::in(s));
}
inline array roll(const array& a, int shift, StreamOrDevice s = {}) {
  return heddle::roll(a, shift, detail::in(s));
}
inline array roll(const array& a, const Shape& shift, StreamOrDevice s = {}) {
  int64_t sum = 0;
  for (int64_t by : shift) sum += by;
  return heddle::roll(a, sum, detail::in(s));
}
inline array roll(const array& a, const Shape& shift, int axis, StreamOrDevice s = {}) {
  int64_t sum = 0;
  for (int64_t by : shift) sum += by;
  return heddle::roll(a, heddle::Shape{sum}, std::vector<int>{axis}, detail::in(s));
}
inline array roll(const array& a, const Shape& shift, const std::vector<int>& axes,
                  StreamOrDevice s = {}) {
  return heddle::roll(a, detail::in(shift), axes, detail::in(s));
}
inline array roll(const array& a, int shift, int axis, StreamOrDevice s = {}) {
  return roll(a, Shape{shift}, std::vector<int>{axis}, s);
}
inline array roll(const array& a, int shift, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return roll(a, Shape(axes.size(), shift), axes, s);
}
inline array contiguous(const array& a, bool allow_col_major = false, StreamOrDevice s = {}) {
  return heddle::contiguous(a, allow_col_major, detail::in(s));
}
inline array diff(const array& a, int n = 1, int axis = -1, StreamOrDevice s = {}) {
  return heddle::diff(a, n, axis, detail::in(s));
}

}  // namespace mlx::core
