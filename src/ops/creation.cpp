#include "heddle/ops.h"

namespace heddle {

Array full(const Shape& shape, const Array& value, Dtype dtype, StreamOrDevice s) {
  check_shape("full", shape, size_of(dtype));
  return broadcast_to(astype(value, dtype, s), shape, s);
}
Array full(const Shape& shape, const Array& value, StreamOrDevice s) {
  return full(shape, value, value.dtype(), s);
}
Array full_like(const Array& a, const Array& value, StreamOrDevice s) {
  return full(a.shape(), value, a.dtype(), s);
}
Array zeros(const Shape& shape, Dtype dtype, StreamOrDevice s) {
  return full(shape, Array(0.0f, dtype), dtype, s);
}
Array ones(const Shape& shape, Dtype dtype, StreamOrDevice s) {
  return full(shape, Array(1.0f, dtype), dtype, s);
}
Array zeros_like(const Array& a, StreamOrDevice s) { return zeros(a.shape(), a.dtype(), s); }
Array ones_like(const Array& a, StreamOrDevice s) { return ones(a.shape(), a.dtype(), s); }

}  // namespace heddle
