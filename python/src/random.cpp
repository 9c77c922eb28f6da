// The submodule heddle.core.random.
#include "heddle/ops/random.h"

#include <fmt/format.h>

#include "foreign_memory.h"
#include "heddle/type_info.h"
#include "signature.h"

namespace heddle::python {
namespace {

using Numbers = std::vector<int64_t>;

// `random.state`: stands for a list of one array, the calling thread's key.
struct RandomState {};

nb::object state_item(int index) {
  if (index != 0 && index != -1) throw nb::index_error("random state index out of range");
  return wrap(random::state());
}

Dtype dtype_or(std::optional<Dtype> dtype, Dtype otherwise) { return dtype.value_or(otherwise); }

// A parameter in the dtype of the draw, so that a Python number keeps all digits that it can have
// there.
std::optional<Array> parameter(nb::handle value, std::optional<Dtype> dtype) {
  if (value.is_none()) return std::nullopt;
  Dtype t = dtype_or(dtype, float32);
  const bool plain = PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr());
  nb::object number =
      plain || is_foreign(value) || is_array(value) ? nb::borrow(value) : as_number(value);
  bool real_number =
      number.is_valid() && (plain || PyFloat_Check(number.ptr()) || PyLong_Check(number.ptr()));
  return real_number && is_inexact(t) ? to_array(number, t) : to_operand(value);
}

// Bounds given as Python ints: what may be drawn has to fit the dtype.
void require_drawable(nb::handle low, nb::handle high, Dtype t) {
  if (!is_integer(t)) return;
  const iinfo limits(t);
  const nb::int_ least(limits.min), largest(limits.max);
  const bool too_low = PyLong_Check(low.ptr()) && nb::cast<bool>(low.attr("__lt__")(least));
  const bool too_high = PyLong_Check(high.ptr()) &&
                        nb::cast<bool>(high.attr("__sub__")(nb::int_(1)).attr("__gt__")(largest));
  if (too_low || too_high) {
    throw std::invalid_argument(fmt::format(
        "[randint] Integers from {} to below {} do not fit {}, which holds {} to {}.",
        nb::str(low).c_str(), nb::str(high).c_str(), name_of(t), limits.min, limits.max));
  }
}

constexpr const char* scalar = "bool | int | float | array";
// What every draw says of its key.
constexpr const char* key_note = R"(
  key: decides the draw; the next key of the calling thread if None.)";

// "def name(arguments, key: ..., stream: ...) -> array"
nb::sig draw_signature(const char* name, const std::string& arguments) {
  return signature(name, arguments + ", key: array | None = None", "array", StreamArg::positional);
}

const char* documentation(const char* text) { return keep(fmt::format("\n{}{}", text, key_note)); }

void bind_keys(nb::module_& m) {
  nb::class_<RandomState>(m, "_RandomState")
      .def("__len__", [](const RandomState&) { return 1; })
      .def("__getitem__", [](const RandomState&, int index) { return state_item(index); })
      .def("__iter__", [](const RandomState&) {
        nb::list items;
        items.append(state_item(0));
        return nb::iter(items);
      });
  m.attr("state") = nb::cast(RandomState{});
  m.def("seed", &random::seed, "seed"_a, nb::sig("def seed(seed: int) -> None"),
        "\nSets the calling thread's key. Equal seeds give equal draws.");
  m.def("key", &random::key, "seed"_a, nb::sig("def key(seed: int) -> array"),
        "\nThe key, uint32 of shape (2), that a seed of 64 bits gives.");
  m.def(
      "split",
      [](const Array& key, int num, const StreamOrDevice& s) { return random::split(key, num, s); },
      "key"_a, "num"_a = 2, "stream"_a = nb::none(),
      signature("split", "key: array, num: int = 2", "array", StreamArg::positional),
      R"(
Keys of independent draws, one in each of `num` rows.

Raises:
  ValueError: something that is no key.)");
}

