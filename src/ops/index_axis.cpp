// Indices along one axis, and masks.
#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/products.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/index.h"
#include "ops/util.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// take_along_axis, put_along_axis

namespace {

void check_ranks(const char* op, const Array& a, const Array& indices) {
  if (indices.ndim() != a.ndim()) {
    refuse(op, "Indices of dimension {} does not match array of dimension {}.", indices.ndim(),
           a.ndim());
  }
  if (!is_integer(indices.dtype())) {
    refuse(op, "Indices must be integers, got type {}.", name_of(indices.dtype()));
  }
}

// Shapes agree in all axes but one.
void check_along(const char* name, const Array& a, const Array& indices, int axis) {
  check_ranks(name, a, indices);
  Shape x = a.shape(), y = indices.shape();
  x[static_cast<size_t>(axis)] = y[static_cast<size_t>(axis)] = 1;
  if (x == y) return;
  broadcast_shapes(x, y);
  refuse(name, "Indices of shape {} do not fit an array of shape {}.", to_string(indices.shape()),
         to_string(a.shape()));
}

const char* name_of_write(Combine combine) {
  return combine == Combine::sum ? "scatter_add_axis" : "put_along_axis";
}

}  // namespace

void GatherAxis::check(const Arrays& in) const {
  constexpr const char* op = "take_along_axis";
  require_inputs(*this, in, 2);
  check_along(op, in[0], in[1], axis);
  if (in[0].shape(axis) == 0 && in[1].size() != 0) refuse(op, "Cannot take from an empty axis.");
}
void ScatterAxis::check(const Arrays& in) const {
  const char* op = name_of_write(combine);
  require_inputs(*this, in, 3);
  check_along(op, in[0], in[1], axis);
  require_shape(op, "The values", in[2], in[1].shape());
  require_dtype(*this, in, 2, in[0].dtype());
}

std::optional<Arrays> GatherAxis::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays out;
  for (int k : p.wanted) {
    if (k > 0) {
      out.emplace_back();  // indices
      continue;
    }
    // Sums by index, which halves would stop growing after some hundred terms.
    Array terms = widened(p.g[0], s), none = astype(zeros_like(p.in[0]), terms.dtype(), s);
    Array sums = apply(make_op<ScatterAxis>(axis, Combine::sum, true), {none, p.in[1], terms}, s);
    out.push_back(astype(sums, p.in[0].dtype(), s));
  }
  return out;
}
std::optional<Arrays> GatherAxis::jvp(const Push& p) const {
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] == 0) {
      return Arrays{apply(make_op<GatherAxis>(axis), {p.t[k], p.in[1]}, p.stream)};
    }
  }
  return Arrays(1);
}

std::optional<Arrays> ScatterAxis::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  auto read = [&](const Array& x) { return apply(make_op<GatherAxis>(axis), {x, p.in[1]}, s); };
  auto put = [&](const Array& into, const Array& x) {
    return apply(make_op<ScatterAxis>(axis, Combine::assign, clamp), {into, p.in[1], x}, s);
  };
  Arrays out;
  for (int k : p.wanted) {
    if (k == 1) {
      out.emplace_back();  // indices
    } else if (combine == Combine::sum) {
      out.push_back(k == 0 ? p.g[0] : read(p.g[0]));
    } else if (k == 0) {
      out.push_back(put(p.g[0], zeros_like(p.in[2])));
    } else {
      // Only the value that stayed counts: write each one's number and see which is found.
      Array number = may_change_size(p.in[2])
                         ? reshape(cumsum(flatten(full_like(p.in[2], Array(1), int64, s), 0, -1, s),
                                          0, false, true, s),
                                   shape_of_trace(p.in[2]), s)
                         : reshape(arange(0, static_cast<double>(p.in[2].size()), 1, int64, s),
                                   p.in[2].shape(), s);
      Array last = put(full_like(p.in[0], Array(0), int64, s), number);
      out.push_back(where(equal(read(last), number, s), read(p.g[0]), zeros_like(p.in[2]), s));
    }
  }
  return out;
}
std::optional<Arrays> ScatterAxis::jvp(const Push& p) const {
  Array source = zeros_like(p.in[0]), values = zeros_like(p.in[2]);
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] == 0) source = p.t[k];
    if (p.wanted[k] == 2) values = p.t[k];
  }
  return Arrays{
      apply(make_op<ScatterAxis>(axis, combine, clamp), {source, p.in[1], values}, p.stream)};
}

