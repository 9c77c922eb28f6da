// Differences of neighbours, composed of other ops.
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {

Array diff(const Array& a, int n, int axis, StreamOrDevice s) {
  if (n < 0) {
    refuse("diff", "Order `n` must be non-negative, got {}.", n);
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
