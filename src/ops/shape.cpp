#include "ops/shape.h"

#include <algorithm>
#include <numeric>

#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// broadcast_to

void Broadcast::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals Broadcast::infer(const Arrays& in) const {
  if (!(broadcast_shapes(in[0].shape(), shape) == shape)) {
    refuse("broadcast_to", "Cannot broadcast array of shape {} into shape {}.",
           to_string(in[0].shape()), to_string(shape));
  }
  return {{shape, in[0].dtype()}};
}
std::optional<Arrays> Broadcast::vjp(const Pull& p) const {
  return Arrays{sum_to_like(p.g[0], p.in[0], p.stream)};
}
std::optional<Batched> Broadcast::vmap(const Batch& b) const {
  Array x = batch_to_front(b.in[0], b.axes[0]);
  Shape from = x.shape();
  while (from.size() < shape.size() + 1) from.insert(from.begin() + 1, 1);
  Shape to = shape;
  to.insert(to.begin(), x.shape()[0]);
  return Batched{{broadcast_to(reshape(x, from, b.stream), to, b.stream)}, {0}};
}

Array broadcast_to(const Array& a, const Shape& shape, StreamOrDevice s) {
  if (a.shape() == shape) return a;
  check_shape("broadcast_to", shape);
  return apply(make_op<Broadcast>(shape), {a}, to_stream(s));
}

Arrays broadcast_arrays(const Arrays& arrays, StreamOrDevice s) {
  if (arrays.empty()) return {};
  Shape shape = arrays[0].shape();
  for (const Array& a : arrays) shape = broadcast_shapes(shape, a.shape());
  Arrays out;
  for (const Array& a : arrays) out.push_back(broadcast_to(a, shape, s));
  return out;
}

Shape broadcast_shapes(const std::vector<Shape>& shapes) {
  if (shapes.empty()) {
    refuse("broadcast_shapes", "Must provide at least one shape.");
  }
  Shape out = shapes[0];
  for (const Shape& shape : shapes) out = broadcast_shapes(out, shape);
  return out;
}

// ---------------------------------------------------------------------------------------------
// reshape

