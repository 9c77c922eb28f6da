// Diagonals, triangles, grids and differences, composed of other ops.
#include <algorithm>

#include "heddle/ops.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/layout.h"
#include "ops/util.h"

namespace heddle {
namespace {

// True where row + k >= column, for the last two dimensions.
Array lower_triangle(int64_t rows, int64_t columns, int k, const Stream& s) {
  Array r = arange(k, static_cast<double>(rows) + k, 1, int64, s);
  Array c = arange(0, static_cast<double>(columns), 1, int64, s);
  return greater_equal(expand_dims(r, 1, s), expand_dims(c, 0, s), s);
}

// The triangle of the matrices of `a`, counted at its own sizes in a shapeless trace.
Array lower_triangle_of(const Array& a, int k, const Stream& s) {
  if (!may_change_size(a)) return lower_triangle(a.shape(-2), a.shape(-1), k, s);
  Array ones = broadcast_like(Array(1), a, s);
  Array row = cumsum(ones, -2, false, true, s), column = cumsum(ones, -1, false, true, s);
  return greater_equal(add(row, Array(k), s), column, s);
}

void check_matrix(const char* op, const Array& a) {
  if (a.ndim() < 2) {
    throw std::invalid_argument(
        fmt::format("[{}] array must be at least 2-D, got {} dimensions.", op, a.ndim()));
  }
}

Array diagonal_of(const char* op, const Array& a, int offset, int axis1, int axis2,
                  const Stream& s) {
  if (a.ndim() < 2) {
    throw std::invalid_argument(fmt::format(
        "[{}] Array must have at least two dimensions, but got {} dimensions.", op, a.ndim()));
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
  require_axis(*this, axis1, in[0].ndim());
  require_axis(*this, axis2, in[0].ndim());
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
    throw std::invalid_argument(
        fmt::format("[diag] array must be 1-D or 2-D, got array with {} dimensions.", a.ndim()));
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

Array tri(int n, int m, int k, Dtype dtype, StreamOrDevice s) {
  Stream stream = to_stream(s);
  return astype(lower_triangle(std::max(n, 0), std::max(m, 0), k, stream), dtype, stream);
}
Array tril(const Array& a, int k, StreamOrDevice s) {
  check_matrix("tril", a);
  Stream stream = to_stream(s);
  return where(lower_triangle_of(a, k, stream), a, Array(0, a.dtype()), stream);
}
Array triu(const Array& a, int k, StreamOrDevice s) {
  check_matrix("triu", a);
  Stream stream = to_stream(s);
  return where(lower_triangle_of(a, k - 1, stream), Array(0, a.dtype()), a, stream);
}

Arrays meshgrid(const Arrays& arrays, bool sparse, const std::string& indexing, StreamOrDevice s) {
  if (indexing != "xy" && indexing != "ij") {
    throw std::invalid_argument(fmt::format(
        "[meshgrid] Invalid indexing value {}. Valid values are 'xy' and 'ij'.", indexing));
  }
  size_t n = arrays.size();
  Arrays out;
  for (size_t k = 0; k < n; k++) {
    // The first two axes change places for Cartesian indexing.
    size_t at = indexing == "xy" && n > 1 && k < 2 ? 1 - k : k;
    Shape shape(n, 1);
    shape[at] = arrays[k].size();
    out.push_back(reshape(arrays[k], shape, s));
  }
  return sparse ? out : broadcast_arrays(out, s);
}

Array diff(const Array& a, int n, int axis, StreamOrDevice s) {
  if (n < 0) {
    throw std::invalid_argument(fmt::format("[diff] Order `n` must be non-negative, got {}.", n));
  }
  size_t at = static_cast<size_t>(normalize_axis("diff", axis, a.ndim()));
  Array out = n > 1 ? widened(a, to_stream(s)) : a;  // differences of differences
  for (int k = 0; k < n && out.shape()[at] > 0; k++) {
    Shape start(a.shape().size(), slice_end), stop = start;
    start[at] = 1;
    Array later = slice(out, start, Shape(a.shape().size(), slice_end), s);
    stop[at] = -1;
    Array earlier = slice(out, Shape(a.shape().size(), slice_end), stop, s);
    out = is_bool(a.dtype()) ? not_equal(later, earlier, s) : subtract(later, earlier, s);
  }
  return astype(out, a.dtype(), s);
}

}  // namespace heddle
