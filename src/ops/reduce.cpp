#include "ops/reduce.h"

#include <algorithm>
#include <numeric>

#include "heddle/ops/creation.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {

Dtype accumulated_dtype(Dtype t) {
  if (is_bool(t) || (is_signed(t) && size_of(t) < 4)) return int32;
  if (is_unsigned(t) && size_of(t) < 4) return uint32;
  return t;
}

namespace {

Dtype result_dtype(Reduction r, Dtype t) {
  switch (r) {
    case Reduction::sum:
    case Reduction::prod:
      return accumulated_dtype(t);
    case Reduction::all:
    case Reduction::any:
      return bool_;
    default:
      return t;
  }
}

Array reduce(const char* name, Reduction r, const Array& a, const std::vector<int>& axes,
             bool keepdims, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> sorted = normalize_axes(name, axes, a.ndim());
  if (sorted.empty()) {
    return r == Reduction::all || r == Reduction::any ? astype(a, bool_, stream) : a;
  }
  Array out = apply(make_op<Reduce>(r, sorted), {a}, stream);
  return keepdims ? out : squeeze(out, sorted, stream);
}

Shape ones_at(Shape shape, const std::vector<int>& axes) {
  for (int a : axes) shape[static_cast<size_t>(a)] = 1;
  return shape;
}

// The product of all elements but one, for each: from both sides, so that zeros need no division.
// In float64, since one side may overflow where the other vanishes.
Array products_of_others(const Array& narrow, const std::vector<int>& axes, const Stream& s) {
  const Array x = is_floating(narrow.dtype()) ? astype(narrow, float64, s) : narrow;
  auto along = [&](const Array& rows, int axis) {
    return multiply(cumprod(rows, axis, false, false, s), cumprod(rows, axis, true, false, s), s);
  };
  if (axes.size() == 1) return along(x, axes[0]);
  // The reduced axes become the last one.
  std::vector<int> order;
  for (int i = 0; i < x.ndim(); i++) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) order.push_back(i);
  }
  int kept = static_cast<int>(order.size());
  order.insert(order.end(), axes.begin(), axes.end());
  Array moved = transpose(x, order, s);
  Shape rows(moved.shape().begin(), moved.shape().begin() + kept);
  int64_t length = 1;
  for (int a : axes) length *= x.shape(a);
  rows.push_back(length);
  Array others = reshape(along(reshape(moved, rows, s), kept), moved.shape(), s);
  std::vector<int> inverse(order.size());
  for (size_t i = 0; i < order.size(); i++)
    inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  return transpose(others, inverse, s);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// sum, prod, min, max, all, any

void Reduce::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (reduction != Reduction::min && reduction != Reduction::max) return;
  const char* op = reduction == Reduction::max ? "max" : "min";
  for (int a : axes) {
    if (in[0].shape(a) > 0) continue;
    refuse(op, "Cannot {} reduce over axis {} with size 0.", op, a);
  }
}

Avals Reduce::infer(const Arrays& in) const {
  return {{ones_at(in[0].shape(), axes), result_dtype(reduction, in[0].dtype())}};
}

std::optional<Arrays> Reduce::vjp(const Pull& p) const {
  const Array& x = p.in[0];
  const Stream& s = p.stream;
  switch (reduction) {
    case Reduction::sum:
      return Arrays{broadcast_like(astype(p.g[0], x.dtype(), s), x, s)};
    case Reduction::prod: {
      const Array others = conjugate(products_of_others(x, axes, s), s);
      return Arrays{astype(multiply(astype(p.g[0], others.dtype(), s), others, s), x.dtype(), s)};
    }
    case Reduction::min:
    case Reduction::max: {
      // Equal extremes share the cotangent. Halves could not count them.
      Dtype wide = is_half(x.dtype()) ? float32 : at_least_float(x.dtype());
      Array mask = astype(equal(x, p.out[0], s), wide, s);
      Array share = divide(mask, sum(mask, axes, true, s), s);
      return Arrays{astype(multiply(p.g[0], share, s), x.dtype(), s)};
    }
    default:
      return Arrays{zeros_like(x, s)};
  }
}

