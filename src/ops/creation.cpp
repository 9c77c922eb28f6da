#include "ops/creation.h"

#include <cmath>

#include "core/convert.h"
#include "heddle/ops.h"
#include "ops/following.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// One value: broadcast, so that it takes no memory.

Array full(const Shape& shape, const Array& value, Dtype dtype, StreamOrDevice s) {
  check_shape("full", shape, size_of(dtype));
  return broadcast_to(astype(value, dtype, s), shape, s);
}
Array full(const Shape& shape, const Array& value, StreamOrDevice s) {
  return full(shape, value, value.dtype(), s);
}
Array full_like(const Array& a, const Array& value, StreamOrDevice s) {
  return full_like(a, value, a.dtype(), s);
}
Array full_like(const Array& a, const Array& value, Dtype dtype, StreamOrDevice s) {
  return broadcast_like(astype(value, dtype, s), a, to_stream(s));
}
Array zeros(const Shape& shape, Dtype dtype, StreamOrDevice s) {
  return full(shape, Array(0.0f, dtype), dtype, s);
}
Array ones(const Shape& shape, Dtype dtype, StreamOrDevice s) {
  return full(shape, Array(1.0f, dtype), dtype, s);
}
Array zeros_like(const Array& a, StreamOrDevice s) {
  return full_like(a, Array(0.0f, a.dtype()), s);
}
Array ones_like(const Array& a, StreamOrDevice s) {
  return full_like(a, Array(1.0f, a.dtype()), s);
}

Array eye(int n, int m, int k, Dtype dtype, StreamOrDevice s) {
  if (n < 0 || m < 0) {
    throw std::invalid_argument(
        fmt::format("[eye] N and M must be positive integers, got {} and {}.", n, m));
  }
  Array row = arange(k, static_cast<double>(n) + k, 1, int64, s);
  Array column = arange(0, m, 1, int64, s);
  return astype(equal(expand_dims(row, 1, s), expand_dims(column, 0, s), s), dtype, s);
}
Array eye(int n, Dtype dtype, StreamOrDevice s) { return eye(n, n, 0, dtype, s); }
Array identity(int n, Dtype dtype, StreamOrDevice s) { return eye(n, n, 0, dtype, s); }

// ---------------------------------------------------------------------------------------------
// Ranges

Array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s) {
  if (is_bool(dtype)) throw std::invalid_argument("[arange] bool not supported for arange.");
  if (std::isnan(start) || std::isnan(stop) || std::isnan(step)) {
    throw std::invalid_argument("[arange] Cannot compute length.");
  }
  if (step == 0.0) throw std::invalid_argument("[arange] step must be nonzero.");
  if (std::isinf(start) || std::isinf(stop)) {
    throw std::invalid_argument("[arange] Cannot compute length.");
  }
  double count = std::isinf(step) ? ((step > 0) == (start < stop) && start != stop ? 1 : 0)
                                  : std::ceil((stop - start) / step);
  if (count > static_cast<double>(max_dimension)) {
    throw std::invalid_argument("[arange] Maximum size exceeded.");
  }
  int64_t size = std::max<int64_t>(static_cast<int64_t>(count), 0);
  // The increment is that of the dtype, as numpy has it.
  double first = start, increment = step;
  if (!std::isinf(step)) {
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_integral_v<T>) {
        first = std::trunc(start);
        increment = std::trunc(start + step) - first;
      } else if constexpr (std::is_same_v<T, complex64_t>) {
        first = static_cast<float>(start);
        increment = static_cast<double>(static_cast<float>(start + step)) - first;
      } else {
        first = static_cast<double>(convert_value<T>(start));
        increment = static_cast<double>(convert_value<T>(start + step)) - first;
      }
    });
  }
  return apply(make_op<Arange>(first, increment, size, dtype), {}, to_stream(s));
}
Array arange(double start, double stop, double step, StreamOrDevice s) {
  return arange(start, stop, step, float32, s);
}
Array arange(int start, int stop, int step, StreamOrDevice s) {
  return arange(start, stop, step, int32, s);
}
Array arange(int stop, StreamOrDevice s) { return arange(0, stop, 1, int32, s); }

Array linspace(double start, double stop, int num, Dtype dtype, bool endpoint, StreamOrDevice s) {
  if (num < 0) {
    throw std::invalid_argument(
        fmt::format("[linspace] number of samples, {}, must be non-negative.", num));
  }
  if (num == 1) return astype(full({1}, Array(start, float64), s), dtype, s);
  Dtype wide = dtype == float64 ? float64 : float32;
  // Weights of both ends, so that the last value is `stop` exactly.
  Array t = divide(arange(0, num, 1, wide, s), Array(endpoint ? num - 1 : num, wide), s);
  Array head = multiply(subtract(Array(1, wide), t, s), Array(start, wide), s);
  return astype(add(head, multiply(t, Array(stop, wide), s), s), dtype, s);
}

// ---------------------------------------------------------------------------------------------
// Windows

namespace {

// Computed in float64, since the terms nearly cancel at the ends.
Array positions(int m, StreamOrDevice s) { return arange(0, m, 1, float64, s); }

// sum of weights[k] * cos(2 pi k n / (m - 1))
Array cosine_window(int m, std::initializer_list<double> weights, StreamOrDevice s) {
  if (m <= 1) return ones({std::max(m, 0)}, float32, s);
  Array sum;
  int k = 0;
  for (double w : weights) {
    Array angle = multiply(positions(m, s), Array(2 * M_PI * k++ / (m - 1), float64), s);
    Array term = multiply(cos(angle, s), Array(w, float64), s);
    sum = sum ? add(sum, term, s) : term;
  }
  return astype(sum, float32, s);
}

}  // namespace

Array bartlett(int m, StreamOrDevice s) {
  if (m <= 1) return ones({std::max(m, 0)}, float32, s);
  Array half((m - 1) / 2.0, float64);
  Array distance = abs(subtract(positions(m, s), half, s), s);
  return astype(subtract(Array(1, float64), divide(distance, half, s), s), float32, s);
}
Array hanning(int m, StreamOrDevice s) { return cosine_window(m, {0.5, -0.5}, s); }
Array hamming(int m, StreamOrDevice s) { return cosine_window(m, {0.54, -0.46}, s); }
Array blackman(int m, StreamOrDevice s) { return cosine_window(m, {0.42, -0.5, 0.08}, s); }

}  // namespace heddle