namespace {

// `a` and `indices` broadcast against each other in all axes but one.
std::pair<Array, Array> along_axis(const char* op, const Array& a, const Array& indices, int axis,
                                   const Stream& s) {
  check_ranks(op, a, indices);
  Shape x = a.shape(), y = indices.shape();
  size_t at = static_cast<size_t>(axis);
  int64_t have = x[at], wanted = y[at];
  x[at] = y[at] = 1;
  x = broadcast_shapes(x, y);
  y = x;
  x[at] = have;
  y[at] = wanted;
  return {broadcast_to(a, x, s), broadcast_to(indices, y, s)};
}

Array write_along_axis(const char* op, const Array& a, const Array& indices, const Array& values,
                       int axis, Combine combine, StreamOrDevice s) {
  int at = normalize_axis(op, axis, a.ndim());
  Stream stream = to_stream(s);
  auto [array, index] = along_axis(op, a, indices, at, stream);
  if (!(array.shape() == a.shape())) {
    refuse(op, "Indices of shape {} do not broadcast to an array of shape {}.",
           to_string(indices.shape()), to_string(a.shape()));
  }
  Array v = broadcast_to(astype(values, a.dtype(), stream), index.shape(), stream);
  return apply(make_op<ScatterAxis>(at, combine, false), {array, index, v}, stream);
}

}  // namespace

Array take_along_axis(const Array& a, const Array& indices, int axis, StreamOrDevice s) {
  int at = normalize_axis("take_along_axis", axis, a.ndim());
  Stream stream = to_stream(s);
  auto [array, index] = along_axis("take_along_axis", a, indices, at, stream);
  return apply(make_op<GatherAxis>(at), {array, index}, stream);
}
Array put_along_axis(const Array& a, const Array& indices, const Array& values, int axis,
                     StreamOrDevice s) {
  return write_along_axis("put_along_axis", a, indices, values, axis, Combine::assign, s);
}
Array scatter_add_axis(const Array& a, const Array& indices, const Array& values, int axis,
                       StreamOrDevice s) {
  return write_along_axis("scatter_add_axis", a, indices, values, axis, Combine::sum, s);
}

// ---------------------------------------------------------------------------------------------
// masked_scatter

void MaskedScatter::check(const Arrays& in) const {
  constexpr const char* op = "masked_scatter";
  require_inputs(*this, in, 3);
  require_rank(op, "The array", in[0], 2);
  require_rank(op, "The values", in[2], 2);
  require_shape(op, "The mask", in[1], {in[0].shape(0)});
  require_dtype(*this, in, 1, bool_);
  require_dtype(*this, in, 2, in[0].dtype());
  require_shape(op, "The values", in[2], {in[2].shape(0), in[0].shape(1)});
}

std::optional<Arrays> MaskedScatter::decompose(const Arrays& in, const Stream& s) const {
  const Array& a = in[0];
  const Array& values = in[2];
  if (a.size() == 0 || values.size() == 0) return Arrays{a};
  // The k-th true entry takes the k-th row.
  Array row = subtract(cumsum(astype(in[1], int64, s), 0, false, true, s), Array(1, int64), s);
  Array rows = take(values, row, 0, s);
  return Arrays{where(expand_dims(in[1], 1, s), rows, a, s)};
}

Array masked_scatter(const Array& a, const Array& mask, const Array& values, StreamOrDevice s) {
  if (!is_bool(mask.dtype())) {
    refuse("masked_scatter", "The mask must be boolean, got {}.", name_of(mask.dtype()));
  }
  if (mask.ndim() > a.ndim()) {
    refuse("masked_scatter", "The mask cannot have more dimensions than the target.");
  }
  if (!std::equal(mask.shape().begin(), mask.shape().end(), a.shape().begin())) {
    refuse("masked_scatter",
           "The boolean mask should have the same shape as the beginning of "
           "the indexed array but the mask has shape {} and the array has shape {}",
           to_string(mask.shape()), to_string(a.shape()));
  }
  Stream stream = to_stream(s);
  Shape inner(a.shape().begin() + mask.ndim(), a.shape().end());
  int rank = static_cast<int>(inner.size());
  Array v = astype(values, a.dtype(), stream);
  while (v.ndim() > rank + 1 && v.shape()[0] == 1) v = squeeze(v, 0, stream);
  if (v.ndim() > rank + 1) {
    refuse("masked_scatter",
           "Value array shape must be broadcastable with the last {} "
           "dimensions of the input, got {}.",
           rank, to_string(values.shape()));
  }
  int64_t rows = mask.size(), columns = element_count(inner);
  Shape full = inner;
  full.insert(full.begin(), v.ndim() == rank + 1 ? v.shape()[0] : rows);
  v = broadcast_to(v, full, stream);
  Array out = apply(make_op<MaskedScatter>(),
                    {reshape(a, {rows, columns}, stream), reshape(mask, {rows}, stream),
                     reshape(v, {full[0], columns}, stream)},
                    stream);
  return reshape(out, a.shape(), stream);
}

}  // namespace heddle
