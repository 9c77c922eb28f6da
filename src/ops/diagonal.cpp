#include "ops/diagonal.h"

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle {
namespace {

Array diagonal_of(const char* op, const Array& a, int offset, int axis1, int axis2,
                  const Stream& s) {
  if (a.ndim() < 2) {
    refuse(op, "Array must have at least two dimensions, but got {} dimensions.", a.ndim());
  }
  int x = normalize_axis(op, axis1, a.ndim());
  int y = normalize_axis(op, axis2, a.ndim());
  if (x == y) refuse(op, "axis1 and axis2 cannot be the same axis");
  return apply(make_op<Diagonal>(offset, x, y), {a}, s);
}

}  // namespace

Diagonal::Line Diagonal::line(const Shape& shape) const {
  int64_t down = std::max<int64_t>(-static_cast<int64_t>(offset), 0);
  int64_t right = std::max<int64_t>(offset, 0);
  int64_t n =
      std::min(shape[static_cast<size_t>(axis1)] - down, shape[static_cast<size_t>(axis2)] - right);
  return {down, right, std::max<int64_t>(n, 0)};
}
void Diagonal::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (axis1 == axis2) refuse("diagonal", "axis1 and axis2 cannot be the same axis");
}
Avals Diagonal::infer(const Arrays& in) const {
  Shape out;
  for (int i = 0; i < in[0].ndim(); i++) {
    if (i != axis1 && i != axis2) out.push_back(in[0].shape()[static_cast<size_t>(i)]);
  }
  out.push_back(line(in[0].shape()).count);
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Diagonal::decompose(const Arrays& in, const Stream& s) const {
  Line l = line(in[0].shape());
  auto from = [&](int64_t first) {
    return arange(static_cast<double>(first), static_cast<double>(first + l.count), 1, int64, s);
  };
  Shape sizes = in[0].shape();
  sizes[static_cast<size_t>(axis1)] = sizes[static_cast<size_t>(axis2)] = 1;
  Array rows = gather(in[0], {from(l.row), from(l.column)}, {axis1, axis2}, sizes, s);
  return Arrays{moveaxis(squeeze(rows, {axis1 + 1, axis2 + 1}, s), 0, -1, s)};
}

Array diagonal(const Array& a, int offset, int axis1, int axis2, StreamOrDevice s) {
  return diagonal_of("diagonal", a, offset, axis1, axis2, to_stream(s));
}

Array diag(const Array& a, int k, StreamOrDevice s) {
  Stream stream = to_stream(s);
  if (a.ndim() == 2) return diagonal_of("diag", a, k, 0, 1, stream);
  if (a.ndim() != 1) {
    refuse("diag", "array must be 1-D or 2-D, got array with {} dimensions.", a.ndim());
  }
  int64_t n = a.shape()[0], side = n + std::abs(static_cast<int64_t>(k));
  check_shape("diag", {side, side}, a.itemsize());
  Array blank = zeros({side, side}, a.dtype(), stream);
  if (n == 0) return blank;
  auto from = [&](int64_t first) {
    return arange(static_cast<double>(first), static_cast<double>(first + n), 1, int64, stream);
  };
  int64_t down = std::max<int64_t>(-static_cast<int64_t>(k), 0), right = std::max<int64_t>(k, 0);
  return scatter(blank, {from(down), from(right)}, reshape(a, {n, 1, 1}, stream), {0, 1},
                 Combine::assign, stream);
}

Array trace(const Array& a, int offset, int axis1, int axis2, std::optional<Dtype> dtype,
            StreamOrDevice s) {
  Array d = diagonal_of("trace", a, offset, axis1, axis2, to_stream(s));
  return sum(dtype ? astype(d, *dtype, s) : d, {-1}, false, s);
}

}  // namespace heddle
