// Functions that make new arrays.
#include "ops/creation.h"

#include <fmt/format.h>

#include "heddle/ops/creation.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/shape.h"
#include "signature.h"

namespace heddle::python {
namespace {

// A bound given from Python: integers of 64 bits exactly, else a double.
struct Bound {
  double value = 0;
  WideInteger integer = 0;
  bool floating = false;
};

Bound bound_of(const char* op, nb::handle value) {
  PyObject* o = value.ptr();
  if (is_array(value) || PyComplex_Check(o)) throw nb::next_overload();
  nb::object number = PyFloat_Check(o) || PyLong_Check(o) ? nb::borrow(o) : as_number(value);
  if (!number.is_valid() || PyComplex_Check(number.ptr())) throw nb::next_overload();
  if (PyFloat_Check(number.ptr())) return {PyFloat_AsDouble(number.ptr()), 0, true};
  int overflow = 0;
  long long i = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  WideInteger wide = i;
  if (overflow != 0) {
    unsigned long long u = overflow > 0 ? PyLong_AsUnsignedLongLong(number.ptr()) : ~0ULL;
    if (u == ~0ULL && (overflow < 0 || PyErr_Occurred())) {
      PyErr_Clear();
      throw std::overflow_error(
          fmt::format("[{}] The number {} takes more than 64 bits.", op, nb::str(number).c_str()));
    }
    wide = u;
  }
  return {static_cast<double>(wide), wide, false};
}

Bound range_bound(nb::handle value) {
  if (PyBool_Check(value.ptr())) {
    throw std::invalid_argument("[arange] bool not supported for arange.");
  }
  return bound_of("arange", value);
}

// int32 where it holds all, as in MLX, else int64 or uint64.
Dtype dtype_of(std::initializer_list<Bound> bounds) {
  bool narrow = true, wide = true;
  for (const Bound& b : bounds) {
    if (b.floating) return float32;
    narrow &= b.integer >= INT32_MIN && b.integer <= INT32_MAX;
    wide &= b.integer <= INT64_MAX;
  }
  return narrow ? int32 : wide ? int64 : uint64;
}

Array make_range(nb::handle start, nb::handle stop, nb::handle step, std::optional<Dtype> dtype,
                 const StreamOrDevice& s) {
  const Bound first = start.is_none() ? Bound{} : range_bound(start);
  const Bound last = range_bound(stop);
  const Bound by = step.is_none() ? Bound{1, 1} : range_bound(step);
  const Dtype t = dtype.value_or(dtype_of({first, last, by}));
  if (first.floating || last.floating || by.floating) {
    return arange(first.value, last.value, by.value, t, s);
  }
  return integer_range(first.integer, last.integer, by.integer, t, s);
}

// full()'s value. As in MLX the dtype is that of a number if it can be; an array keeps its own.
Array fill_value(nb::handle value, std::optional<Dtype> dtype) {
  if (!dtype) return to_operand(value);
  Array v = to_operand(value, *dtype);
  return PyBool_Check(value.ptr()) ? astype(v, *dtype) : v;
}

void bind_constant(nb::module_& m, const char* name, const char* like, float value, const char* doc,
                   const char* like_doc) {
  m.def(
      name,
      [value](nb::handle shape, std::optional<Dtype> dtype, const StreamOrDevice& s) {
        Dtype t = dtype.value_or(float32);
        return full(to_shape(shape), Array(value, t), t, s);
      },
      "shape"_a, nb::arg("dtype").none() = float32, nb::kw_only(), "stream"_a = nb::none(),
      signature(name, "shape: int | Sequence[int], dtype: Dtype | None = float32"), doc);
  m.def(
      like,
      [value](const Array& a, std::optional<Dtype> dtype, const StreamOrDevice& s) {
        Dtype t = dtype.value_or(a.dtype());
        return full_like(a, Array(value, t), t, s);
      },
      nb::arg(), "dtype"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      signature(like, "a: array, /, dtype: Dtype | None = None"), like_doc);
}

void bind_window(nb::module_& m, const char* name, Array (*window)(int, StreamOrDevice),
                 const char* doc) {
  m.def(
      name, [window](int M, const StreamOrDevice& s) { return window(M, s); }, "M"_a, nb::kw_only(),
      "stream"_a = nb::none(), signature(name, "M: int"), doc);
}

}  // namespace

void bind_creation(nb::module_& m) {
  bind_constant(m, "zeros", "zeros_like", 0.0f, R"(
An array of zeros. Raises ValueError for negative dimensions.)",
                R"(
An array of zeros with the shape, and unless one is given the dtype, of `a`.)");
  bind_constant(m, "empty", "empty_like", 0.0f, R"(
An array of zeros: heddle has no memory without values.)",
                R"(
An array of zeros with the shape, and unless one is given the dtype, of `a`.)");
  bind_constant(m, "ones", "ones_like", 1.0f, R"(
An array of ones. Raises ValueError for negative dimensions.)",
                R"(
