#include "ops/sort.h"

#include <algorithm>
#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "heddle/ops/sort.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

Array flat(const Array& a, StreamOrDevice s) { return flatten(a, 0, -1, s); }

// A sort moves elements, so derivatives move with them.
Array unsort(const Array& g, const Array& x, const Array& order, int axis) {
  return put_along_axis(zeros_like(x), order, astype(g, x.dtype()), axis);
}

// kth counted from the front. MLX leaves out a space in the message of one of the two.
int normalize_kth(const char* op, const char* space, const Array& a, int kth, int axis, int at) {
  int n = static_cast<int>(a.shape(at));
  int k = kth < 0 ? kth + n : kth;
  if (k < 0 || k >= n) {
    refuse(op, "Received invalid kth {}{}along axis {} for array with shape: {}", kth, space, axis,
           to_string(a.shape()));
  }
  return k;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// sort, argsort

void Sort::check(const Arrays& in) const { require_inputs(*this, in, 1); }
void ArgSort::check(const Arrays& in) const { require_inputs(*this, in, 1); }

std::optional<Arrays> Sort::vjp(const Pull& p) const {
  return Arrays{unsort(p.g[0], p.in[0], argsort(p.in[0], axis), axis)};
}
std::optional<Arrays> Sort::jvp(const Push& p) const {
  return Arrays{take_along_axis(p.t[0], argsort(p.in[0], axis), axis)};
}

Array sort(const Array& a, int axis, StreamOrDevice s) {
  return apply(make_op<Sort>(normalize_axis("sort", axis, a.ndim())), {a}, to_stream(s));
}
Array sort(const Array& a, StreamOrDevice s) { return sort(flat(a, s), 0, s); }
Array argsort(const Array& a, int axis, StreamOrDevice s) {
  return apply(make_op<ArgSort>(normalize_axis("argsort", axis, a.ndim())), {a}, to_stream(s));
}
Array argsort(const Array& a, StreamOrDevice s) { return argsort(flat(a, s), 0, s); }

// ---------------------------------------------------------------------------------------------
// partition, argpartition, topk

void Partition::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  normalize_kth("partition", "", in[0], kth, axis, axis);
}
void ArgPartition::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  normalize_kth("argpartition", " ", in[0], kth, axis, axis);
}

std::optional<Arrays> Partition::vjp(const Pull& p) const {
  return Arrays{unsort(p.g[0], p.in[0], argpartition(p.in[0], kth, axis), axis)};
}
std::optional<Arrays> Partition::jvp(const Push& p) const {
  return Arrays{take_along_axis(p.t[0], argpartition(p.in[0], kth, axis), axis)};
}

Array partition(const Array& a, int kth, int axis, StreamOrDevice s) {
  int at = normalize_axis("partition", axis, a.ndim());
  int k = normalize_kth("partition", "", a, kth, axis, at);
  if (may_change_size(a)) k = kth;  // what counts from the end does so at any size
  return apply(make_op<Partition>(k, at), {a}, to_stream(s));
}
Array partition(const Array& a, int kth, StreamOrDevice s) {
  return partition(flat(a, s), kth, 0, s);
}
Array argpartition(const Array& a, int kth, int axis, StreamOrDevice s) {
  int at = normalize_axis("argpartition", axis, a.ndim());
  int k = normalize_kth("argpartition", " ", a, kth, axis, at);
  if (may_change_size(a)) k = kth;
  return apply(make_op<ArgPartition>(k, at), {a}, to_stream(s));
}
Array argpartition(const Array& a, int kth, StreamOrDevice s) {
  return argpartition(flat(a, s), kth, 0, s);
}

Array topk(const Array& a, int k, int axis, StreamOrDevice s) {
  int at = normalize_axis("topk", axis, a.ndim());
  int64_t n = a.shape(at);
  if (k < 0 || k > n) {
    refuse("topk", "Received invalid k={} along axis {} for array with shape: {}", k, axis,
           to_string(a.shape()));
  }
  if (k == n && !may_change_size(a)) return a;
  Shape start(a.shape().size(), slice_end), stop = start;
  start[static_cast<size_t>(at)] = k == 0 ? n : -k;
  // Of none there is nothing to partition around.
  Array ordered = k == 0 ? a : partition(a, -k, at, s);
  return slice(ordered, start, stop, s);
}
Array topk(const Array& a, int k, StreamOrDevice s) { return topk(flat(a, s), k, 0, s); }

// ---------------------------------------------------------------------------------------------
// searchsorted

void SearchSorted::check(const Arrays& in) const {
  constexpr const char* op = "searchsorted";
  require_inputs(*this, in, 2);
  require_one_dtype(*this, in);
  const Shape &sorted = in[0].shape(), &values = in[1].shape();
  const size_t shared = static_cast<size_t>(std::max(batch, 0));
  if (sorted.size() != shared + 1) {
    refuse(op, "The sorted sequence must be {}-D but has {} dimensions.", shared + 1,
           sorted.size());
  }
  if (values.size() < shared ||
      !std::equal(values.begin(), values.begin() + static_cast<long>(shared), sorted.begin())) {
    refuse(op, "Values of shape {} do not fit sequences of shape {}.", to_string(values),
           to_string(sorted));
  }
}

