// Slices: views of parts of arrays, and arrays with a part changed.
#include "ops/slice.h"

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {

SliceRange resolve_slice(int64_t start, int64_t stop, int64_t step, int64_t size) {
  bool forward = step > 0;
  int64_t lowest = forward ? 0 : -1, highest = forward ? size : size - 1;
  auto place = [&](int64_t bound, int64_t missing) {
    if (bound == slice_end) return missing;
    return std::clamp(bound < 0 ? bound + size : bound, lowest, highest);
  };
  int64_t first = place(start, forward ? 0 : size - 1);
  int64_t last = place(stop, forward ? size : -1);
  int64_t span = forward ? last - first : first - last;
  // Steps beyond the size move off the axis at once, however long they are.
  int64_t stride = forward ? std::min(step, size + 1) : -std::max(step, -(size + 1));
  int64_t count = span > 0 ? (span - 1) / stride + 1 : 0;
  return {first, forward ? stride : -stride, count};
}

namespace {

Shape sliced_shape(const char* op, const Shape& from, const Shape& start, const Shape& stop,
                   const Shape& step) {
  size_t n = from.size();
  if (start.size() != n || stop.size() != n || step.size() != n) {
    refuse(op, "Invalid number of indices or strides for array with dimension {}.", n);
  }
  Shape out;
  for (size_t i = 0; i < n; i++) {
    if (step[i] == 0) {
      refuse(op, "The step of a slice cannot be zero.");
    }
    out.push_back(resolve_slice(start[i], stop[i], step[i], from[i]).count);
  }
  return out;
}

bool is_whole(int64_t start, int64_t stop) {
  return (start == 0 || start == slice_end) && stop == slice_end;
}

// The slice with one more, whole, axis in front.
}  // namespace

// ---------------------------------------------------------------------------------------------
// slice

void Slice::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals Slice::infer(const Arrays& in) const {
  return {{sliced_shape("slice", in[0].shape(), start, stop, step), in[0].dtype()}};
}
std::optional<Arrays> Slice::vjp(const Pull& p) const {
  return Arrays{slice_update(zeros_like(p.in[0]), p.g[0], start, stop, step)};
}

Array slice(const Array& a, const Shape& start, const Shape& stop, const Shape& step,
            StreamOrDevice s) {
  Shape shape = sliced_shape("slice", a.shape(), start, stop, step);
  // What is whole at one size may be a part at another.
  bool whole = shape == a.shape();
  for (size_t i = 0; whole && i < shape.size(); i++) {
    whole = step[i] == 1 && (!may_change_size(a) || is_whole(start[i], stop[i]));
  }
  if (whole) return a;
  return apply(make_op<Slice>(start, stop, step), {a}, Aval{std::move(shape), a.dtype()},
               to_stream(s));
}
Array slice(const Array& a, const Shape& start, const Shape& stop, StreamOrDevice s) {
  return slice(a, start, stop, Shape(start.size(), 1), s);
}

// ---------------------------------------------------------------------------------------------
// slice_update

void SliceUpdate::check(const Arrays& in) const {
  require_inputs(*this, in, 2);
  require_dtype(*this, in, 1, in[0].dtype());
}
Avals SliceUpdate::infer(const Arrays& in) const {
  Shape wanted = sliced_shape("slice_update", in[0].shape(), start, stop, step);
  if (!(in[1].shape() == wanted)) {
    refuse("slice_update", "The update has shape {}, but the slice has shape {}.",
           to_string(in[1].shape()), to_string(wanted));
  }
  return {{in[0].shape(), in[0].dtype()}};
}
std::optional<Arrays> SliceUpdate::vjp(const Pull& p) const {
  Arrays out;
  Array part = slice(p.g[0], start, stop, step);
  auto put_back = [&](const Array& x) { return slice_update(p.g[0], x, start, stop, step); };
  auto old = [&] { return slice(p.in[0], start, stop, step); };
  // For max and min: whether the old value won.
  auto kept = [&] {
    return combine == Combine::max ? greater_equal(old(), p.in[1]) : less_equal(old(), p.in[1]);
  };
  for (int k : p.wanted) {
    switch (combine) {
      case Combine::assign:
        out.push_back(k == 0 ? put_back(zeros_like(p.in[1])) : part);
        break;
      case Combine::sum:
        out.push_back(k == 0 ? p.g[0] : part);
        break;
      case Combine::prod:
        // A complex cotangent meets the conjugate of the derivative.
        out.push_back(k == 0 ? put_back(multiply(part, conjugate(p.in[1])))
                             : multiply(part, conjugate(old())));
        break;
      case Combine::max:
      case Combine::min: {
        Array zero = zeros_like(part);
        out.push_back(k == 0 ? put_back(where(kept(), part, zero)) : where(kept(), zero, part));
        break;
      }
    }
  }
  return out;
}

Array slice_update(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                   const Shape& step, Combine combine, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Shape shape = sliced_shape("slice_update", a.shape(), start, stop, step);
  Array u = astype(update, a.dtype(), stream);
  if (!(u.shape() == shape)) {
    u = may_change_size(a) ? broadcast_like(u, slice(a, start, stop, step, stream), stream)
                           : broadcast_to(u, shape, stream);
  }
  if (element_count(shape) == 0) return a;
  return apply(make_op<SliceUpdate>(start, stop, step, combine), {a, u}, Aval{a.shape(), a.dtype()},
               stream);
}
Array slice_update(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                   StreamOrDevice s) {
  return slice_update(a, update, start, stop, Shape(start.size(), 1), Combine::assign, s);
}
Array slice_update_add(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step, StreamOrDevice s) {
  return slice_update(a, update, start, stop, step, Combine::sum, s);
}
Array slice_update_prod(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                        const Shape& step, StreamOrDevice s) {
  return slice_update(a, update, start, stop, step, Combine::prod, s);
}
Array slice_update_max(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step, StreamOrDevice s) {
  return slice_update(a, update, start, stop, step, Combine::max, s);
}
Array slice_update_min(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step, StreamOrDevice s) {
  return slice_update(a, update, start, stop, step, Combine::min, s);
}

// ---------------------------------------------------------------------------------------------
// Corners known at evaluation: gather and scatter of a single box.

namespace {

struct Corner {
  Arrays indices;  // scalars
  std::vector<int> axes;
};

Corner corner_of(const char* op, const Array& a, const Array& start, const std::vector<int>& axes,
                 const Stream& s) {
  if (start.ndim() > 1) {
    refuse(op,
           "array of starting indices must be zero or one dimensional but has "
           "dimension {}.",
           start.ndim());
  }
  if (start.size() != static_cast<int64_t>(axes.size())) {
    refuse(op, "Number of starting indices {} does not match number of axes {}.", start.size(),
           axes.size());
  }
  if (!is_integer(start.dtype())) {
    refuse(op, "Start indices must be integers, got type {}.", name_of(start.dtype()));
  }
  Corner out;
  for (int axis : axes) out.axes.push_back(normalize_axis(op, axis, a.ndim()));
  std::vector<int> sorted = out.axes;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    refuse(op, "Repeat axes not allowed.");
  }
  if (start.ndim() == 0) {
    out.indices = {start};
  } else {
    out.indices = unstack(start, 0, s);
  }
  return out;
}

}  // namespace

