#include "ops/reduce.h"

#include <numeric>

#include "heddle/ops.h"
#include "ops/util.h"

namespace heddle {
namespace {

// Sums and products of narrow integers are taken, and kept, in 32 bits.
Dtype accumulated(Dtype t) {
  if (is_bool(t) || (is_signed(t) && size_of(t) < 4)) return int32;
  if (is_unsigned(t) && size_of(t) < 4) return uint32;
  return t;
}

Dtype result_dtype(Reduction r, Dtype t) {
  switch (r) {
    case Reduction::sum:
    case Reduction::prod: return accumulated(t);
    case Reduction::all:
    case Reduction::any: return bool_;
    default: return t;
  }
}

Array drop_axes(const Array& a, const std::vector<int>& axes, const Stream& s) {
  Shape kept;
  size_t next = 0;
  for (int i = 0; i < a.ndim(); i++) {
    if (next < axes.size() && axes[next] == i) {
      next++;
    } else {
      kept.push_back(a.shape()[static_cast<size_t>(i)]);
    }
  }
  return reshape(a, kept, s);
}

Array reduce(const char* name, Reduction r, const Array& a, const std::vector<int>& axes,
             bool keepdims, StreamOrDevice s) {
  Stream stream = to_stream(s);
  std::vector<int> sorted = normalize_axes(name, axes, a.ndim());
  Array x = r == Reduction::all || r == Reduction::any ? astype(a, bool_, stream) : a;
  Array out = sorted.empty() ? astype(x, result_dtype(r, x.dtype()), stream)
                             : apply(make_op<Reduce>(r, sorted), {x}, stream);
  return keepdims ? out : drop_axes(out, sorted, stream);
}

std::vector<int> all_axes(const Array& a) {
  std::vector<int> axes(static_cast<size_t>(a.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

}  // namespace

Avals Reduce::infer(const Arrays& in) const {
  Shape out = in[0].shape();
  for (int a : axes) {
    int64_t& d = out[static_cast<size_t>(a)];
    if (d == 0 && (reduction == Reduction::min || reduction == Reduction::max)) {
      throw std::invalid_argument(
          fmt::format("[{}] Cannot {} reduce zero size array.",
                      reduction == Reduction::max ? "max" : "min",
                      reduction == Reduction::max ? "max" : "min"));
    }
    d = 1;
  }
  return {{out, result_dtype(reduction, in[0].dtype())}};
}

std::optional<Arrays> Reduce::vjp(const Arrays& in, const Arrays& g, const std::vector<int>&,
                                  const Arrays& out) const {
  const Array& x = in[0];
  Stream s = to_stream({});
  switch (reduction) {
    case Reduction::sum:
      return Arrays{broadcast_to(astype(g[0], x.dtype(), s), x.shape(), s)};
    case Reduction::prod: {
      // The product of all others by products from both sides, so that zeros need no division.
      Array flat = x;
      std::vector<int> order;
      for (int i = 0; i < x.ndim(); i++) {
        if (std::find(axes.begin(), axes.end(), i) == axes.end()) order.push_back(i);
      }
      size_t kept = order.size();
      order.insert(order.end(), axes.begin(), axes.end());
      Array moved = transpose(x, order, s);
      Shape two(moved.shape().begin(), moved.shape().begin() + static_cast<long>(kept));
      two.push_back(-1);
      int last = static_cast<int>(kept);
      Array rows = reshape(moved, two, s);
      Array others = multiply(cumprod(rows, last, false, false, s),
                              cumprod(rows, last, true, false, s), s);
      std::vector<int> inverse(order.size());
      for (size_t i = 0; i < order.size(); i++) inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
      Array partial = transpose(reshape(others, moved.shape(), s), inverse, s);
      return Arrays{multiply(astype(g[0], x.dtype(), s), partial, s)};
    }
    case Reduction::min:
    case Reduction::max: {
      // Equal extremes share the cotangent.
      Array mask = equal(x, out[0], s);
      Array share = divide(astype(mask, at_least_float(x.dtype()), s),
                           sum(astype(mask, at_least_float(x.dtype()), s), axes, true, s), s);
      return Arrays{astype(multiply(g[0], share, s), x.dtype(), s)};
    }
    default: return Arrays{zeros_like(x, s)};
  }
}

std::optional<Op::Batched> Reduce::vmap(const Arrays& in, const std::vector<int>& batch,
                                        const Stream& s) const {
  std::vector<int> shifted;
  for (int a : axes) shifted.push_back(a + (a >= batch[0] ? 1 : 0));
  return Batched{{apply(make_op<Reduce>(reduction, shifted), in, s)}, {batch[0]}};
}

Array sum(const Array& a, const std::vector<int>& axes, bool keepdims, StreamOrDevice s) {
  return reduce("sum", Reduction::sum, a, axes, keepdims, s);
}
Array sum(const Array& a, bool keepdims, StreamOrDevice s) {
  return sum(a, all_axes(a), keepdims, s);
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

}  // namespace heddle