std::optional<Batched> SearchSorted::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  Array values = batch_to_front(b.in[1], b.axes[1]);
  // One sequence for all values: they may have any shape.
  if (b.axes[0] < 0 && batch == 0) {
    return Batched{{apply(make_op<SearchSorted>(right, 0), {b.in[0], values}, s)}, {0}};
  }
  Array sorted = batch_to_front(b.in[0], b.axes[0]);
  int64_t n = b.axes[0] < 0 ? b.in[1].shape(b.axes[1]) : b.in[0].shape(b.axes[0]);
  auto repeated = [&](const Array& x) {
    Shape shape = x.shape();
    shape.insert(shape.begin(), n);
    return broadcast_to(x, shape, s);
  };
  if (b.axes[0] < 0) sorted = repeated(sorted);
  if (b.axes[1] < 0) values = repeated(values);
  return Batched{{apply(make_op<SearchSorted>(right, batch + 1), {sorted, values}, s)}, {0}};
}

Array searchsorted(const Array& sorted_sequence, const Array& values, const std::string& side,
                   StreamOrDevice s) {
  if (side != "left" && side != "right") {
    refuse("searchsorted", "Invalid side '{}'. Expected 'left' or 'right'.", side);
  }
  Dtype t = promote_types(sorted_sequence.dtype(), values.dtype());
  return apply(make_op<SearchSorted>(side == "right", 0),
               {astype(sorted_sequence, t, s), astype(values, t, s)}, to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// median

Array median(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  const int ndim = a.ndim();
  std::vector<int> reduced;
  for (int axis : axes) {
    if (axis < -ndim || axis >= ndim) {
      throw AxisError(fmt::format("[median] axis {} is out of bounds for array with {} dimensions.",
                                  axis, ndim));
    }
    reduced.push_back(axis < 0 ? axis + ndim : axis);
  }
  std::sort(reduced.begin(), reduced.end());
  if (std::adjacent_find(reduced.begin(), reduced.end()) != reduced.end()) {
    refuse("median", "Received duplicate axis.");
  }
  Array x = astype(a, at_least_float(a.dtype()), s);
  if (reduced.empty()) return x;

  // The reduced axes become the last one.
  std::vector<int> order;
  Shape rows, kept;
  int64_t n = 1;
  for (int i = 0; i < ndim; i++) {
    const bool keep = !std::binary_search(reduced.begin(), reduced.end(), i);
    kept.push_back(keep ? a.shape(i) : 1);
    if (keep) {
      order.push_back(i);
      rows.push_back(a.shape(i));
    } else {
      n *= a.shape(i);
    }
  }
  if (n == 0) refuse("median", "Cannot take median along empty axis.");
  order.insert(order.end(), reduced.begin(), reduced.end());
  rows.push_back(n);
  const int last = static_cast<int>(rows.size()) - 1;
  Array sorted = sort(reshape(transpose(x, order, s), rows, s), last, s);
  auto column = [&](int64_t i) {
    Shape start(rows.size(), 0), stop = rows;
    start.back() = i;
    stop.back() = i + 1;
    return slice(sorted, start, stop, s);
  };
  Array middle = column(n / 2);
  if (n % 2 == 0) {
    const Dtype wide = is_half(x.dtype()) ? float32 : x.dtype();
    auto half = [&](const Array& v) {  // of each, since the sum may overflow
      return multiply(astype(v, wide, s), Array(0.5, wide), s);
    };
    middle = astype(add(half(column(n / 2 - 1)), half(middle), s), x.dtype(), s);
  }
  Array largest = column(n - 1);
  Array out = where(isnan(largest, s), largest, middle, s);
  return keepdims ? reshape(out, kept, s) : squeeze(out, last, s);
}
Array median(const Array& a, bool keepdims, StreamOrDevice s) {
  std::vector<int> axes(static_cast<size_t>(a.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  return median(a, axes, keepdims, s);
}

// ---------------------------------------------------------------------------------------------
// unique

Unique unique(const Array& a, int size, const std::optional<Array>& fill_value, StreamOrDevice s) {
  if (size < 0) {
    refuse("unique", "Received negative size {}.", size);
  }
  if (fill_value && fill_value->size() != 1) {
    refuse("unique", "Fill value must have one element, but got shape {}.",
           to_string(fill_value->shape()));
  }
  int n = static_cast<int>(a.size());
  std::optional<Array> fill;
  if (fill_value) fill = astype(reshape(*fill_value, Shape{}, s), a.dtype(), s);
  if (n == 0) {
    if (size > 0 && !fill) {
      refuse("unique", "A fill value is required for an empty input with a non-zero size.");
    }
    Array values = fill ? full({size}, *fill, s) : zeros({size}, a.dtype(), s);
    return {values, zeros({size}, uint32, s), zeros(a.shape(), uint32, s), zeros({size}, int32, s)};
  }

  Array x = flat(a, s);
  Array order = argsort(x, 0, s);
  Array sorted = take(x, order, 0, s);
  // The number of each sorted element among the distinct ones, counted from 0.
  Array differs = not_equal(slice(sorted, {1}, {n}, s), slice(sorted, {0}, {n - 1}, s), s);
  Array number = cumsum(concatenate({zeros({1}, int32, s), astype(differs, int32, s)}, 0, s), 0,
                        false, true, s);
  // Equal elements are neighbours: from the first with a number to the first with a larger one.
  Array numbers = arange(size, s);
  Array begin = searchsorted(number, numbers, "left", s);
  Array end = searchsorted(number, numbers, "right", s);
  Array there = less(begin, Array(n, uint32), s);

  Unique out;
  Array first = where(there, begin, Array(0, uint32), s);
  out.index = take(order, first, 0, s);
  out.values = take(x, out.index, 0, s);
  if (fill) out.values = where(there, out.values, *fill, s);
  out.counts = astype(subtract(end, begin, s), int32, s);
  Array place = astype(minimum(number, Array(std::max(size - 1, 0)), s), uint32, s);
  out.inverse = reshape(put_along_axis(zeros({n}, uint32, s), order, place, 0, s), a.shape(), s);
  return out;
}

}  // namespace heddle
