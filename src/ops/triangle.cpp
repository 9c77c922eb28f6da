// Triangles of matrices, composed of other ops.
#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"

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
    refuse(op, "array must be at least 2-D, got {} dimensions.", a.ndim());
  }
}

}  // namespace

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

}  // namespace heddle
