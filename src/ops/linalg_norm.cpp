// Norms and the cross product: compositions.
#include <cmath>
#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/linalg_util.h"
#include "ops/util.h"

namespace heddle::linalg {
namespace {

Dtype norm_dtype(const Array& a) { return at_least_float(a.dtype()); }

Dtype result_dtype(const Array& a) {
  const Dtype t = norm_dtype(a);
  return is_complex(t) ? Dtype::float32 : t;
}

// Magnitudes to be squared or raised: integers and halves as float32.
Array magnitudes(const Array& a, StreamOrDevice s) {
  return abs(widened(astype(a, norm_dtype(a), s), to_stream(s)), s);
}

Array root_of_squares(const Array& a, const std::vector<int>& axes, bool keepdims,
                      StreamOrDevice s) {
  Array x = magnitudes(a, s);
  auto root = [&](const Array& of) {
    return root_with_gradient_at_zero(sum(square(of, s), axes, true, s), to_stream(s));
  };
  Array norm;
  if (a.dtype() == float16 || a.size() == 0) {  // float32 holds the squares of those
    norm = root(x);
  } else {
    const Array scale = scale_for_squares(max(x, axes, true, s), to_stream(s));
    // The scale is a power of two: a product with its reciprocal is as exact as a quotient.
    norm = multiply(root(multiply(x, reciprocal(scale, s), s)), scale, s);
  }
  norm = astype(norm, result_dtype(a), s);
  return keepdims || axes.empty() ? norm : squeeze(norm, axes, s);
}

Array vector_norm(const Array& a, double ord, const std::vector<int>& axes, bool keepdims,
                  StreamOrDevice s) {
  const Dtype t = norm_dtype(a);
  if (ord == 2.0) return root_of_squares(a, axes, keepdims, s);
  if (ord == 0.0) {
    return sum(astype(not_equal(a, Array(0, a.dtype()), s), t, s), axes, keepdims, s);
  }
  const Array x = magnitudes(a, s);
  auto finished = [&](const Array& norm) {
    return astype(keepdims ? norm : squeeze(norm, axes, s), t, s);
  };
  if (ord == 1.0) return finished(sum(x, axes, true, s));
  if (std::isinf(ord) || a.size() == 0) {
    if (std::isinf(ord)) return finished(ord > 0 ? max(x, axes, true, s) : min(x, axes, true, s));
    return finished(power(sum(x, axes, true, s), Array(1.0 / ord, x.dtype()), s));
  }
  // Of ratios to the number that counts most, whose powers are in range.
  const Array zero(0, x.dtype()), one(1, x.dtype());
  Array most = stop_gradient(ord > 0 ? max(x, axes, true, s) : min(x, axes, true, s), s);
  most = where(logical_and(isfinite(most, s), not_equal(most, zero, s), s), most, one, s);
  const Array total = sum(power(divide(x, most, s), Array(ord, x.dtype()), s), axes, true, s);
  // A norm of 0 has the gradient 0, as that of order 2.
  const Array nothing = equal(total, zero, s);
  const Array root = power(where(nothing, one, total, s), Array(1.0 / ord, x.dtype()), s);
  return finished(multiply(where(nothing, zero, root, s), most, s));
}

// The singular values of the matrices that two axes hold, along a last axis.
Array values_of(const Array& a, int rows, int columns, StreamOrDevice s) {
  const int n = a.ndim();
  auto from_front = [n](int axis) { return normalize_axis("norm", axis, n); };
  rows = from_front(rows);
  columns = from_front(columns);
  if (rows == columns) refuse("linalg::norm", "Received duplicate axes.");
  std::vector<int> order;
  for (int i = 0; i < n; i++) {
    if (i != rows && i != columns) order.push_back(i);
  }
  order.push_back(rows);
  order.push_back(columns);
  return svd(transpose(a, order, s), false, s)[0];
}

// `reduced`, whose last axes are gone, with axes of size one where those of the matrices were.
Array keeping(const Array& reduced, const Array& a, const std::vector<int>& axes, bool keepdims,
              StreamOrDevice s) {
  if (!keepdims) return reduced;
  Shape shape = a.shape();
  for (int axis : axes) shape[static_cast<size_t>(normalize_axis("norm", axis, a.ndim()))] = 1;
  return reshape(reduced, shape, s);
}

Array matrix_norm(const Array& a, double ord, const std::vector<int>& axes, bool keepdims,
                  StreamOrDevice s) {
  const Dtype t = norm_dtype(a);
  const bool largest = ord > 0;
  auto extreme = [&](const Array& x, const std::vector<int>& over, bool keep) {
    return largest ? max(x, over, keep, s) : min(x, over, keep, s);
  };
  if (std::abs(ord) == 1.0 || std::isinf(ord)) {
    int summed = axes[0], kept = axes[1];
    if (std::isinf(ord)) std::swap(summed, kept);
    const Array x = sum(abs(astype(a, t, s), s), {summed}, true, s);
    const Array found = extreme(x, {kept}, true);
    return astype(keepdims ? found : squeeze(found, axes, s), t, s);
  }
  if (std::abs(ord) == 2.0) {
    const Array found = extreme(values_of(a, axes[0], axes[1], s), {-1}, false);
    return astype(keeping(found, a, axes, keepdims, s), t, s);
  }
  refuse("linalg::norm", "Invalid ord {} for matrix norm.", ord);
}

std::vector<int> axes_or_all(const Array& a, const Axes& axes) {
  return axes ? *axes : all_axes(a);
}

}  // namespace

Array norm(const Array& a, const Axes& axes, bool keepdims, StreamOrDevice s) {
  if (!axes) {
    const Array flat = root_of_squares(flatten(a, 0, -1, s), {0}, false, s);
    return keepdims ? reshape(flat, Shape(a.shape().size(), 1), s) : flat;
  }
  if (axes->size() > 2) {
    refuse("linalg::norm", "Received too many axes for norm.");
  }
  return root_of_squares(a, *axes, keepdims, s);
}

Array norm(const Array& a, double ord, const Axes& axes, bool keepdims, StreamOrDevice s) {
  const std::vector<int> over = axes_or_all(a, axes);
  if (over.size() == 1) return vector_norm(a, ord, over, keepdims, s);
  if (over.size() == 2) return matrix_norm(a, ord, over, keepdims, s);
  refuse("linalg::norm", "Received too many axes for norm.");
}

Array norm(const Array& a, const std::string& ord, const Axes& axes, bool keepdims,
           StreamOrDevice s) {
  const std::vector<int> over = axes_or_all(a, axes);
  if (over.size() != 2) {
    refuse("linalg::norm",
           "Norm '{}' only supported for matrices, but received {} "
           "axis/axes.",
           ord, over.size());
  }
  if (ord == "f" || ord == "fro") return root_of_squares(a, over, keepdims, s);
  if (ord == "nuc") {
    const Array total = sum(values_of(a, over[0], over[1], s), -1, false, s);
    return keeping(total, a, over, keepdims, s);  // real for complex matrices, too
  }
  refuse("linalg::norm", "Invalid ord value '{}' for matrix norm.", ord);
}

Array cross(const Array& a, const Array& b, int axis, StreamOrDevice s) {
  auto axis_of = [axis](const Array& x) {
    if (axis < -x.ndim() || axis >= x.ndim()) {
      throw AxisError(
          fmt::format("[linalg::cross] Axis {} is out of bounds for array with {} dimensions.",
                      axis, x.ndim()));
    }
    return axis < 0 ? axis + x.ndim() : axis;
  };
  const int at_a = axis_of(a), at_b = axis_of(b);
  const int64_t na = a.shape(at_a), nb = b.shape(at_b);
  if (na < 2 || na > 3 || nb < 2 || nb > 3) {
    refuse("linalg::cross", "The specified axis must have size 2 or 3.");
  }
  // The other dimensions broadcast, the axis stays where it is.
  Shape shape_a = a.shape(), shape_b = b.shape();
  shape_a[static_cast<size_t>(at_a)] = shape_b[static_cast<size_t>(at_b)] = 1;
  const Shape common = broadcast_shapes(shape_a, shape_b);
  const int place = normalize_axis("cross", axis, static_cast<int>(common.size()));
  const Dtype t = promote_types(a.dtype(), b.dtype());
  const Dtype wide = is_half(t) ? Dtype::float32 : t;  // products of halves, which cancel
  auto parts = [&](const Array& x, int64_t n) {
    Shape whole = common;
    whole[static_cast<size_t>(place)] = n;
    Arrays out = split(broadcast_to(astype(x, wide, s), whole, s), static_cast<int>(n), place, s);
    // What is traced for other sizes has no other number of components.
    for (Array& one : out) {
      if (may_change_size(x)) one = expand_dims(squeeze(one, place, s), place, s);
    }
    if (n == 2) out.push_back(zeros(common, wide, s));
    return out;
  };
  const Arrays x = parts(a, na), y = parts(b, nb);
  auto minor = [&](size_t i, size_t j) {
    const Array ahead = multiply(x[i], y[j], s), behind = multiply(x[j], y[i], s);
    // Of bools the difference is whether they differ.
    return is_bool(t) ? not_equal(ahead, behind, s) : astype(subtract(ahead, behind, s), t, s);
  };
  return concatenate({minor(1, 2), minor(2, 0), minor(0, 1)}, place, s);
}

}  // namespace heddle::linalg
