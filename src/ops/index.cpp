// Gather, scatter and take.
#include "ops/index.h"

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

void check_index(const char* name, const Array& index) {
  const Dtype t = index.dtype();
  if (is_bool(t)) refuse(name, "Boolean indices not supported.");
  if (is_integer(t)) return;
  refuse(name, "Got indices with invalid dtype {}. Indices must be integral.", name_of(t));
}

// Inputs 1 ..= axes.size() index the axes of input 0.
void check_indices(const char* name, const Arrays& in, size_t count, const std::vector<int>& axes) {
  if (count != axes.size()) {
    refuse(name, "Got {} index arrays for {} axes.", count, axes.size());
  }
  for (size_t i = 1; i <= count; i++) check_index(name, in[i]);
  for (size_t i = 0; i < axes.size(); i++) {
    if (std::find(axes.begin(), axes.begin() + static_cast<long>(i), axes[i]) !=
        axes.begin() + static_cast<long>(i)) {
      refuse(name, "Repeat axes not allowed.");
    }
  }
}

// The common shape of inputs 1 ..= count.
Shape index_shape(const Arrays& in, size_t count) {
  Shape shape;
  for (size_t k = 1; k <= count; k++) shape = broadcast_shapes(shape, in[k].shape());
  return shape;
}

Arrays indices_of(const Arrays& in, size_t count) {
  return Arrays(in.begin() + 1, in.begin() + 1 + static_cast<long>(count));
}

std::vector<int> shifted(std::vector<int> axes, int by) {
  for (int& a : axes) a += by;
  return axes;
}

// 0 .. n-1 along the first of `ndim` dimensions.
Array counting(int64_t n, int ndim, const Stream& s) {
  Shape shape(static_cast<size_t>(ndim), 1);
  shape[0] = n;
  return reshape(arange(0, static_cast<double>(n), 1, int64, s), shape, s);
}

// Batched index arrays with their batch axis in front; if none broadcasts with it, at least one has
// it.
Arrays batched_indices(const Arrays& in, const std::vector<int>& axes, size_t count) {
  std::vector<int> index_axes(axes.begin() + 1, axes.begin() + 1 + static_cast<long>(count));
  return align_batches(indices_of(in, count), index_axes);
}

bool any_batched(const std::vector<int>& axes, size_t first, size_t last) {
  return std::any_of(axes.begin() + static_cast<long>(first),
                     axes.begin() + static_cast<long>(last), [](int a) { return a >= 0; });
}