Array sum(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("sum", Reduction::sum, a, axes, keepdims, s);
}
Array sum(const Array& a, bool keepdims, StreamOrDevice s) {
  return sum(a, all_axes(a), keepdims, s);
}
Array nansum(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return sum(is_inexact(a.dtype()) ? where(isnan(a, s), Array(0, a.dtype()), a, s) : a, axes,
             keepdims, s);
}
Array nansum(const Array& a, bool keepdims, StreamOrDevice s) {
  return nansum(a, all_axes(a), keepdims, s);
}
Array prod(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("prod", Reduction::prod, a, axes, keepdims, s);
}
Array prod(const Array& a, bool keepdims, StreamOrDevice s) {
  return prod(a, all_axes(a), keepdims, s);
}
Array min(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("min", Reduction::min, a, axes, keepdims, s);
}
Array min(const Array& a, bool keepdims, StreamOrDevice s) {
  return min(a, all_axes(a), keepdims, s);
}
Array max(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("max", Reduction::max, a, axes, keepdims, s);
}
Array max(const Array& a, bool keepdims, StreamOrDevice s) {
  return max(a, all_axes(a), keepdims, s);
}
Array all(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("all", Reduction::all, a, axes, keepdims, s);
}
Array all(const Array& a, bool keepdims, StreamOrDevice s) {
  return all(a, all_axes(a), keepdims, s);
}
Array any(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("any", Reduction::any, a, axes, keepdims, s);
}
Array any(const Array& a, bool keepdims, StreamOrDevice s) {
  return any(a, all_axes(a), keepdims, s);
}

std::pair<Array, Array> minmax(const Array& a, const std::vector<int>& axes, bool keepdims,
                               StreamOrDevice s) {
  return {min(a, axes, keepdims, s), max(a, axes, keepdims, s)};
}
std::pair<Array, Array> minmax(const Array& a, bool keepdims, StreamOrDevice s) {
  return minmax(a, all_axes(a), keepdims, s);
}
Array count_nonzero(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return sum(astype(astype(a, bool_, s), int32, s), axes, keepdims, s);
}
Array count_nonzero(const Array& a, bool keepdims, StreamOrDevice s) {
  return count_nonzero(a, all_axes(a), keepdims, s);
}

Array array_equal(const Array& a, const Array& b, bool equal_nan, StreamOrDevice s) {
  if (!(a.shape() == b.shape())) {
    size_read(a);
    size_read(b);
    return Array(false);
  }
  return all(equal_nan ? heddle::equal_nan(a, b, s) : equal(a, b, s), false, s);
}
Array allclose(const Array& a, const Array& b, double rtol, double atol, bool equal_nan,
               StreamOrDevice s) {
  return all(isclose(a, b, rtol, atol, equal_nan, s), false, s);
}

// ---------------------------------------------------------------------------------------------
// mean, var, std

double Mean::divisor(const Shape& shape) const {
  int64_t n = 1;
  for (int a : axes) n *= shape[static_cast<size_t>(a)];
  return static_cast<double>(std::max<int64_t>(n - ddof, 0));
}

Array Mean::count(const Array& x, Dtype wide, const Stream& s) const {
  if (!may_change_size(x)) return Array(divisor(x.shape()), wide);
  Array n = number_of_elements(x, axes, false, wide, s);
  return ddof == 0 ? n : maximum(subtract(n, Array(ddof, wide), s), Array(0, wide), s);
}

void Mean::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (!is_inexact(in[0].dtype())) {
    refuse("mean", "The mean of {} is taken in a floating type.", name_of(in[0].dtype()));
  }
}

Avals Mean::infer(const Arrays& in) const {
  return {{ones_at(in[0].shape(), axes), in[0].dtype()}};
}

std::optional<Arrays> Mean::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  const Array& x = p.in[0];
  // In float32: the reciprocal of a large count has few digits in a half.
  Dtype wide = is_half(x.dtype()) ? float32 : x.dtype();
  Array share = divide(astype(p.g[0], wide, s), count(x, wide, s), s);
  return Arrays{broadcast_like(astype(share, x.dtype(), s), x, s)};
}

std::optional<Arrays> Mean::decompose(const Arrays& in, const Stream& s) const {
  const Array& x = in[0];
  Dtype wide = is_half(x.dtype()) ? float32 : x.dtype();
  Array total = sum(astype(x, wide, s), axes, true, s);
  return Arrays{astype(divide(total, count(x, wide, s), s), x.dtype(), s)};
}

namespace {

// MLX names the mean in what it says of axes, whatever is computed from it.
std::vector<int> mean_axes(const Array& a, const std::vector<int>& axes) {
  for (int axis : axes) {
    if (axis < -a.ndim() || axis >= a.ndim()) {
      throw AxisError(fmt::format("[mean] axis {} is out of bounds for array with {} dimensions.",
                                  axis, a.ndim()));
    }
  }
  return normalize_axes("mean", axes, a.ndim());
}

Array mean_of(const Array& x, const std::vector<int>& sorted, bool keepdims, int ddof,
              const Stream& s) {
  if (sorted.empty()) {
    return ddof == 0 ? x : divide(x, Array(std::max(1 - ddof, 0), x.dtype()), s);
  }
  Array out = apply(make_op<Mean>(sorted, ddof), {x}, s);
  return keepdims ? out : squeeze(out, sorted, s);
}

}  // namespace

