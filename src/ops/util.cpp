#include "ops/util.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle {

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  size_t skip = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); i++) {
    int64_t x = longer[skip + i], y = shorter[i];
    if (x != y && x != 1 && y != 1) {
      refuse("broadcast_shapes", "Shapes {} and {} cannot be broadcast.", to_string(a),
             to_string(b));
    }
    out[skip + i] = x == 1 ? y : x;
  }
  return out;
}

Array sum_to_like(const Array& g, const Array& x, const Stream& s) {
  if (g.shape() == x.shape()) return exactly_like(g, x, s);
  std::vector<int> axes, leading;
  int extra = g.ndim() - x.ndim();
  for (int i = 0; i < g.ndim(); i++) {
    bool stretched = i < extra || (x.shape(i - extra) == 1 && g.shape(i) != 1);
    if (stretched) axes.push_back(i);
    if (i < extra) leading.push_back(i);
  }
  Array y = axes.empty() ? g : squeeze(sum(g, axes, true, s), leading, s);
  // A partial derivative may be smaller than its operand (a product with a scalar, say).
  return y.shape() == x.shape() ? exactly_like(y, x, s) : broadcast_like(y, x, s);
}

Array widened(const Array& x, const Stream& s) {
  return is_half(x.dtype()) ? astype(x, float32, s) : x;
}

Array scale_for_squares(const Array& largest, const Stream& s) {
  const Dtype t = largest.dtype();
  // Twice the exponents, and what a sum of many adds, stay in range on both sides of a bound; so
  // does step^2 / largest, which derivatives of roots of such sums pass through.
  const int bound = t == float64 ? 400 : 50, step = t == float64 ? 600 : 76;
  auto power = [t](int n) { return Array(std::ldexp(1.0, n), t); };
  const Array x = stop_gradient(largest, s), one(1, t);
  const Array small = where(less(x, power(-bound), s), power(-step), one, s);
  return where(greater(x, power(bound), s), power(step), small, s);
}

Array root_with_gradient_at_zero(const Array& squares, const Stream& s) {
  const Array zero(0, squares.dtype()), nothing = equal(squares, zero, s);
  return where(nothing, zero, sqrt(where(nothing, Array(1, squares.dtype()), squares, s), s), s);
}

std::vector<int> all_axes(const Array& a) {
  std::vector<int> axes(static_cast<size_t>(a.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

int64_t batch_size(const Arrays& inputs, const std::vector<int>& axes) {
  for (size_t i = 0; i < inputs.size(); i++) {
    if (axes[i] >= 0) return inputs[i].shape(axes[i]);
  }
  return 0;
}

Array batch_to_front(const Array& x, int axis) { return axis <= 0 ? x : moveaxis(x, axis, 0); }

Arrays align_batches(const Arrays& inputs, const std::vector<int>& axes) {
  int rank = 0;
  for (size_t i = 0; i < inputs.size(); i++) {
    rank = std::max(rank, inputs[i].ndim() - (axes[i] >= 0 ? 1 : 0));
  }
  Arrays aligned;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (axes[i] < 0) {
      aligned.push_back(inputs[i]);
      continue;
    }
    Array x = batch_to_front(inputs[i], axes[i]);
    int missing = rank + 1 - x.ndim();
    if (missing > 0) {
      Shape shape = x.shape();
      for (int k = 0; k < missing; k++) shape.insert(shape.begin() + 1, 1);
      x = reshape(x, shape);
    }
    aligned.push_back(x);
  }
  return aligned;
}

Arrays all_batched(const Arrays& inputs, const std::vector<int>& axes, const Stream& s) {
  int64_t batch = 0;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (axes[i] >= 0) batch = inputs[i].shape()[static_cast<size_t>(axes[i])];
  }
  Arrays out;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (axes[i] >= 0) {
      out.push_back(batch_to_front(inputs[i], axes[i]));
    } else {
      Shape shape = inputs[i].shape();
      shape.insert(shape.begin(), batch);
      out.push_back(broadcast_to(inputs[i], shape, s));
    }
  }
  return out;
}

std::vector<int> normalize_axes(const char* op, const std::vector<int>& axes, int ndim) {
  std::vector<int> out;
  for (int a : axes) out.push_back(normalize_axis(op, a, ndim));
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end()) {
    refuse(op, "Received duplicate axes.");
  }
  return out;
}

}  // namespace heddle