Array scatter_with(const Array& a, const Arrays& indices, const Array& updates,
                   const std::vector<int>& axes, Combine combine, bool clamp, const Stream& s) {
  Arrays inputs{a};
  inputs.insert(inputs.end(), indices.begin(), indices.end());
  inputs.push_back(astype(updates, a.dtype(), s));
  return apply(make_op<Scatter>(axes, combine, clamp), std::move(inputs), s);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// gather

void Gather::check(const Arrays& in) const {
  require_inputs(*this, in, 1, any_number);
  check_indices("gather", in, in.size() - 1, axes);
}
Avals Gather::infer(const Arrays& in) const {
  const Shape& from = in[0].shape();
  if (slice_sizes.size() != from.size()) {
    refuse("gather", "Got slice_sizes {} for an array with {} dimensions.", to_string(slice_sizes),
           from.size());
  }
  Shape out = index_shape(in, axes.size()), sizes = slice_sizes;
  bool none = element_count(out) == 0;
  for (size_t i = 0; i < from.size(); i++) {
    if (sizes[i] == -1) sizes[i] = from[i];
    bool indexed = std::find(axes.begin(), axes.end(), static_cast<int>(i)) != axes.end();
    // An empty axis may be indexed by nothing.
    bool fits = sizes[i] <= from[i] || (none && indexed && sizes[i] == 1);
    if (sizes[i] < 0 || !fits) {
      refuse("gather", "Slice sizes must be in [0, a.shape(i)]. Got {} for array with shape {}.",
             to_string(slice_sizes), to_string(from));
    }
    out.push_back(sizes[i]);
  }
  check_shape("gather", out, in[0].itemsize());
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Gather::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays out;
  for (int k : p.wanted) {
    if (k > 0) {
      out.emplace_back();  // indices
      continue;
    }
    // Sums by index, which halves would stop growing after some hundred terms.
    Array terms = widened(p.g[0], s), none = astype(zeros_like(p.in[0]), terms.dtype(), s);
    Array sums =
        scatter_with(none, indices_of(p.in, axes.size()), terms, axes, Combine::sum, true, s);
    out.push_back(astype(sums, p.in[0].dtype(), s));
  }
  return out;
}
std::optional<Arrays> Gather::jvp(const Push& p) const {
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] == 0) {
      return Arrays{gather(p.t[k], indices_of(p.in, axes.size()), axes, slice_sizes)};
    }
  }
  return Arrays(1);
}
std::optional<Batched> Gather::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  size_t count = axes.size();
  if (!any_batched(b.axes, 1, 1 + count)) {
    // The batch axis of the array is one more axis of the box.
    int at = b.axes[0];
    std::vector<int> moved = axes;
    for (int& a : moved) a += a >= at ? 1 : 0;
    Shape sizes = slice_sizes;
    sizes.insert(sizes.begin() + at, b.in[0].shape()[static_cast<size_t>(at)]);
    int out_axis = static_cast<int>(index_shape(b.in, count).size()) + at;
    return Batched{{gather(b.in[0], indices_of(b.in, count), moved, sizes, s)}, {out_axis}};
  }
  Arrays indices = batched_indices(b.in, b.axes, count);
  if (b.axes[0] < 0) return Batched{{gather(b.in[0], indices, axes, slice_sizes, s)}, {0}};
  int ndim = 0;
  for (const Array& i : indices) ndim = std::max(ndim, i.ndim());
  indices.push_back(counting(batch_size(b.in, b.axes), ndim, s));
  std::vector<int> moved = shifted(axes, 1);
  moved.push_back(0);
  Shape sizes = slice_sizes;
  sizes.insert(sizes.begin(), 1);
  Array out = gather(batch_to_front(b.in[0], b.axes[0]), indices, moved, sizes, s);
  return Batched{{squeeze(out, ndim, s)}, {0}};
}