void bind_continuous(nb::module_& m) {
  m.def(
      "uniform",
      [](nb::handle low, nb::handle high, const Numbers& shape, std::optional<Dtype> dtype,
         const random::Key& key, const StreamOrDevice& s) {
        return random::uniform(to_operand(low), to_operand(high), Shape(shape),
                               dtype_or(dtype, float32), key, s);
      },
      "low"_a = 0, "high"_a = 1, "shape"_a = Numbers{}, "dtype"_a.none() = float32,
      "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature("uniform",
                     fmt::format("low: {0} = 0, high: {0} = 1, shape: Sequence[int] = [], dtype: "
                                 "Dtype | None = float32",
                                 scalar)),
      documentation(R"(Numbers in [low, high), all equally likely.

Args:
  low: lower bounds, which broadcast to `shape`.
  high: upper bounds, which broadcast to `shape`.
  shape: the shape of the result.
  dtype: float32, float16 or bfloat16.)"));
  m.def(
      "normal",
      [](const Numbers& shape, std::optional<Dtype> dtype, nb::handle loc, nb::handle scale,
         const random::Key& key, const StreamOrDevice& s) {
        return random::normal(Shape(shape), dtype_or(dtype, float32), parameter(loc, dtype),
                              parameter(scale, dtype), key, s);
      },
      "shape"_a = Numbers{}, "dtype"_a.none() = float32, "loc"_a = nb::none(),
      "scale"_a = nb::none(), "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature("normal",
                     fmt::format("shape: Sequence[int] = [], dtype: Dtype | None = float32, "
                                 "loc: {0} | None = None, scale: {0} | None = None",
                                 scalar)),
      documentation(R"(Normally distributed numbers.

Args:
  shape: the shape of the result.
  dtype: floating, or complex64: then real and imaginary parts have half the variance each.
  loc: the mean; 0 if None.
  scale: the standard deviation; 1 if None.)"));
  m.def(
      "multivariate_normal",
      [](const Array& mean, const Array& cov, const Numbers& shape, std::optional<Dtype> dtype,
         const random::Key& key, const StreamOrDevice& s) {
        return random::multivariate_normal(mean, cov, Shape(shape), dtype_or(dtype, float32), key,
                                           s);
      },
      "mean"_a, "cov"_a, "shape"_a = Numbers{}, "dtype"_a.none() = float32, "key"_a = nb::none(),
      "stream"_a = nb::none(),
      draw_signature("multivariate_normal",
                     "mean: array, cov: array, shape: Sequence[int] = [], dtype: Dtype | None "
                     "= float32"),
      documentation(R"(Vectors of dependent, normally distributed numbers.

Args:
  mean: shape ``(..., n)``.
  cov: the covariance, shape ``(..., n, n)``; symmetric and positive semi-definite, which is not checked.
  shape: how many vectors; the leading dimensions of `mean` and `cov` broadcast to it. If empty, they
    broadcast to each other.
  dtype: float32.

Raises:
  ValueError: shapes that do not fit, another dtype.
  RuntimeError: at evaluation, a covariance with NaN or infinite elements.)"));
  m.def(
      "truncated_normal",
      [](nb::handle lower, nb::handle upper, const std::optional<Numbers>& shape,
         std::optional<Dtype> dtype, const random::Key& key, const StreamOrDevice& s) {
        Array low = to_operand(lower), high = to_operand(upper);
        Dtype t = dtype_or(dtype, float32);
        return shape ? random::truncated_normal(low, high, Shape(*shape), t, key, s)
                     : random::truncated_normal(low, high, t, key, s);
      },
      "lower"_a, "upper"_a, "shape"_a = nb::none(), "dtype"_a.none() = float32,
      "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature(
          "truncated_normal",
          fmt::format("lower: {0}, upper: {0}, shape: Sequence[int] | None = None, dtype: "
                      "Dtype | None = float32",
                      scalar)),
      documentation(R"(Normally distributed numbers within bounds.

Args:
  lower: lower bounds, which broadcast to `shape`.
  upper: upper bounds, which broadcast to `shape`.
  shape: the shape of the result; that of the bounds if None.
  dtype: floating.)"));
  m.def(
      "gumbel",
      [](const Numbers& shape, std::optional<Dtype> dtype, const random::Key& key,
         const StreamOrDevice& s) {
        return random::gumbel(Shape(shape), dtype_or(dtype, float32), key, s);
      },
      "shape"_a = Numbers{}, "dtype"_a.none() = float32, "key"_a = nb::none(),
      "stream"_a = nb::none(),
      draw_signature("gumbel", "shape: Sequence[int] = [], dtype: Dtype | None = float32"),
      documentation(R"(Numbers of the standard Gumbel distribution, ``exp(-exp(-x))``.

Args:
  shape: the shape of the result.
  dtype: floating.)"));
  m.def(
      "laplace",
      [](const Numbers& shape, std::optional<Dtype> dtype, nb::handle loc, nb::handle scale,
         const random::Key& key, const StreamOrDevice& s) {
        return random::laplace(Shape(shape), dtype_or(dtype, float32), parameter(loc, dtype),
                               parameter(scale, dtype), key, s);
      },
      "shape"_a = Numbers{}, "dtype"_a.none() = float32, "loc"_a = nb::none(),
      "scale"_a = nb::none(), "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature("laplace",
                     fmt::format("shape: Sequence[int] = [], dtype: Dtype | None = float32, "
                                 "loc: {0} | None = None, scale: {0} | None = None",
                                 scalar)),
      documentation(R"(Numbers of the Laplace distribution.

Args:
  shape: the shape of the result.
  dtype: floating.
  loc: the mean; 0 if None.
  scale: the width; 1 if None.)"));
}

void bind_discrete(nb::module_& m) {
  m.def(
      "randint",
      [](nb::handle low, nb::handle high, const Numbers& shape, std::optional<Dtype> dtype,
         const random::Key& key, const StreamOrDevice& s) {
        Dtype t = dtype_or(dtype, int32);
        require_drawable(low, high, t);
        return random::randint(to_operand(low), to_operand(high), Shape(shape), t, key, s);
      },
      "low"_a, "high"_a, "shape"_a = Numbers{}, "dtype"_a.none() = int32, "key"_a = nb::none(),
      "stream"_a = nb::none(),
      draw_signature("randint",
                     fmt::format("low: {0}, high: {0}, shape: Sequence[int] = [], dtype: "
                                 "Dtype | None = int32",
                                 scalar)),
      documentation(R"(Integers in [low, high), all equally likely; `low` where there is none.

Up to 2**24 they are MLX's for equal keys, which are drawn from float32 numbers; beyond, where those miss
integers, they are drawn from 96 bits each.

Args:
  low: lower bounds, which broadcast to `shape`.
  high: upper bounds, which broadcast to `shape`.
  shape: the shape of the result.
  dtype: an integer dtype or bool.)"));
  m.def(
      "bernoulli",
      [](nb::handle p, const std::optional<Numbers>& shape, const random::Key& key,
         const StreamOrDevice& s) {
        Array probability = to_operand(p);
        return shape ? random::bernoulli(probability, Shape(*shape), key, s)
                     : random::bernoulli(probability, key, s);
      },
      "p"_a = 0.5, "shape"_a = nb::none(), "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature("bernoulli",
                     fmt::format("p: {} = 0.5, shape: Sequence[int] | None = None", scalar)),
      documentation(R"(True with probability `p`, as bool.

Args:
  p: floating probabilities, which broadcast to `shape`.
  shape: the shape of the result; that of `p` if None.)"));
  m.def(
      "categorical",
      [](const Array& logits, int axis, const std::optional<Numbers>& shape,
         std::optional<int> num_samples, const random::Key& key, const StreamOrDevice& s) {
        if (shape && num_samples) {
          throw std::invalid_argument(
              "[categorical] At most one of shape or num_samples can be specified.");
        }
        if (shape) return random::categorical(logits, axis, Shape(*shape), key, s);
        if (num_samples) return random::categorical(logits, axis, *num_samples, key, s);
        return random::categorical(logits, axis, key, s);
      },
      "logits"_a, "axis"_a = -1, "shape"_a = nb::none(), "num_samples"_a = nb::none(),
      "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature("categorical",
                     "logits: array, axis: int = -1, shape: Sequence[int] | None = "
                     "None, num_samples: int | None = None"),
      documentation(
          R"(Indices along an axis, uint32, each with the probability that softmax gives its logit.

Args:
  logits: the logarithms of the probabilities, up to a constant.
  axis: the axis of the choices.
  shape: the shape of the result, to which that of the other axes broadcasts.
  num_samples: how many to draw, along a new last axis. At most one of `shape` and `num_samples` is given.)"));
  m.def(
      "permutation",
      [](nb::handle x, int axis, const random::Key& key, const StreamOrDevice& s) {
        if (is_array(x)) return random::permutation(array_of(x), axis, key, s);
        if (!PyLong_Check(x.ptr())) {
          throw nb::type_error("permutation(): x must be an int or an array.");
        }
        int n = 0;
        if (!nb::try_cast(x, n)) {
          throw std::overflow_error(
              fmt::format("[permutation] {} integers are more than an axis can have, 2147483647.",
                          nb::str(x).c_str()));
        }
        return random::permutation(n, key, s);
      },
      "x"_a, "axis"_a = 0, "key"_a = nb::none(), "stream"_a = nb::none(),
      draw_signature("permutation", "x: int | array, axis: int = 0"),
      documentation(
          R"(The integers below `x`, uint32, or the slices of an array along an axis, in a random order.

Args:
  x: how many integers, or the array.
  axis: the axis to permute.)"));
}

}  // namespace

bool is_random_state(nb::handle value) { return nb::isinstance<RandomState>(value); }

void bind_random(nb::module_& m) {
  nb::module_ random =
      add_submodule(m, "random", "Random numbers, equal to those of MLX for equal keys.");
  bind_keys(random);
  bind_continuous(random);
  bind_discrete(random);
}

}  // namespace heddle::python
