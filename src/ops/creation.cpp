#include "ops/creation.h"

#include <fmt/format.h>

#include <cmath>

#include "core/convert.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/shape.h"
#include "heddle/type_info.h"
#include "ops/checks.h"
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
    refuse("eye", "N and M must be positive integers, got {} and {}.", n, m);
  }
  Array row = arange(k, static_cast<double>(n) + k, 1, int64, s);
  Array column = arange(0, m, 1, int64, s);
  return astype(equal(expand_dims(row, 1, s), expand_dims(column, 0, s), s), dtype, s);
}
Array eye(int n, Dtype dtype, StreamOrDevice s) { return eye(n, n, 0, dtype, s); }
Array identity(int n, Dtype dtype, StreamOrDevice s) { return eye(n, n, 0, dtype, s); }

// ---------------------------------------------------------------------------------------------
// Ranges

namespace {

constexpr WideInteger exact_in_double = WideInteger{1} << 53;

// An integer of at most 64 bits.
bool is_whole(double x) { return x == std::trunc(x) && std::abs(x) <= 0x1p64; }

void require_fit(const char* op, WideInteger value, Dtype dtype) {
  const iinfo limits(dtype);
  if (value >= limits.min && value <= static_cast<WideInteger>(limits.max)) return;
  refuse(op, "A number of the range does not fit {}, which holds {} to {}; give a wider dtype.",
         name_of(dtype), limits.min, limits.max);
}

void check_range(Dtype dtype, bool step_is_zero) {
  if (is_bool(dtype)) refuse("arange", "bool not supported for arange.");
  if (step_is_zero) refuse("arange", "step must be nonzero.");
}

[[noreturn]] void refuse_length(const std::string& count) {
  refuse("arange", "Maximum size exceeded: {} numbers are more than an axis can have, {}.", count,
         max_dimension);
}

// The increment of a floating range is that of the dtype, as numpy has it, unless the dtype holds
// start and step: then nothing is lost.
template <class T>
double increment_in(double start, double step) {
  auto rounded = [](double x) { return static_cast<double>(convert_value<T>(x)); };
  if (rounded(start) == start && rounded(step) == step) return step;
  return rounded(start + step) - rounded(start);
}

Array counted_range(double start, double step, int64_t size, Dtype dtype, StreamOrDevice s) {
  double first = start, increment = step;
  if (!std::isinf(step)) {
    visit_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_integral_v<T>) {
        first = std::trunc(start);
        increment = std::trunc(start + step) - first;
      } else if constexpr (std::is_same_v<T, complex64_t>) {
        first = static_cast<float>(start);
        increment = increment_in<float>(start, step);
      } else {
        first = static_cast<double>(convert_value<T>(start));
        increment = increment_in<T>(start, step);
      }
    });
  } else {
    increment = 0;
  }
  if (is_integer(dtype) && size > 0) {
    for (double x : {first, first + static_cast<double>(size - 1) * increment}) {
      require_fit("arange",
                  std::abs(x) < 0x1p65 ? static_cast<WideInteger>(x) : WideInteger{1} << 65, dtype);
    }
  }
  return apply(make_op<Arange>(first, increment, size, dtype), {}, to_stream(s));
}

}  // namespace

Array integer_range(WideInteger start, WideInteger stop, WideInteger step, Dtype dtype,
                    StreamOrDevice s) {
  check_range(dtype, step == 0);
  auto narrow = [](WideInteger x) { return x >= INT32_MIN && x <= INT32_MAX; };
  if (dtype == int32 && narrow(start) && narrow(stop) && narrow(step)) {
    // What nearly all ranges are: the numbers lie between the bounds, and fit as these do.
    const auto first = static_cast<int64_t>(start), by = static_cast<int64_t>(step);
    const int64_t span = static_cast<int64_t>(stop) - first;
    const int64_t count = (span > 0) == (by > 0) ? (span + by - (by > 0 ? 1 : -1)) / by : 0;
    if (count <= max_dimension) {
      return apply(
          make_op<Arange>(static_cast<double>(first), static_cast<double>(by), count, dtype), {},
          to_stream(s));
    }
  }
  const WideInteger span = step > 0 ? stop - start : start - stop, size = step > 0 ? step : -step;
  const WideInteger wanted = span <= 0 ? 0 : (span + size - 1) / size;
  if (wanted > max_dimension) {
    // More than 64 bits only if the bounds have opposite signs and the step is small.
    refuse_length(wanted > INT64_MAX ? "more than 2^63"
                                     : std::to_string(static_cast<int64_t>(wanted)));
  }
  const auto count = static_cast<int64_t>(wanted);
  auto small = [](WideInteger x) { return x >= -exact_in_double && x <= exact_in_double; };
  if (!is_integer(dtype) || count == 0 ||
      (small(start) && small(start + count * step) && small(step))) {
    return counted_range(static_cast<double>(start), static_cast<double>(step), count, dtype, s);
  }
  require_fit("arange", start, dtype);
  require_fit("arange", start + (count - 1) * step, dtype);
  // Modulo 2^64 is exact, because the results fit.
  Array numbers = apply(make_op<Arange>(0.0, 1.0, count, dtype), {}, to_stream(s));
  Array by(static_cast<uint64_t>(count > 1 ? step : 0), dtype);
  return add(multiply(numbers, by, s), Array(static_cast<uint64_t>(start), dtype), s);
}

namespace {
WideInteger wide(detail::Whole x) {
  return x.negative ? WideInteger{static_cast<int64_t>(x.bits)} : WideInteger{x.bits};
}
}  // namespace

