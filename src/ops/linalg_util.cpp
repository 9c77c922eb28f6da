#include "ops/linalg_util.h"

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/util.h"

namespace heddle {

Array adjoint(const Array& a) {
  Array t = swapaxes(a, -1, -2);
  return is_complex(a.dtype()) ? conjugate(t) : t;
}

Array diagonal_matrix(const Array& d) {
  return multiply(expand_dims(d, -2), eye(static_cast<int>(d.shape(-1)), d.dtype()));
}
Array diagonal_of(const Array& a) { return diagonal(a, 0, -2, -1); }

Array off_diagonal(const Array& a) {
  const int n = static_cast<int>(a.shape(-1));
  return where(eye(n, bool_), Array(0, a.dtype()), a);
}

Array quotient(const Array& a, const Array& b) {
  return divide(a, where(equal(a, Array(0, a.dtype())), Array(1, b.dtype()), b));
}

Array block(const Array& a, int64_t row_from, int64_t row_to, int64_t column_from,
            int64_t column_to) {
  Shape start(a.shape().size(), 0), stop = a.shape();
  start[start.size() - 2] = row_from;
  stop[stop.size() - 2] = row_to;
  start.back() = column_from;
  stop.back() = column_to;
  return slice(a, start, stop);
}

Array differences(const Array& x) { return subtract(expand_dims(x, -2), expand_dims(x, -1)); }

void require_matrices(const char* op, const Array& a) {
  if (a.ndim() >= 2) return;
  refuse_matrices(op,
                  "Arrays must have >= 2 dimensions. Received array with {} "
                  "dimensions.",
                  a.ndim());
}

void require_square(const char* op, const Array& a, const char* message) {
  if (a.shape(-1) == a.shape(-2)) return;
  refuse_matrices(op, "{} Received array with shape {}.", message, to_string(a.shape()));
}

void require_real(const char* op, const Array& a) {
  if (a.dtype() == float32 || a.dtype() == float64) return;
  refuse_matrices(op,
                  "Arrays must have type float32 or float64. Received array with "
                  "type {}.",
                  name_of(a.dtype()));
}

void require_real_or_complex(const char* op, const Array& a) {
  if (a.dtype() == float32 || a.dtype() == float64 || a.dtype() == complex64) return;
  refuse_matrices(op,
                  "Arrays must have type float32, float64 or complex64. Received "
                  "array with type {}.",
                  name_of(a.dtype()));
}

}  // namespace heddle
