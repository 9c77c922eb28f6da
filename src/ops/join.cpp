#include "ops/join.h"

#include <algorithm>
#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// concatenate, stack

void Concatenate::check(const Arrays& in) const {
  require_inputs(*this, in, 1, any_number);
  require_one_dtype(*this, in);
}
Avals Concatenate::infer(const Arrays& in) const {
  Shape out = in[0].shape();
  size_t at = static_cast<size_t>(axis);
  for (size_t k = 1; k < in.size(); k++) {
    const Shape& shape = in[k].shape();
    if (shape.size() != out.size()) {
      refuse("concatenate",
             "All the input arrays must have the same number of dimensions. "
             "However, got arrays with dimensions {} and {}.",
             out.size(), shape.size());
    }
    for (size_t i = 0; i < shape.size(); i++) {
      if (i != at && shape[i] != out[i]) {
        refuse("concatenate",
               "All the input array dimensions must match exactly except for the "
               "concatenation axis. However, the provided shapes are {}, {}, and the concatenation "
               "axis is {}.",
               to_string(in[0].shape()), to_string(shape), axis);
      }
    }
    out[at] += shape[at];
  }
  check_shape("concatenate", out, in[0].itemsize());
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Concatenate::vjp(const Pull& p) const {
  size_t at = static_cast<size_t>(axis);
  std::vector<int64_t> first{0};
  for (const Array& a : p.in) first.push_back(first.back() + a.shape()[at]);
  Shape start(p.g[0].shape().size(), 0), stop = p.g[0].shape();
  Arrays out;
  for (int k : p.wanted) {
    start[at] = first[static_cast<size_t>(k)];
    stop[at] = first[static_cast<size_t>(k) + 1];
    out.push_back(slice(p.g[0], start, stop));
  }
  return out;
}

Array concatenate(const Arrays& arrays, int axis, StreamOrDevice s) {
  if (arrays.empty()) {
    refuse("concatenate", "No arrays provided for concatenation");
  }
  if (arrays.size() == 1) return arrays[0];
  int at = normalize_axis("concatenate", axis, arrays[0].ndim());
  Dtype dtype = arrays[0].dtype();
  for (const Array& a : arrays) dtype = promote_types(dtype, a.dtype());
  Stream stream = to_stream(s);
  Arrays inputs;
  for (const Array& a : arrays) inputs.push_back(astype(a, dtype, stream));
  return apply(make_op<Concatenate>(at), std::move(inputs), stream);
}
Array concatenate(const Arrays& arrays, StreamOrDevice s) {
  Arrays flat;
  for (const Array& a : arrays) flat.push_back(flatten(a, 0, -1, s));
  return concatenate(flat, 0, s);
}
Array stack(const Arrays& arrays, int axis, StreamOrDevice s) {
  if (arrays.empty()) refuse("stack", "No arrays provided for stacking");
  for (const Array& a : arrays) {
    if (!(a.shape() == arrays[0].shape())) {
      refuse("stack", "All arrays must have the same shape, got {} and {}.",
             to_string(arrays[0].shape()), to_string(a.shape()));
    }
  }
  int at = normalize_axis("stack", axis, arrays[0].ndim() + 1);
  Shape stacked = arrays[0].shape();
  stacked.insert(stacked.begin() + at, static_cast<int64_t>(arrays.size()));
  check_shape("stack", stacked, arrays[0].itemsize());
  Arrays expanded;
  for (const Array& a : arrays) expanded.push_back(expand_dims(a, at, s));
  return concatenate(expanded, at, s);
}

// ---------------------------------------------------------------------------------------------
// split, unstack

std::vector<std::pair<int64_t, int64_t>> Split::parts(int64_t size) const {
  std::vector<std::pair<int64_t, int64_t>> out;
  if (sections > 0) {
    for (int k = 0; k < sections; k++) out.emplace_back(size / sections * k, size / sections);
    return out;
  }
  int64_t first = 0;
  for (size_t k = 0; k <= indices.size(); k++) {
    int64_t stop = k < indices.size() ? indices[k] : size;
    stop = std::clamp<int64_t>(stop < 0 ? stop + size : stop, 0, size);
    out.emplace_back(first, std::max<int64_t>(stop - first, 0));
    first = stop;
  }
  return out;
}

void Split::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals Split::infer(const Arrays& in) const {
  Shape shape = in[0].shape();
  int64_t size = shape[static_cast<size_t>(axis)];
  if (sections > 0 && size % sections != 0) {
    refuse("split",
           "Array split does not result in sub arrays with equal size: attempting "
           "{} splits along axis {} for shape {}.",
           sections, axis, to_string(shape));
  }
  Avals out;
  for (auto [first, length] : parts(size)) {
    shape[static_cast<size_t>(axis)] = length;
    out.push_back({shape, in[0].dtype()});
  }
  return out;
}
std::optional<Arrays> Split::vjp(const Pull& p) const {
  int64_t next = 0;
  bool in_order = true;
  auto pieces = parts(p.in[0].shape()[static_cast<size_t>(axis)]);
  for (auto [first, length] : pieces) {
    in_order &= first == next;
    next = first + length;
  }
  if (in_order) return Arrays{concatenate(p.g, axis)};
  // Indices that go back give parts that overlap.
  Array sum = zeros_like(p.in[0]);
  Shape start(p.in[0].shape().size(), 0), stop = p.in[0].shape(), step(start.size(), 1);
  for (size_t k = 0; k < p.g.size(); k++) {
    start[static_cast<size_t>(axis)] = pieces[k].first;
    stop[static_cast<size_t>(axis)] = pieces[k].first + pieces[k].second;
    sum = slice_update_add(sum, p.g[k], start, stop, step);
  }
  return Arrays{sum};
}

namespace {

Arrays split_by(const Array& a, const Split& how, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Avals results = how.infer({a});
  if (results.size() == 1) return {a};
  // A node counts its siblings in one byte.
  if (results.size() <= 255) return apply_multi(make_op<Split>(how), {a}, results, stream);
  Arrays out;
  size_t at = static_cast<size_t>(how.axis);
  Shape start(a.shape().size(), 0), stop = a.shape();
  for (auto [first, length] : how.parts(a.shape()[at])) {
    start[at] = first;
    stop[at] = first + length;
    out.push_back(slice(a, start, stop, stream));
  }
  return out;
}

}  // namespace

Arrays split(const Array& a, int sections, int axis, StreamOrDevice s) {
  int at = normalize_axis("split", axis, a.ndim());
  if (sections <= 0) {
    refuse("split", "num_splits must be positive and non-zero but got {}.", sections);
  }
  return split_by(a, Split{at, sections, {}}, s);
}
Arrays split(const Array& a, const Shape& indices, int axis, StreamOrDevice s) {
  int at = normalize_axis("split", axis, a.ndim());
  return split_by(a, Split{at, 0, indices}, s);
}
Arrays unstack(const Array& a, int axis, StreamOrDevice s) {
  int at = normalize_axis("unstack", axis, a.ndim());
  int64_t n = a.shape()[static_cast<size_t>(at)];
  if (n == 0) return {};
  Arrays out = split(a, static_cast<int>(n), at, s);
  for (Array& x : out) x = squeeze(x, at, s);
  return out;
}

// ---------------------------------------------------------------------------------------------
// repeat, tile, roll, flip: composed

Array repeat(const Array& a, int repeats, int axis, StreamOrDevice s) {
  int at = normalize_axis("repeat", axis, a.ndim());
  if (repeats < 0) {
    refuse("repeat", "Number of repeats cannot be negative, got {}.", repeats);
  }
  if (repeats == 1) return a;
  Shape result = a.shape();
  result[static_cast<size_t>(at)] *= repeats;  // both below 2^31
  check_shape("repeat", result, a.itemsize());
  Array x = expand_dims(a, at + 1, s);
  if (may_change_size(a) && repeats > 0) {
    return flatten(concatenate(Arrays(static_cast<size_t>(repeats), x), at + 1, s), at, at + 1, s);
  }
  Shape shape = x.shape();
  shape[static_cast<size_t>(at) + 1] = repeats;
  return flatten(broadcast_to(x, shape, s), at, at + 1, s);
}
Array repeat(const Array& a, int repeats, StreamOrDevice s) {
  return repeat(flatten(a, 0, -1, s), repeats, 0, s);
}

Array tile(const Array& a, const Shape& repetitions, StreamOrDevice s) {
  Shape from = a.shape(), times = repetitions;
  while (from.size() < times.size()) from.insert(from.begin(), 1);
  while (times.size() < from.size()) times.insert(times.begin(), 1);
  // (n) -> (1, n) -> (times, n) -> (times * n), where there is something to repeat.
  Shape expanded, repeated, joined;
  for (size_t i = 0; i < from.size(); i++) {
    if (times[i] != 1) {
      expanded.push_back(1);
      repeated.push_back(times[i]);
    }
    expanded.push_back(from[i]);
    repeated.push_back(from[i]);
    int64_t size;
    if (__builtin_mul_overflow(from[i], times[i], &size)) size = INT64_MAX;
    joined.push_back(size);
  }
  check_shape("tile", times);
  check_shape("tile", joined, a.itemsize());
  const bool none = std::any_of(times.begin(), times.end(), [](int64_t n) { return n < 1; });
  if (may_change_size(a) && !none) {
    std::vector<int> leading(from.size() - a.shape().size());
    std::iota(leading.begin(), leading.end(), 0);
    Array out = expand_dims(a, leading, s);
    for (size_t i = 0; i < times.size(); i++) {
      if (times[i] == 1) continue;
      out = concatenate(Arrays(static_cast<size_t>(times[i]), out), static_cast<int>(i), s);
    }
    return out;
  }
  return reshape(broadcast_to(reshape(a, expanded, s), repeated, s), joined, s);
}

Array roll(const Array& a, const Shape& shifts, const std::vector<int>& axes, StreamOrDevice s) {
  if (shifts.size() < axes.size()) {
    refuse("roll", "At least one shift value per axis is required, {} provided for {} axes.",
           shifts.size(), axes.size());
  }
  Array out = a;
  for (size_t k = 0; k < axes.size(); k++) {
    size_t at = static_cast<size_t>(normalize_axis("roll", axes[k], a.ndim()));
    int64_t n = a.shape()[at];
    if (n == 0) continue;
    int64_t shift = (shifts[k] % n + n) % n;
    if (may_change_size(a) && std::abs(shifts[k]) < n) shift = shifts[k];
    if (shift == 0) continue;
    Arrays parts = split(out, Shape{-shift}, static_cast<int>(at), s);
    out = concatenate({parts[1], parts[0]}, static_cast<int>(at), s);
  }
  return out;
}
Array roll(const Array& a, int64_t shift, StreamOrDevice s) {
  if (a.ndim() == 1) return roll(a, Shape{shift}, {0}, s);
  return reshape(roll(flatten(a, 0, -1, s), Shape{shift}, {0}, s), a.shape(), s);
}

Array flip(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  size_t n = a.shape().size();
  Shape start(n, slice_end), stop(n, slice_end), step(n, 1);
  for (int axis : axes) step[static_cast<size_t>(normalize_axis("flip", axis, a.ndim()))] = -1;
  return slice(a, start, stop, step, s);
}
Array flip(const Array& a, StreamOrDevice s) {
  size_t n = a.shape().size();
  return slice(a, Shape(n, slice_end), Shape(n, slice_end), Shape(n, -1), s);
}

}  // namespace heddle