Array gather(const Array& a, const Arrays& indices, const std::vector<int>& axes,
             const Shape& slice_sizes, StreamOrDevice s) {
  for (const Array& index : indices) check_index("gather", index);  // said before axes are
  std::vector<int> order;
  for (int axis : axes) order.push_back(normalize_axis("gather", axis, a.ndim()));
  Arrays inputs{a};
  inputs.insert(inputs.end(), indices.begin(), indices.end());
  return apply(make_op<Gather>(std::move(order), slice_sizes), std::move(inputs), to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// scatter

void Scatter::check(const Arrays& in) const {
  require_inputs(*this, in, 2, any_number);
  check_indices("scatter", in, in.size() - 2, axes);
  require_dtype(*this, in, in.size() - 1, in[0].dtype());
}
Avals Scatter::infer(const Arrays& in) const {
  const Shape& to = in[0].shape();
  Shape index = index_shape(in, axes.size());
  const Shape& updates = in.back().shape();
  bool fits = updates.size() == index.size() + to.size() &&
              std::equal(index.begin(), index.end(), updates.begin());
  bool none = element_count(updates) == 0;
  for (size_t i = 0; fits && i < to.size(); i++) fits = none || updates[index.size() + i] <= to[i];
  if (!fits) {
    refuse("scatter",
           "Updates of shape {} do not fit indices of shape {} into an array of "
           "shape {}.",
           to_string(updates), to_string(index), to_string(to));
  }
  return {{to, in[0].dtype()}};
}
namespace {

// What each update of a place is multiplied by there. It is the product by the update, but for
// zeros and infinities: the only one of a place has the product of the rest, and of several the
// product is what they make it. In float64, since the product may be out of range where that of the
// others is not.
template <class Read, class Put>
Array other_factors(const Arrays& in, const Read& read, const Put& put, const Stream& s) {
  const Dtype wide = is_floating(in[0].dtype()) ? float64 : in[0].dtype();
  const Array source = astype(in[0], wide, s), updates = astype(in.back(), wide, s);
  const Array one(1, wide);
  const Array special = logical_or(equal(updates, Array(0, wide), s), isinf(updates, s), s);
  const Array plain = where(special, one, updates, s);
  const Array count =
      read(put(zeros(source.shape(), int32, s), astype(special, int32, s), Combine::sum));
  const Array rest = read(put(source, plain, Combine::prod));
  const Array all = read(put(source, updates, Combine::prod));
  const Array alone = equal(count, astype(special, int32, s), s);  // none of the others is special
  return divide(where(alone, rest, all, s), plain, s);
}

}  // namespace

std::optional<Arrays> Scatter::vjp(const Pull& p) const {
  size_t count = axes.size();
  Arrays indices = indices_of(p.in, count);
  const Array& updates = p.in.back();
  const Stream& s = p.stream;
  Shape box(updates.shape().end() - p.in[0].ndim(), updates.shape().end());
  auto read = [&](const Array& x) { return gather(x, indices, axes, box, s); };
  auto put = [&](const Array& into, const Array& x, Combine c) {
    return scatter_with(into, indices, x, axes, c, clamp, s);
  };
  Arrays result;
  for (int k : p.wanted) {
    bool source = k == 0, update = k == static_cast<int>(count) + 1;
    if (!source && !update) {
      result.emplace_back();  // indices
      continue;
    }
    switch (combine) {
      case Combine::assign:
        if (source) {
          result.push_back(put(p.g[0], zeros_like(updates), Combine::assign));
        } else {
          // Of several updates of one place only the one that stayed counts: write each one's
          // number and see which is found.
          int64_t n =
              element_count(Shape(updates.shape().begin(), updates.shape().end() - p.in[0].ndim()));
          Shape numbers(updates.shape().size(), 1);
          std::copy(updates.shape().begin(), updates.shape().end() - p.in[0].ndim(),
                    numbers.begin());
          Array number =
              broadcast_to(reshape(arange(0, static_cast<double>(n), 1, int64, s), numbers, s),
                           updates.shape(), s);
          Array last = put(zeros(p.in[0].shape(), int64, s), number, Combine::assign);
          result.push_back(
              where(equal(read(last), number, s), read(p.g[0]), zeros_like(updates), s));
        }
        break;
      case Combine::sum:
        result.push_back(source ? p.g[0] : read(p.g[0]));
        break;
      case Combine::prod: {
        const Array back = conjugate(p.g[0], s);
        const Array gradient = source ? put(back, updates, Combine::prod)
                                      : multiply(read(back), other_factors(p.in, read, put, s), s);
        result.push_back(astype(conjugate(gradient, s), p.in[0].dtype(), s));
        break;
      }
      case Combine::max:
      case Combine::min:
        result.push_back(source ? where(equal(p.out[0], p.in[0], s), p.g[0], zeros_like(p.g[0]), s)
                                : where(equal(read(p.out[0]), updates, s), read(p.g[0]),
                                        zeros_like(updates), s));
        break;
    }
  }
  return result;
}
std::optional<Arrays> Scatter::jvp(const Push& p) const {
  if (combine != Combine::assign && combine != Combine::sum) return std::nullopt;
  Array source = zeros_like(p.in[0]), updates = zeros_like(p.in.back());
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] == 0) source = p.t[k];
    if (p.wanted[k] == static_cast<int>(axes.size()) + 1) updates = p.t[k];
  }
  return Arrays{
      scatter_with(source, indices_of(p.in, axes.size()), updates, axes, combine, clamp, p.stream)};
}
std::optional<Batched> Scatter::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  size_t count = axes.size();
  if (!any_batched(b.axes, 1, 1 + count)) {
    // The batch is one more axis of the box, in front.
    Arrays both = all_batched({b.in[0], b.in.back()}, {b.axes[0], b.axes.back()}, s);
    int index_ndim = static_cast<int>(index_shape(b.in, count).size());
    Array updates = moveaxis(both[1], 0, index_ndim, s);
    return Batched{{scatter_with(both[0], indices_of(b.in, count), updates, shifted(axes, 1),
                                 combine, clamp, s)},
                   {0}};
  }
  Arrays indices = batched_indices(b.in, b.axes, count);
  int ndim = 0;
  for (const Array& i : indices) ndim = std::max(ndim, i.ndim());
  indices.push_back(counting(batch_size(b.in, b.axes), ndim, s));
  std::vector<int> moved = shifted(axes, 1);
  moved.push_back(0);
  // Only one of array and updates may be batched, beside the indices.
  int64_t n = batch_size(b.in, b.axes);
  auto fronted = [&](const Array& x, int axis) {
    if (axis >= 0) return batch_to_front(x, axis);
    Shape shape = x.shape();
    shape.insert(shape.begin(), n);
    return broadcast_to(x, shape, s);
  };
  Array updates = expand_dims(fronted(b.in.back(), b.axes.back()), ndim, s);
  return Batched{
      {scatter_with(fronted(b.in[0], b.axes[0]), indices, updates, moved, combine, clamp, s)}, {0}};
}