void Reshape::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals Reshape::infer(const Arrays& in) const {
  int64_t size = in[0].size(), known = 1;
  int unknown = -1;
  Shape out = shape;
  for (size_t i = 0; i < out.size(); i++) {
    if (out[i] == -1) {
      if (unknown >= 0) refuse("reshape", "Reshape can only infer one dimension.");
      unknown = static_cast<int>(i);
    } else if (out[i] < 0) {
      refuse("reshape", "Negative dimensions not allowed, got {}.", to_string(shape));
    } else {
      if (__builtin_mul_overflow(known, out[i], &known)) known = INT64_MAX;
    }
  }
  if (unknown >= 0 && known == 0) {
    refuse("reshape", "Cannot infer the shape of an empty array");
  }
  if (unknown >= 0) {
    out[static_cast<size_t>(unknown)] = size / known;
    known *= size / known;
  }
  if (known != size) {
    refuse("reshape", "Cannot reshape array of size {} into shape {}.", size, to_string(out));
  }
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Reshape::vjp(const Pull& p) const {
  return Arrays{reshape(p.g[0], shape_of_trace(p.in[0]))};
}

Array reshape(const Array& a, const Shape& shape, StreamOrDevice s) {
  const bool keep = may_change_size(a);
  if (a.shape() == shape && !keep) return a;
  check_shape("reshape", [&] {
    Shape known = shape;
    for (auto& d : known) d = std::max<int64_t>(d, 0);
    return known;
  }());
  auto op = make_op<Reshape>(shape);
  Avals out = op->infer({a});
  if (out[0].shape == a.shape() && !keep) return a;
  return apply(std::move(op), {a}, std::move(out[0]), to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// flatten, unflatten

void Flatten::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (in[0].ndim() == 0 && start_axis == 0 && end_axis == 0) return;
  require_axis(*this, start_axis, in[0].ndim());
  require_axis(*this, end_axis, in[0].ndim());
  if (end_axis < start_axis) {
    refuse("flatten", "start_axis must be less than or equal to end_axis");
  }
}
Avals Flatten::infer(const Arrays& in) const {
  const Shape& from = in[0].shape();
  if (from.empty()) return {{Shape{1}, in[0].dtype()}};
  Shape out;
  int64_t joined = 1;
  for (int i = 0; i < static_cast<int>(from.size()); i++) {
    int64_t d = from[static_cast<size_t>(i)];
    if (i < start_axis || i > end_axis) {
      out.push_back(d);
    } else {
      // Saturated: the result is refused, and a product that wraps around might look like a size.
      if (__builtin_mul_overflow(joined, d, &joined)) joined = INT64_MAX;
      if (i == end_axis) out.push_back(joined);
    }
  }
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Flatten::vjp(const Pull& p) const {
  const Shape& from = p.in[0].shape();
  if (from.empty()) return Arrays{squeeze(p.g[0])};
  Shape whole = shape_of_trace(p.in[0], start_axis);
  return Arrays{unflatten(p.g[0], start_axis,
                          Shape(whole.begin() + start_axis, whole.begin() + end_axis + 1))};
}
std::optional<Batched> Flatten::vmap(const Batch& b) const {
  Array x = batch_to_front(b.in[0], b.axes[0]);
  if (x.ndim() == 1) return Batched{{expand_dims(x, 1, b.stream)}, {0}};
  return Batched{{flatten(x, start_axis + 1, end_axis + 1, b.stream)}, {0}};
}

Array flatten(const Array& a, int start_axis, int end_axis, StreamOrDevice s) {
  int n = a.ndim();
  int start = std::max(0, start_axis < 0 ? start_axis + n : start_axis);
  int end = std::min(n - 1, end_axis < 0 ? end_axis + n : end_axis);
  if (n == 0) start = end = 0;
  if (end < start) {
    refuse("flatten", "start_axis must be less than or equal to end_axis");
  }
  if (n > 0 && start == end) return a;
  return apply(make_op<Flatten>(start, end), {a}, to_stream(s));
}

void Unflatten::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (shape.empty()) refuse("unflatten", "Shape to unflatten to cannot be empty.");
}
Avals Unflatten::infer(const Arrays& in) const {
  const Shape& from = in[0].shape();
  int64_t size = from[static_cast<size_t>(axis)], known = 1;
  Shape to = shape;
  int unknown = -1;
  for (size_t i = 0; i < to.size(); i++) {
    if (to[i] == -1) {
      if (unknown >= 0) refuse("Unflatten", "Can only infer one dimension.");
      unknown = static_cast<int>(i);
    } else if (to[i] < 0) {
      refuse("Unflatten", "Negative dimensions not allowed, got {}.", to_string(shape));
    } else {
      if (__builtin_mul_overflow(known, to[i], &known)) known = INT64_MAX;
    }
  }
  if (unknown >= 0) {
    if (known == 0) {
      refuse("Unflatten", "Cannot infer the dimension of an empty shape {}.", to_string(shape));
    }
    to[static_cast<size_t>(unknown)] = size / known;
    known *= size / known;
  }
  if (known != size) {
    refuse("Unflatten", "Cannot unflatten axis {} with size {} into shape {}.", axis, size,
           to_string(to));
  }
  Shape out(from.begin(), from.begin() + axis);
  for (int64_t d : to) out.push_back(d);
  for (size_t i = static_cast<size_t>(axis) + 1; i < from.size(); i++) out.push_back(from[i]);
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Unflatten::vjp(const Pull& p) const {
  return Arrays{flatten(p.g[0], axis, axis + static_cast<int>(shape.size()) - 1)};
}

Array unflatten(const Array& a, int axis, const Shape& shape, StreamOrDevice s) {
  int at = normalize_axis("unflatten", axis, a.ndim());
  return apply(make_op<Unflatten>(at, shape), {a}, to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// squeeze, expand_dims

void Squeeze::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals Squeeze::infer(const Arrays& in) const {
  Shape out;
  size_t next = 0;
  for (int i = 0; i < in[0].ndim(); i++) {
    int64_t d = in[0].shape()[static_cast<size_t>(i)];
    if (next < axes.size() && axes[next] == i) {
      next++;
      if (d != 1) {
        refuse("squeeze", "Cannot squeeze axis {} with size {} which is not equal to 1.", i, d);
      }
    } else {
      out.push_back(d);
    }
  }
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Squeeze::vjp(const Pull& p) const {
  return Arrays{expand_dims(p.g[0], axes)};
}

Array squeeze(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  std::vector<int> sorted = normalize_axes("squeeze", axes, a.ndim());
  if (sorted.empty()) return a;
  return apply(make_op<Squeeze>(std::move(sorted)), {a}, to_stream(s));
}
Array squeeze(const Array& a, int axis, StreamOrDevice s) {
  return squeeze(a, std::vector<int>{axis}, s);
}
Array squeeze(const Array& a, StreamOrDevice s) {
  std::vector<int> axes;
  for (int i = 0; i < a.ndim(); i++) {
    if (a.shape()[static_cast<size_t>(i)] == 1) axes.push_back(i);
  }
  return squeeze(a, axes, s);
}

void ExpandDims::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals ExpandDims::infer(const Arrays& in) const {
  Shape out = in[0].shape();
  for (int a : axes) out.insert(out.begin() + a, 1);
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> ExpandDims::vjp(const Pull& p) const { return Arrays{squeeze(p.g[0], axes)}; }

Array expand_dims(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  std::vector<int> sorted =
      normalize_axes("expand_dims", axes, a.ndim() + static_cast<int>(axes.size()));
  if (sorted.empty()) return a;
  return apply(make_op<ExpandDims>(std::move(sorted)), {a}, to_stream(s));
}
Array expand_dims(const Array& a, int axis, StreamOrDevice s) {
  return expand_dims(a, std::vector<int>{axis}, s);
}

Array atleast_1d(const Array& a, StreamOrDevice s) {
  return a.ndim() == 0 ? expand_dims(a, 0, s) : a;
}
Array atleast_2d(const Array& a, StreamOrDevice s) {
  if (a.ndim() == 0) return expand_dims(a, {0, 1}, s);
  return a.ndim() == 1 ? expand_dims(a, 0, s) : a;
}
Array atleast_3d(const Array& a, StreamOrDevice s) {
  if (a.ndim() == 0) return expand_dims(a, {0, 1, 2}, s);
  if (a.ndim() == 1) return expand_dims(a, {0, 2}, s);
  return a.ndim() == 2 ? expand_dims(a, 2, s) : a;
}

// ---------------------------------------------------------------------------------------------
// transpose

void Transpose::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (static_cast<int>(axes.size()) != in[0].ndim()) {
    refuse("transpose", "Received {} axes for array with {} dimensions.", axes.size(),
           in[0].ndim());
  }
  for (size_t i = 0; i < axes.size(); i++) {
    require_axis(*this, axes[i], in[0].ndim());
    for (size_t k = 0; k < i; k++) {
      if (axes[k] == axes[i]) refuse("transpose", "Repeat axes not allowed.");
    }
  }
}
Avals Transpose::infer(const Arrays& in) const {
  Shape out;
  for (int a : axes) out.push_back(in[0].shape()[static_cast<size_t>(a)]);
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Transpose::vjp(const Pull& p) const {
  std::vector<int> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); i++)
    inverse[static_cast<size_t>(axes[i])] = static_cast<int>(i);
  return Arrays{transpose(p.g[0], inverse)};
}
std::optional<Batched> Transpose::vmap(const Batch& b) const {
  std::vector<int> to{b.axes[0]};
  for (int a : axes) to.push_back(a + (a >= b.axes[0] ? 1 : 0));
  return Batched{{transpose(b.in[0], to, b.stream)}, {0}};
}

Array transpose(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  std::vector<int> order;
  bool moved = static_cast<int>(axes.size()) != a.ndim();
  for (size_t i = 0; i < axes.size(); i++) {
    order.push_back(normalize_axis("transpose", axes[i], a.ndim()));
    moved |= order[i] != static_cast<int>(i);
  }
  if (!moved) return a;
  return apply(make_op<Transpose>(std::move(order)), {a}, to_stream(s));
}
Array transpose(const Array& a, StreamOrDevice s) {
  std::vector<int> axes(static_cast<size_t>(a.ndim()));
  std::iota(axes.rbegin(), axes.rend(), 0);
  return transpose(a, axes, s);
}
Array moveaxis(const Array& a, int source, int destination, StreamOrDevice s) {
  int from = normalize_axis("moveaxis", source, a.ndim());
  int to = normalize_axis("moveaxis", destination, a.ndim());
  std::vector<int> axes(static_cast<size_t>(a.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  axes.erase(axes.begin() + from);
  axes.insert(axes.begin() + to, from);
  return transpose(a, axes, s);
}
Array swapaxes(const Array& a, int axis1, int axis2, StreamOrDevice s) {
  int x = normalize_axis("swapaxes", axis1, a.ndim());
  int y = normalize_axis("swapaxes", axis2, a.ndim());
  std::vector<int> axes(static_cast<size_t>(a.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<size_t>(x)], axes[static_cast<size_t>(y)]);
  return transpose(a, axes, s);
}
Array matrix_transpose(const Array& a, StreamOrDevice s) {
  if (a.ndim() < 2) {
    refuse("matrix_transpose", "Input array must have at least 2 dimensions, got {}.", a.ndim());
  }
  return swapaxes(a, -1, -2, s);
}

}  // namespace heddle
