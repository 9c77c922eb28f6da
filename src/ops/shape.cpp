#include "ops/shape.h"

#include <algorithm>
#include <numeric>

#include "heddle/ops.h"
#include "ops/util.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// broadcast_to

Avals Broadcast::infer(const Arrays& in) const {
  if (!(broadcast_shapes(in[0].shape(), shape) == shape)) {
    throw std::invalid_argument(fmt::format("[broadcast_to] Cannot broadcast array of shape {} into shape {}.",
                                            to_string(in[0].shape()), to_string(shape)));
  }
  return {{shape, in[0].dtype()}};
}
std::optional<Arrays> Broadcast::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                     const Arrays&) const {
  return Arrays{sum_to_shape(g[0], in[0].shape(), to_stream({}))};
}
std::optional<Op::Batched> Broadcast::vmap(const Arrays& in, const std::vector<int>& axes,
                                           const Stream& s) const {
  Array x = batch_to_front(in[0], axes[0]);
  Shape from = x.shape();
  while (from.size() < shape.size() + 1) from.insert(from.begin() + 1, 1);
  Shape to = shape;
  to.insert(to.begin(), x.shape()[0]);
  return Batched{{broadcast_to(reshape(x, from, s), to, s)}, {0}};
}

Array broadcast_to(const Array& a, const Shape& shape, StreamOrDevice s) {
  if (a.shape() == shape) return a;
  check_shape("broadcast_to", shape);
  return apply(make_op<Broadcast>(shape), {a}, to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// reshape

Avals Reshape::infer(const Arrays& in) const {
  int64_t size = in[0].size(), known = 1;
  int unknown = -1;
  Shape out = shape;
  for (size_t i = 0; i < out.size(); i++) {
    if (out[i] == -1) {
      if (unknown >= 0) throw std::invalid_argument("[reshape] Reshape can only infer one dimension.");
      unknown = static_cast<int>(i);
    } else if (out[i] < 0) {
      throw std::invalid_argument(
          fmt::format("[reshape] Negative dimensions not allowed, got {}.", to_string(shape)));
    } else {
      known *= out[i];
    }
  }
  if (unknown >= 0 && known > 0) {
    out[static_cast<size_t>(unknown)] = size / known;
    known *= size / known;
  }
  if (known != size || (unknown >= 0 && out[static_cast<size_t>(unknown)] < 0)) {
    throw std::invalid_argument(fmt::format("[reshape] Cannot reshape array of size {} into shape {}.",
                                            size, to_string(shape)));
  }
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Reshape::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                   const Arrays&) const {
  return Arrays{reshape(g[0], in[0].shape())};
}
std::optional<Op::Batched> Reshape::vmap(const Arrays& in, const std::vector<int>& axes,
                                         const Stream& s) const {
  Array x = batch_to_front(in[0], axes[0]);
  Shape to = shape;
  to.insert(to.begin(), x.shape()[0]);
  return Batched{{reshape(x, to, s)}, {0}};
}

Array reshape(const Array& a, const Shape& shape, StreamOrDevice s) {
  if (a.shape() == shape) return a;
  check_shape("reshape", [&] {
    Shape known = shape;
    for (auto& d : known) d = std::max<int64_t>(d, 0);
    return known;
  }());
  auto op = make_op<Reshape>(shape);
  Avals out = op->infer({a});
  if (out[0].shape == a.shape()) return a;
  return apply(std::move(op), {a}, std::move(out[0]), to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// transpose

Avals Transpose::infer(const Arrays& in) const {
  Shape out;
  for (int a : axes) out.push_back(in[0].shape()[static_cast<size_t>(a)]);
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Transpose::vjp(const Arrays&, const Arrays& g, const std::vector<int>&,
                                     const Arrays&) const {
  std::vector<int> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); i++) inverse[static_cast<size_t>(axes[i])] = static_cast<int>(i);
  return Arrays{transpose(g[0], inverse)};
}
std::optional<Op::Batched> Transpose::vmap(const Arrays& in, const std::vector<int>& batch,
                                           const Stream& s) const {
  std::vector<int> to{batch[0]};
  for (int a : axes) to.push_back(a + (a >= batch[0] ? 1 : 0));
  return Batched{{transpose(in[0], to, s)}, {0}};
}

Array transpose(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  if (static_cast<int>(axes.size()) != a.ndim()) {
    throw std::invalid_argument(fmt::format(
        "[transpose] Received {} axes for array with {} dimensions.", axes.size(), a.ndim()));
  }
  std::vector<int> order;
  for (int x : axes) order.push_back(normalize_axis("transpose", x, a.ndim()));
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    throw std::invalid_argument("[transpose] Repeat axes not allowed.");
  }
  if (std::is_sorted(order.begin(), order.end())) return a;
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

}  // namespace heddle
