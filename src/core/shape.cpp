#include "heddle/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "heddle/errors.h"

namespace heddle {

void throw_out_of_range(size_t index, size_t size) {
  throw std::out_of_range(
      fmt::format("[at] Index {} is out of range for {} entries.", index, size));
}

std::string to_string(const Shape& shape) { return fmt::format("({})", fmt::join(shape, ",")); }

void check_shape(const char* op, const Shape& shape, size_t itemsize) {
  int64_t total = static_cast<int64_t>(itemsize);
  bool empty = false;
  for (int64_t d : shape) {
    if (d < 0) {
      throw std::invalid_argument(
          fmt::format("[{}] Negative dimensions not allowed, got shape {}.", op, to_string(shape)));
    }
    if (d > max_dimension) {
      throw std::overflow_error(fmt::format(
          "[{}] Shape dimension {} is larger than the largest allowed, {}.", op, d, max_dimension));
    }
    empty |= d == 0;
  }
  if (empty) return;
  for (int64_t d : shape) {
    if (__builtin_mul_overflow(total, d, &total)) {
      throw std::overflow_error(
          fmt::format("[{}] An array of shape {} has more bytes than a 64-bit size can hold.", op,
                      to_string(shape)));
    }
  }
}

int normalize_axis(const char* op, int64_t axis, int ndim) {
  int64_t a = axis < 0 ? axis + ndim : axis;
  if (a < 0 || a >= ndim) {
    throw AxisError(
        fmt::format("[{}] Axis {} is out of bounds for array with {} dimensions.", op, axis, ndim));
  }
  return static_cast<int>(a);
}

}  // namespace heddle