Array mean(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> sorted = mean_axes(a, axes);
  return mean_of(astype(a, at_least_float(a.dtype()), stream), sorted, keepdims, 0, stream);
}
Array mean(const Array& a, bool keepdims, StreamOrDevice s) {
  return mean(a, all_axes(a), keepdims, s);
}

namespace {

// Magnitudes of the deviations from the mean; halves as float32.
Array deviations(const Array& a, const std::vector<int>& axes, const Stream& s) {
  const Array x = widened(astype(a, at_least_float(a.dtype()), s), s);
  const Array from_mean = subtract(x, mean_of(x, axes, true, 0, s), s);
  return is_complex(x.dtype()) ? abs(from_mean, s) : from_mean;
}

Dtype dtype_of_deviations(const Array& a) {
  return is_complex(a.dtype()) ? float32 : at_least_float(a.dtype());
}

}  // namespace

Array var(const Array& a, const std::vector<int>& axes, bool keepdims, int ddof, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> sorted = mean_axes(a, axes);
  Array squares = square(deviations(a, sorted, stream), stream);
  return astype(mean_of(squares, sorted, keepdims, ddof, stream), dtype_of_deviations(a), stream);
}
Array var(const Array& a, bool keepdims, int ddof, StreamOrDevice s) {
  return var(a, all_axes(a), keepdims, ddof, s);
}

Array std(const Array& a, const std::vector<int>& axes, bool keepdims, int ddof, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> sorted = mean_axes(a, axes);
  Array x = deviations(a, sorted, stream);
  auto root = [&](const Array& of) {
    return root_with_gradient_at_zero(mean_of(square(of, stream), sorted, keepdims, ddof, stream),
                                      stream);
  };
  Array out;
  if (a.dtype() == float16 || a.size() == 0) {  // float32 holds the squares of those
    out = root(x);
  } else {
    Array scale = scale_for_squares(max(abs(x, stream), sorted, true, stream), stream);
    // The scale is a power of two: a product with its reciprocal is as exact as a quotient.
    Array deviation = root(multiply(x, reciprocal(scale, stream), stream));
    out = multiply(deviation, keepdims ? scale : squeeze(scale, sorted, stream), stream);
  }
  return astype(out, dtype_of_deviations(a), stream);
}
Array std(const Array& a, bool keepdims, int ddof, StreamOrDevice s) {
  return std(a, all_axes(a), keepdims, ddof, s);
}

// ---------------------------------------------------------------------------------------------
// argmin, argmax

void ArgReduce::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (in[0].size() > 0) return;
  const char* op = reduction == ArgReduction::argmax ? "argmax" : "argmin";
  refuse(op, "Cannot {} reduce zero size array.", op);
}

Avals ArgReduce::infer(const Arrays& in) const {
  return {{ones_at(in[0].shape(), {axis}), uint32}};
}

namespace {

Array arg_reduce(const char* name, ArgReduction r, const Array& a, int axis, bool keepdims,
                 StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> at = normalize_axes(name, {axis}, a.ndim());
  Array out = apply(make_op<ArgReduce>(r, at[0]), {a}, stream);
  return keepdims ? out : squeeze(out, at, stream);
}

Array arg_reduce(const char* name, ArgReduction r, const Array& a, bool keepdims,
                 StreamOrDevice s) {
  Array out = arg_reduce(name, r, flatten(a, 0, -1, s), 0, false, s);
  return keepdims ? reshape(out, Shape(static_cast<size_t>(a.ndim()), 1), s) : out;
}

}  // namespace

Array argmin(const Array& a, int axis, bool keepdims, StreamOrDevice s) {
  return arg_reduce("argmin", ArgReduction::argmin, a, axis, keepdims, s);
}
Array argmin(const Array& a, bool keepdims, StreamOrDevice s) {
  return arg_reduce("argmin", ArgReduction::argmin, a, keepdims, s);
}
Array argmax(const Array& a, int axis, bool keepdims, StreamOrDevice s) {
  return arg_reduce("argmax", ArgReduction::argmax, a, axis, keepdims, s);
}
Array argmax(const Array& a, bool keepdims, StreamOrDevice s) {
  return arg_reduce("argmax", ArgReduction::argmax, a, keepdims, s);
}

}  // namespace heddle