An array of ones with the shape, and unless one is given the dtype, of `a`.)");
  m.def(
      "full",
      [](nb::handle shape, nb::handle vals, std::optional<Dtype> dtype, const StreamOrDevice& s) {
        return full(to_shape(shape), fill_value(vals, dtype), s);
      },
      "shape"_a, "vals"_a, "dtype"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      signature("full",
                "shape: int | Sequence[int], vals: bool | int | float | complex | array, dtype: "
                "Dtype | None = None"),
      R"(
An array filled with a number, or with an array that broadcasts to the shape.

The dtype is for numbers: a float stays float32 where an integer dtype is asked for, and an array keeps its own.
Raises ValueError for negative dimensions, for values that do not broadcast and for a number that does not
fit the dtype.)");
  m.def(
      "full_like",
      [](const Array& a, nb::handle vals, std::optional<Dtype> dtype, const StreamOrDevice& s) {
        Dtype t = dtype.value_or(a.dtype());
        return full_like(a, to_operand(vals, t), t, s);
      },
      "a"_a, "vals"_a, "dtype"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      signature("full_like",
                "a: array, vals: bool | int | float | complex | array, dtype: Dtype | None = None"),
      R"(
An array filled with `vals`, with the shape, and unless one is given the dtype, of `a`.)");
  m.def(
      "eye",
      [](int n, std::optional<int> columns, int k, std::optional<Dtype> dtype,
         const StreamOrDevice& s) {
        return eye(n, columns.value_or(n), k, dtype.value_or(float32), s);
      },
      "n"_a, "m"_a = nb::none(), "k"_a = 0, nb::arg("dtype").none() = float32, nb::kw_only(),
      "stream"_a = nb::none(),
      signature("eye", "n: int, m: int | None = None, k: int = 0, dtype: Dtype | None = float32"),
      R"(
Ones on the k-th diagonal of `n` rows and `m` (else `n`) columns, zeros elsewhere.
Raises ValueError for negative sizes.)");
  m.def(
      "identity",
      [](int n, std::optional<Dtype> dtype, const StreamOrDevice& s) {
        return eye(n, n, 0, dtype.value_or(float32), s);
      },
      "n"_a, nb::arg("dtype").none() = float32, nb::kw_only(), "stream"_a = nb::none(),
      signature("identity", "n: int, dtype: Dtype | None = float32"), R"(
The identity matrix of `n` rows and columns. Raises ValueError for a negative size.)");
  m.def(
      "tri",
      [](int n, std::optional<int> columns, int k, std::optional<Dtype> dtype,
         const StreamOrDevice& s) {
        return tri(n, columns.value_or(n), k, dtype.value_or(float32), s);
      },
      "n"_a, "m"_a = nb::none(), "k"_a = 0, "dtype"_a = nb::none(), nb::kw_only(),
      "stream"_a = nb::none(),
      signature("tri", "n: int, m: int | None = None, k: int = 0, dtype: Dtype | None = None"), R"(
Ones at and below the k-th diagonal of `n` rows and `m` (else `n`) columns, zeros above.)");

  m.def(
      "arange",
      [](nb::handle start, nb::handle stop, nb::handle step, std::optional<Dtype> dtype,
         const StreamOrDevice& s) {
        return stop.is_none() ? make_range(stop, start, step, dtype, s)
                              : make_range(start, stop, step, dtype, s);
      },
      "start"_a, nb::arg("stop").none(), nb::arg("step").none() = nb::none(),
      "dtype"_a = nb::none(), nb::kw_only(), "stream"_a = nb::none(),
      signature("arange",
                "start: int | float, stop: int | float | None, step: int | float | None = None, "
                "dtype: Dtype | None = None"),
      R"(
The numbers `start` (0 if only a stop is given), start + d, ... before `stop`.

Integers are exact. In a floating dtype that does not hold start and step, d is
``dtype(start + step) - dtype(start)``, as in NumPy. Without a dtype: float32 if one of the numbers is a
float, else int32, or int64 or uint64 where one of them needs it. Raises ValueError for a step of 0, bounds that
are not finite, more than 2**31 - 1 numbers, numbers that do not fit the dtype, and bool.)");
  m.def(
      "arange",
      [](nb::handle stop, nb::handle step, std::optional<Dtype> dtype, const StreamOrDevice& s) {
        return make_range(nb::none(), stop, step, dtype, s);
      },
      "stop"_a, nb::arg("step").none() = nb::none(), "dtype"_a = nb::none(), nb::kw_only(),
      "stream"_a = nb::none(),
      signature("arange",
                "stop: int | float, step: int | float | None = None, dtype: Dtype | None = None"));
  m.def(
      "linspace",
      [](nb::handle start, nb::handle stop, int num, bool endpoint, std::optional<Dtype> dtype,
         const StreamOrDevice& s) {
        const Bound first = bound_of("linspace", start), last = bound_of("linspace", stop);
        const Dtype t = dtype.value_or(float32);
        if (is_integer(t) && !first.floating && !last.floating) {
          return integer_linspace(first.integer, last.integer, num, t, endpoint, s);
        }
        return linspace(first.value, last.value, num, t, endpoint, s);
      },
      "start"_a, "stop"_a, "num"_a = 50, "endpoint"_a = true, nb::arg("dtype").none() = float32,
      "stream"_a = nb::none(),
      signature(
          "linspace",
          "start: int | float, stop: int | float, num: int = 50, endpoint: bool = True, dtype: "
          "Dtype | None = float32",
          "array", StreamArg::positional),
      R"(
`num` evenly spaced numbers from `start` to `stop`; without `endpoint` up to one step before it.

In an integer dtype they are exact but for their fractions, which are dropped.
Raises ValueError for a negative number and for bounds that do not fit the dtype.)");
  bind_window(m, "bartlett", bartlett, R"(
The Bartlett window of `M` points: a triangle.)");
  bind_window(m, "hanning", hanning, R"(
The Hann window of `M` points: ``0.5 - 0.5 cos(2 pi n / (M - 1))``.)");
  bind_window(m, "hamming", hamming, R"(
The Hamming window of `M` points: ``0.54 - 0.46 cos(2 pi n / (M - 1))``.)");
  bind_window(m, "blackman", blackman, R"(
The Blackman window of `M` points: ``0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))``.)");
}

}  // namespace heddle::python
