#include "ops/random.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "core/node.h"
#include "heddle/ops/index.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/products.h"
#include "heddle/ops/random.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "heddle/ops/sort.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// The op

namespace {

void check_width(int width) {
  if (width == 1 || width == 2 || width == 4) return;
  refuse("bits", "Bit width must be in {{1, 2, 4}} but got {}.", width);
}

}  // namespace

void RandomBits::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  const Array& keys = in[0];
  if (keys.dtype() != uint32) {
    refuse("bits", "Expected key type uint32 but received {}.", name_of(keys.dtype()));
  }
  if (keys.ndim() == 0 || keys.shape(-1) != 2) {
    refuse("bits", "Expected key shape (2) but received {}.", to_string(keys.shape()));
  }
  check_width(width);
}
Avals RandomBits::infer(const Arrays& in) const {
  const Shape& keys = in[0].shape();
  Shape out(keys.begin(), keys.end() - 1);
  for (int64_t d : shape) out.push_back(d);
  return {{out, width == 1 ? uint8 : width == 2 ? uint16 : uint32}};
}

namespace random {
namespace {

constexpr float largest_word = 4294967295.0f;  // rounds to 2^32

// The next key of the calling thread, unless the caller has one.
Array key_or_next(const Key& key, StreamOrDevice s) {
  if (key) return *key;
  auto [kept, drawn] = split(state(), s);
  state() = kept;
  return drawn;
}

void require_floating(const char* op, Dtype dtype, const char* message) {
  if (!is_floating(dtype)) refuse(op, "{}", message);
}

// The largest number below 1.
float below_one(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32:
      return 1.0f - 0x1p-24f;
    case Dtype::float16:
      return 1.0f - 0x1p-11f;
    case Dtype::bfloat16:
      return 1.0f - 0x1p-8f;
    default:
      throw std::runtime_error("[uniform] Unsupported type.");
  }
}

// From low to high, which rounding may reach.
Array between(const Array& lower, const Array& upper, const Shape& shape, Dtype dtype,
              const Key& key, StreamOrDevice s) {
  require_floating("uniform", dtype,
                   "Can only generate uniform numbers with real floating point type.");
  Array range = subtract(upper, lower, s);
  Shape out = broadcast_shapes(shape, range.shape());
  if (!(out == shape)) {
    refuse("uniform", "Cannot generate random values of shape {} from broadcasted shape {}.",
           to_string(shape), to_string(range.shape()));
  }
  Array below(below_one(dtype));
  Array u = divide(astype(bits(shape, 4, key, s), float32, s), Array(largest_word), s);
  u = astype(minimum(u, below, s), dtype, s);
  return add(multiply(range, u, s), lower, s);
}

// float32 numbers in (-1, 1), as the inverse distribution functions want them.
Array symmetric(const Shape& shape, const Key& key, StreamOrDevice s) {
  return between(Array(-below_one(float32)), Array(1.0f), shape, float32, key, s);
}

// The next number below, of the dtype.
Array next_below(const Array& x, StreamOrDevice s) {
  const Dtype word = x.itemsize() == 2 ? int16 : int32;
  Array zero(0.0, x.dtype());
  Array bits = view(where(equal(x, zero, s), Array(-0.0, x.dtype()), x, s), word, s);
  // Those of negative numbers grow downwards.
  Array step = where(less(bits, Array(0, word), s), Array(1, word), Array(-1, word), s);
  return view(add(bits, step, s), x.dtype(), s);
}

// A value that is known without computing anything.
std::optional<double> known(const Array& a) {
  if (a.size() != 1 || !a.is_available() || a.node()->tracer) return std::nullopt;
  return a.item<double>();
}

Array scaled(Array x, const std::optional<Array>& loc, const std::optional<Array>& scale,
             StreamOrDevice s) {
  if (scale) x = multiply(astype(*scale, x.dtype(), s), x, s);
  if (loc) x = add(astype(*loc, x.dtype(), s), x, s);
  return x;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Keys

Array key(uint64_t seed) {
  const uint32_t words[2] = {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)};
  return Array(words, Shape{2});
}

Array& state() {
  thread_local Array own =
      key(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                    std::chrono::system_clock::now().time_since_epoch())
                                    .count()));
  return own;
}

void seed(uint64_t seed) { state() = key(seed); }

Array split(const Array& key, int num, StreamOrDevice s) { return bits({num, 2}, 4, key, s); }