Array detail::whole_arange(Whole start, Whole stop, Whole step, Dtype dtype,
                           const StreamOrDevice& s) {
  return integer_range(wide(start), wide(stop), wide(step), dtype, s);
}

Array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s) {
  check_range(dtype, step == 0.0);
  if (!std::isfinite(start) || !std::isfinite(stop) || std::isnan(step)) {
    refuse("arange", "Cannot compute length.");
  }
  if (is_integer(dtype) && is_whole(start) && is_whole(stop) && is_whole(step)) {
    return integer_range(static_cast<WideInteger>(start), static_cast<WideInteger>(stop),
                         static_cast<WideInteger>(step), dtype, s);
  }
  double count = std::isinf(step) ? ((step > 0) == (start < stop) && start != stop ? 1 : 0)
                                  : std::ceil((stop - start) / step);
  if (count > static_cast<double>(max_dimension)) refuse_length(fmt::format("{}", count));
  int64_t size = std::max<int64_t>(static_cast<int64_t>(count), 0);
  return counted_range(start, step, size, dtype, s);
}
Array arange(double start, double stop, double step, StreamOrDevice s) {
  return arange(start, stop, step, float32, s);
}
Array arange(int start, int stop, int step, StreamOrDevice s) {
  return arange(start, stop, step, int32, s);
}
Array arange(int stop, StreamOrDevice s) { return arange(0, stop, 1, int32, s); }

namespace {

void check_count(int num) {
  if (num < 0) {
    refuse("linspace", "number of samples, {}, must be non-negative.", num);
  }
}

}  // namespace

// start + i * (stop - start) / parts without its fraction: the whole and the broken part of the
// step are multiplied apart, so that all of it stays within 64 bits. Sums wrap around and come
// back.
Array integer_linspace(WideInteger start, WideInteger stop, int num, Dtype dtype, bool endpoint,
                       StreamOrDevice s) {
  check_count(num);
  require_fit("linspace", start, dtype);
  if (num > 1) require_fit("linspace", stop, dtype);
  const auto word = [](WideInteger x) { return Array(static_cast<uint64_t>(x), uint64); };
  if (num <= 1) return full({num}, astype(word(start), dtype, s), s);
  const int parts = endpoint ? num - 1 : num;
  const bool up = stop >= start;
  const WideInteger span = up ? stop - start : start - stop;
  Array i = arange(0, num, 1, uint64, s);
  Array broken = multiply(i, word(span % parts), s);
  Array moved = add(multiply(i, word(span / parts), s), floor_divide(broken, word(parts), s), s);
  Array inexact = not_equal(remainder(broken, word(parts), s), word(0), s);
  Array x = up ? add(word(start), moved, s) : subtract(word(start), moved, s);
  // So far towards `start`; towards 0 is one further on one side of it.
  if (is_signed(dtype)) {
    x = astype(x, int64, s);
    inexact = logical_and(inexact, up ? less(x, Array(0), s) : greater(x, Array(0), s), s);
  }
  if (!up || is_signed(dtype)) {
    Array one = astype(inexact, x.dtype(), s);
    x = up ? add(x, one, s) : subtract(x, one, s);
  }
  return astype(x, dtype, s);
}

Array detail::whole_linspace(Whole start, Whole stop, int num, Dtype dtype, bool endpoint,
                             const StreamOrDevice& s) {
  const WideInteger first = wide(start), last = wide(stop);
  if (is_integer(dtype)) return integer_linspace(first, last, num, dtype, endpoint, s);
  return linspace(static_cast<double>(first), static_cast<double>(last), num, dtype, endpoint, s);
}

Array linspace(double start, double stop, int num, Dtype dtype, bool endpoint, StreamOrDevice s) {
  check_count(num);
  if (is_integer(dtype)) {
    if (is_whole(start) && is_whole(stop)) {
      return integer_linspace(static_cast<WideInteger>(start), static_cast<WideInteger>(stop), num,
                              dtype, endpoint, s);
    }
    for (double x : {start, stop}) {
      if (!(std::abs(x) < 0x1p64)) {
        refuse("linspace", "{} does not fit {}.", x, name_of(dtype));
      }
      require_fit("linspace", static_cast<WideInteger>(x), dtype);
    }
  }
  if (num == 1) return astype(full({1}, Array(start, float64), s), dtype, s);
  Dtype wide = dtype == float64 || is_integer(dtype) ? float64 : float32;
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

// ---------------------------------------------------------------------------------------------
// number_of_elements

double NumberOfElements::value(const Shape& shape) const {
  double n = 1;
  for (int axis : axes) n *= static_cast<double>(shape[static_cast<size_t>(axis)]);
  return inverted ? 1 / n : n;
}

void NumberOfElements::check(const Arrays& in) const { require_inputs(*this, in, 1); }

std::optional<Batched> NumberOfElements::vmap(const Batch& b) const {
  NumberOfElements of_example = *this;
  for (int& axis : of_example.axes) axis += axis >= b.axes[0] ? 1 : 0;
  return Batched{{apply(std::move(of_example), b.in, b.stream)}, {-1}};
}

Array number_of_elements(const Array& a, const std::vector<int>& axes, bool inverted, Dtype dtype,
                         StreamOrDevice s) {
  std::vector<int> from_front;
  for (int axis : axes) {
    from_front.push_back(normalize_axis("number_of_elements", axis, a.ndim()));
  }
  const NumberOfElements op{from_front, inverted, dtype};
  if (!may_change_size(a)) return Array(op.value(a.shape()), dtype);
  return apply(op, {a}, to_stream(s));
}

}  // namespace heddle