Array dynamic_slice(const Array& a, const Array& start, const std::vector<int>& axes,
                    const Shape& size, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Corner corner = corner_of("slice", a, start, axes, stream);
  if (size.size() != a.shape().size()) {
    refuse("slice", "Invalid slice size for array with {} dimensions.", a.ndim());
  }
  for (size_t i = 0; i < size.size(); i++) {
    if (size[i] < 0 || size[i] > a.shape()[i]) {
      refuse("slice", "Invalid slice size {} for array with shape {}.", to_string(size),
             to_string(a.shape()));
    }
  }
  if (corner.axes.empty()) return slice(a, Shape(size.size(), 0), size, stream);
  return gather(a, corner.indices, corner.axes, size, stream);
}

Array dynamic_slice_update(const Array& a, const Array& update, const Array& start,
                           const std::vector<int>& axes, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Corner corner = corner_of("slice_update", a, start, axes, stream);
  // The box has the sizes of the update, and one where the update has no such axis or is broadcast.
  Array u = astype(update, a.dtype(), stream);
  size_t n = a.shape().size();
  while (static_cast<size_t>(u.ndim()) > n && u.shape()[0] == 1) u = squeeze(u, 0, stream);
  if (static_cast<size_t>(u.ndim()) > n) {
    refuse("slice_update",
           "The update of shape {} has more dimensions than the array of "
           "shape {}.",
           to_string(u.shape()), to_string(a.shape()));
  }
  Shape box(n, 1);
  size_t skip = n - u.shape().size();
  for (size_t i = 0; i < u.shape().size(); i++) box[skip + i] = u.shape()[i];
  for (size_t i = 0; i < n; i++) {
    if (box[i] > a.shape()[i]) {
      refuse("slice_update", "The update of shape {} is larger than the array of shape {}.",
             to_string(u.shape()), to_string(a.shape()));
    }
  }
  u = reshape(u, box, stream);
  if (corner.axes.empty()) return slice_update(a, u, Shape(n, 0), box, stream);
  return scatter(a, corner.indices, u, corner.axes, Combine::assign, stream);
}

}  // namespace heddle