std::pair<Array, Array> split(const Array& key, StreamOrDevice s) {
  Array keys = split(key, 2, s);
  return {take(keys, 0, 0, s), take(keys, 1, 0, s)};
}

Array bits(const Shape& shape, int width, const Key& key, StreamOrDevice s) {
  check_width(width);  // before a key is taken
  for (int64_t d : shape) {
    if (d < 0) {
      refuse("bits", "Negative dimensions not allowed. Got {}.", to_string(shape));
    }
  }
  check_shape("bits", shape, static_cast<size_t>(width));
  Array k = key_or_next(key, s);
  if (k.ndim() > 1) {  // stacks of keys come from vmap alone
    refuse("bits", "Expected key shape (2) but received {}.", to_string(k.shape()));
  }
  return apply(make_op<RandomBits>(shape, width), {k}, to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// Distributions. What is computed in which dtype decides the last bits: they are MLX's.

Array uniform(const Array& low, const Array& high, const Shape& shape, Dtype dtype, const Key& key,
              StreamOrDevice s) {
  Array lower = astype(low, dtype, s), upper = astype(high, dtype, s);
  const std::optional<double> from = known(low), to = known(high);
  if (from == 0.0 && to == 1.0) return between(lower, upper, shape, dtype, key, s);
  // Draws are MLX's to the bit, but where rounding reaches the upper bound.
  Array x;
  if (from && to && std::abs(*to - *from) < 3e4) {
    x = between(lower, upper, shape, dtype, key, s);
  } else {
    // A range beyond the dtype's is drawn from at half its size.
    Array one(1.0, dtype), infinite = isinf(subtract(upper, lower, s), s);
    Array shrink = where(infinite, Array(0.5, dtype), one, s);
    x = between(multiply(lower, shrink, s), multiply(upper, shrink, s), shape, dtype, key, s);
    x = multiply(x, where(infinite, Array(2.0, dtype), one, s), s);
  }
  Array unbounded(std::numeric_limits<double>::infinity(), dtype);
  return minimum(x, where(less(lower, upper, s), next_below(upper, s), unbounded, s), s);
}
Array uniform(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  return uniform(Array(0.0f), Array(1.0f), shape, dtype, key, s);
}

Array normal(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  return normal(shape, dtype, std::nullopt, std::nullopt, key, s);
}
Array normal(const Shape& shape, Dtype dtype, const std::optional<Array>& loc,
             const std::optional<Array>& scale, const Key& key, StreamOrDevice s) {
  if (is_complex(dtype)) {
    // Real and imaginary parts side by side. sqrt(2) of the normal numbers and sqrt(1/2) cancel.
    Shape parts = shape;
    parts.push_back(2);
    Array x = view(erfinv(symmetric(parts, key, s), s), complex64, s);
    return scaled(reshape(x, shape, s), loc, scale, s);
  }
  require_floating("normal", dtype, "Only floating point and complex64 types are supported.");
  Array x = astype(erfinv(symmetric(shape, key, s), s), dtype, s);
  Array deviation(M_SQRT2, dtype);
  if (scale) deviation = multiply(deviation, astype(*scale, dtype, s), s);
  return scaled(multiply(deviation, x, s), loc, {}, s);
}

Array multivariate_normal(const Array& mean, const Array& covariance, const Shape& shape,
                          Dtype dtype, const Key& key, StreamOrDevice s) {
  auto require = [](bool holds, const char* message) {
    if (!holds) refuse("multivariate_normal", "{}", message);
  };
  require(dtype == float32, "dtype must be float32.");
  require(mean.ndim() >= 1, "mean must have at least one dimension.");
  require(covariance.ndim() >= 2, "cov must have at least two dimensions.");
  require(covariance.shape(-1) == covariance.shape(-2),
          "last two dimensions of cov must be equal.");
  const int64_t n = mean.shape(-1);
  require(n == covariance.shape(-1), "mean and cov must have compatible shapes.");
  Shape batch = broadcast_shapes(
      shape, broadcast_shapes(Shape(mean.shape().begin(), mean.shape().end() - 1),
                              Shape(covariance.shape().begin(), covariance.shape().end() - 2)));
  require(shape.empty() || batch == shape, "mean and cov do not broadcast to the shape.");

  // The symmetric root of the covariance: the signs of singular vectors drop out of it.
  const Arrays parts = linalg::svd(astype(covariance, float32, s), true, s);
  Array root = matmul(multiply(parts[0], expand_dims(sqrt(parts[1], s), -2, s), s), parts[2], s);
  batch.push_back(n);
  Array x = normal(batch, float32, key, s);
  return add(squeeze(matmul(expand_dims(x, -2, s), root, s), -2, s), astype(mean, float32, s), s);
}

namespace {

// MLX draws integers as float32 numbers. That is even, and its numbers are kept, where float32
// holds every integer of the range and has room between them: bounds up to 2^24, and a range that
// is not small beside them.
constexpr int64_t float_limit = int64_t{1} << 24;
constexpr int float_room = 14;  // bits

bool floats_are_even(int64_t low, int64_t high) {
  if (std::abs(low) > float_limit || std::abs(high) > float_limit) return false;
  return std::max(std::abs(low), std::abs(high)) >> float_room <= std::max(high - low, int64_t{0});
}

Array floats_are_even(const Array& low, const Array& high, StreamOrDevice s) {
  auto is_small = [&](const Array& x) {
    return logical_and(less_equal(x, Array(float_limit, int64), s),
                       greater_equal(x, Array(-float_limit, int64), s), s);
  };
  Array largest = maximum(abs(low, s), abs(high, s), s);
  Array range = maximum(subtract(high, low, s), Array(int64_t{0}, int64), s);
  return logical_and(logical_and(is_small(low), is_small(high), s),
                     less_equal(right_shift(largest, Array(float_room, int64), s), range, s), s);
}

Array drawn_as_floats(const Array& low, const Array& high, const Shape& shape, Dtype dtype,
                      const Array& key, StreamOrDevice s) {
  // Where rounding reaches the upper bound, the last integer takes its place.
  Array x = between(astype(low, float32, s), astype(high, float32, s), shape, float32, key, s);
  Array u = astype(floor(x, s), dtype, s);
  Array last = astype(subtract(high, Array(1, high.dtype()), s), dtype, s);
  return maximum(minimum(u, last, s), astype(low, dtype, s), s);
}

// The k-th of the random words that each number is made of.
Array word_of(const Array& words, int k, StreamOrDevice s) {
  Shape start(words.shape().size(), 0), stop = words.shape();
  start[0] = k;
  stop[0] = k + 1;
  return astype(squeeze(slice(words, start, stop, s), 0, s), uint64, s);
}

// A fraction of 64 random bits times a count of at most 32: uneven by at most 2^-32 of a share.
Array drawn_from_few(const Array& low, const Array& count, const Shape& shape, Dtype dtype,
                     const Array& key, StreamOrDevice s) {
  Shape with_words = shape;
  with_words.insert(with_words.begin(), 2);
  Array words = bits(with_words, 4, key, s);
  const Array half(32, uint64);
  Array carry = right_shift(multiply(word_of(words, 1, s), count, s), half, s);
  Array sum = right_shift(add(multiply(word_of(words, 0, s), count, s), carry, s), half, s);
  return astype(add(astype(low, uint64, s), sum, s), dtype, s);
}

// A fraction of 96 random bits times any count, as uneven as that. The words of the fraction are
// multiplied from the last to the first, as one does by hand. A count of 0 stands for 2^64.
Array drawn_from_many(const Array& low, const Array& count, const Shape& shape, Dtype dtype,
                      const Array& key, StreamOrDevice s) {
  Shape with_words = shape;
  with_words.insert(with_words.begin(), 3);
  Array words = bits(with_words, 4, key, s);
  auto word = [&](int k) { return word_of(words, k, s); };
  const Array half(32, uint64), mask(uint64_t{UINT32_MAX}, uint64);
  Array upper = right_shift(count, half, s), lower = bitwise_and(count, mask, s);
  Array sum = Array(uint64_t{0}, uint64);
  for (int k = 2; k >= 0; k--) {
    Array carry = add(multiply(word(k), lower, s), bitwise_and(sum, mask, s), s);
    sum = add(add(multiply(word(k), upper, s), right_shift(sum, half, s), s),
              right_shift(carry, half, s), s);
  }
  Array all = bitwise_or(left_shift(word(0), half, s), word(1), s);
  sum = where(equal(count, Array(uint64_t{0}, uint64), s), all, sum, s);
  return astype(add(astype(low, uint64, s), sum, s), dtype, s);
}

// A bound that is known: the number of a Python or C++ caller.
std::optional<int64_t> known_bound(const Array& bound) {
  if (bound.size() != 1 || bound.ndim() != 0 || !bound.is_available() || bound.node()->tracer ||
      !is_integer(bound.dtype())) {
    return std::nullopt;
  }
  const auto value = bound.item<int64_t>();
  // uint64 beyond int64 counts as unknown.
  if (is_unsigned(bound.dtype()) && value < 0) return std::nullopt;
  return value;
}

}  // namespace

Array randint(const Array& low, const Array& high, const Shape& shape, Dtype dtype, const Key& key,
              StreamOrDevice s) {
  if (!is_integer(dtype) && !is_bool(dtype)) {
    refuse("randint", "randint only accepts integer dtypes and bool.");
  }
  const auto first = known_bound(low), end = known_bound(high);
  const bool known = first && end;
  if (known && (*end <= *first || floats_are_even(*first, *end))) {
    return drawn_as_floats(low, high, shape, dtype, key_or_next(key, s), s);
  }
  Array k = key_or_next(key, s);
  auto words = [&](const Array& x) {
    return is_unsigned(x.dtype()) ? astype(x, uint64, s) : astype(astype(x, int64, s), uint64, s);
  };
  const Array base = words(low), count = subtract(words(high), base, s);
  if (known) {
    const bool few = static_cast<uint64_t>(*end) - static_cast<uint64_t>(*first) <= UINT32_MAX;
    return (few ? drawn_from_few : drawn_from_many)(base, count, shape, dtype, k, s);
  }
  Array few = logical_and(less_equal(count, Array(uint64_t{UINT32_MAX}, uint64), s),
                          greater(count, Array(uint64_t{0}, uint64), s), s);
  Array exact = where(few, drawn_from_few(base, count, shape, dtype, k, s),
                      drawn_from_many(base, count, shape, dtype, k, s), s);
  // Bounds are compared as unsigned where one of them may be beyond int64.
  const bool wide = low.dtype() == uint64 || high.dtype() == uint64;
  Array x = astype(low, int64, s), y = astype(high, int64, s);
  Array even = floats_are_even(x, y, s);
  Array none = less_equal(y, x, s);
  if (wide) {
    // A high of 2^63 or more is above every low that is not itself one.
    Array zero(int64_t{0}, int64);
    Array low_big = low.dtype() == uint64 ? less(x, zero, s) : Array(false);
    Array high_big = high.dtype() == uint64 ? less(y, zero, s) : Array(false);
    Array same = equal(low_big, high_big, s);
    none = where(same, none, low_big, s);
    even = logical_and(even, logical_not(logical_or(low_big, high_big, s), s), s);
  }
  Array by_floats = drawn_as_floats(low, high, shape, dtype, k, s);
  return where(logical_or(even, none, s), by_floats, exact, s);
}

Array bernoulli(const Array& p, const Shape& shape, const Key& key, StreamOrDevice s) {
  if (!is_floating(p.dtype())) {
    refuse("bernoulli", "bernoulli probability `p` must be a float type.");
  }
  if (!(broadcast_shapes(shape, p.shape()) == shape)) {
    refuse("bernoulli", "shape of `p` is incompatible with argument `shape`.");
  }
  return less(uniform(shape, float32, key, s), astype(p, float32, s), s);
}
Array bernoulli(const Array& p, const Key& key, StreamOrDevice s) {
  return bernoulli(p, p.shape(), key, s);
}

Array truncated_normal(const Array& lower, const Array& upper, const Shape& shape, Dtype dtype,
                       const Key& key, StreamOrDevice s) {
  require_floating("trunc_normal", dtype, "trunc_normal only accepts floating point dtypes.");
  Array root(M_SQRT2, dtype);
  Array low = astype(lower, dtype, s), high = astype(upper, dtype, s);
  Array from = erf(divide(low, root, s), s), to = erf(divide(high, root, s), s);
  Array x = multiply(root, erfinv(between(from, to, shape, dtype, key, s), s), s);
  return maximum(minimum(high, x, s), low, s);
}
Array truncated_normal(const Array& lower, const Array& upper, Dtype dtype, const Key& key,
                       StreamOrDevice s) {
  return truncated_normal(lower, upper, broadcast_shapes(lower.shape(), upper.shape()), dtype, key,
                          s);
}

Array gumbel(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  return negative(log(negative(log(uniform(shape, dtype, key, s), s), s), s), s);
}

Array laplace(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  return laplace(shape, dtype, std::nullopt, std::nullopt, key, s);
}
Array laplace(const Shape& shape, Dtype dtype, const std::optional<Array>& loc,
              const std::optional<Array>& scale, const Key& key, StreamOrDevice s) {
  require_floating("laplace", dtype, "Only real floating point types are supported.");
  Array u = symmetric(shape, key, s);
  Array x = multiply(sign(u, s), log1p(negative(abs(u, s), s), s), s);
  return scaled(astype(x, dtype, s), loc, scale, s);
}

// ---------------------------------------------------------------------------------------------
// Indices

namespace {

int categorical_axis(const Array& logits, int axis) {
  if (axis < -logits.ndim() || axis >= logits.ndim()) {
    throw AxisError(fmt::format("[categorical] Invalid axis {} for logits with {} dimensions.",
                                axis, logits.ndim()));
  }
  return axis < 0 ? axis + logits.ndim() : axis;
}

// The index of the largest of logits with Gumbel noise of `shape`, to which they broadcast.
Array largest_with_noise(const Array& logits, const Shape& shape, int axis, const Key& key,
                         StreamOrDevice s) {
  return argmax(add(gumbel(shape, float32, key, s), logits, s), axis, false, s);
}

// Many draws from one distribution: where uniform numbers fall among its cumulated probabilities.
// That takes one number for each draw instead of one for each choice.
Array among_cumulated(const Array& logits, const Shape& shape, const Key& key, StreamOrDevice s) {
  Array x = astype(flatten(logits, 0, -1, s), float32, s);
  // NaN counts as largest, as where the largest with noise is taken; equal infinities are equal.
  x = where(isnan(x, s), Array(std::numeric_limits<float>::infinity()), x, s);
  Array top = max(x, {0}, true, s);
  Array below = where(equal(x, top, s), Array(0.0f), subtract(x, top, s), s);
  Array cumulated = cumsum(exp(below, s), 0, false, true, s);
  Array total = take(cumulated, -1, 0, s);
  Array found =
      searchsorted(cumulated, multiply(uniform(shape, float32, key, s), total, s), "right", s);
  return minimum(found, Array(x.size() - 1, uint32), s);
}

bool is_one_distribution(const Array& logits, int axis) {
  return logits.size() > 0 && logits.size() == logits.shape(axis);
}

}  // namespace

Array categorical(const Array& logits, int axis, const Key& key, StreamOrDevice s) {
  Shape shape = logits.shape();
  shape.erase(shape.begin() + categorical_axis(logits, axis));
  return categorical(logits, axis, shape, key, s);
}

Array categorical(const Array& logits, int axis, int num_samples, const Key& key,
                  StreamOrDevice s) {
  int at = categorical_axis(logits, axis);
  if (is_one_distribution(logits, at)) {
    Shape shape = logits.shape();
    shape.erase(shape.begin() + at);
    shape.push_back(num_samples);
    return among_cumulated(logits, shape, key, s);
  }
  Shape noise = logits.shape();
  noise.push_back(num_samples);
  return largest_with_noise(expand_dims(logits, -1, s), noise, at, key, s);
}

Array categorical(const Array& logits, int axis, const Shape& shape, const Key& key,
                  StreamOrDevice s) {
  int at = categorical_axis(logits, axis);
  Shape reduced = logits.shape();
  reduced.erase(reduced.begin() + at);
  if (!(broadcast_shapes(shape, reduced) == shape)) {
    refuse("categorical",
           "Requested shape {} is not broadcast compatible with reduced "
           "logits shape{}.",
           to_string(shape), to_string(reduced));
  }
  // MLX draws a scalar with noise even so; equal seeds have to give equal draws.
  if (is_one_distribution(logits, at) && !shape.empty()) {
    return among_cumulated(logits, shape, key, s);
  }
  int place = at + static_cast<int>(shape.size() - reduced.size());
  Shape noise = shape;
  noise.insert(noise.begin() + place, logits.shape(at));
  return largest_with_noise(logits, noise, place, key, s);
}

Array permutation(int n, const Key& key, StreamOrDevice s) {
  return argsort(bits({n}, 4, key, s), 0, s);
}
Array permutation(const Array& x, int axis, const Key& key, StreamOrDevice s) {
  int at = normalize_axis("permutation", axis, x.ndim());
  return take(x, permutation(static_cast<int>(x.shape(at)), key, s), at, s);
}

}  // namespace random
}  // namespace heddle