Array scatter(const Array& a, const Arrays& indices, const Array& updates,
              const std::vector<int>& axes, Combine combine, StreamOrDevice s) {
  for (const Array& index : indices) check_index("scatter", index);  // said before axes are
  std::vector<int> order;
  for (int axis : axes) order.push_back(normalize_axis("scatter", axis, a.ndim()));
  return scatter_with(a, indices, updates, order, combine, false, to_stream(s));
}
Array scatter_add(const Array& a, const Arrays& indices, const Array& updates,
                  const std::vector<int>& axes, StreamOrDevice s) {
  return scatter(a, indices, updates, axes, Combine::sum, s);
}
Array scatter_prod(const Array& a, const Arrays& indices, const Array& updates,
                   const std::vector<int>& axes, StreamOrDevice s) {
  return scatter(a, indices, updates, axes, Combine::prod, s);
}
Array scatter_max(const Array& a, const Arrays& indices, const Array& updates,
                  const std::vector<int>& axes, StreamOrDevice s) {
  return scatter(a, indices, updates, axes, Combine::max, s);
}
Array scatter_min(const Array& a, const Arrays& indices, const Array& updates,
                  const std::vector<int>& axes, StreamOrDevice s) {
  return scatter(a, indices, updates, axes, Combine::min, s);
}

// ---------------------------------------------------------------------------------------------
// take

Array take(const Array& a, const Array& indices, int axis, StreamOrDevice s) {
  int at = normalize_axis("take", axis, a.ndim());
  if (a.shape()[static_cast<size_t>(at)] == 0 && indices.size() != 0) {
    refuse("take", "Cannot do a non-empty take from an empty axis.");
  }
  Stream stream = to_stream(s);
  Shape sizes = whole_sizes(a);
  sizes[static_cast<size_t>(at)] = 1;
  Array out = gather(a, {indices}, {at}, sizes, stream);
  out = squeeze(out, indices.ndim() + at, stream);
  if (at == 0 || indices.ndim() == 0) return out;
  // Index axes to the place of the axis.
  std::vector<int> order;
  for (int i = 0; i < at; i++) order.push_back(indices.ndim() + i);
  for (int i = 0; i < indices.ndim(); i++) order.push_back(i);
  for (int i = indices.ndim() + at; i < out.ndim(); i++) order.push_back(i);
  return transpose(out, order, stream);
}
Array take(const Array& a, const Array& indices, StreamOrDevice s) {
  return take(flatten(a, 0, -1, s), indices, 0, s);
}
Array take(const Array& a, int64_t index, int axis, StreamOrDevice s) {
  size_t at = static_cast<size_t>(normalize_axis("take", axis, a.ndim()));
  int64_t n = a.shape()[at];
  if (a.size() == 0) {
    refuse("take", "Cannot do a non-empty take from an array with zero elements.");
  }
  if (index < -n || index >= n) {
    throw std::out_of_range(
        fmt::format("[take] Index {} is out of range for axis {} with size {}.", index, at, n));
  }
  Shape start(a.shape().size(), slice_end), stop = start;
  start[at] = index;
  stop[at] = index == -1 ? slice_end : index + 1;
  return squeeze(slice(a, start, stop, s), static_cast<int>(at), s);
}
Array take(const Array& a, int64_t index, StreamOrDevice s) {
  return take(flatten(a, 0, -1, s), index, 0, s);
}

}  // namespace heddle
