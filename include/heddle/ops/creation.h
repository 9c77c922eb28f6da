// New arrays.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "heddle/array.h"

namespace heddle {

namespace detail {

// What the templates below call: bounds that are integers, of any C++ type.
struct Whole {
  template <std::integral T>
  Whole(T value) : bits(static_cast<uint64_t>(value)) {
    if constexpr (std::is_signed_v<T>) negative = value < 0;
  }
  uint64_t bits;  // in two's complement
  bool negative = false;
};
Array whole_arange(Whole start, Whole stop, Whole step, Dtype dtype, const StreamOrDevice& s);
Array whole_linspace(Whole start, Whole stop, int num, Dtype dtype, bool endpoint,
                     const StreamOrDevice& s);

}  // namespace detail

// `shape` copies of the scalar or broadcast `value`, in its dtype unless one is given.
Array full(const Shape& shape, const Array& value, StreamOrDevice s = {});
Array full(const Shape& shape, const Array& value, Dtype dtype, StreamOrDevice s = {});
Array full_like(const Array& a, const Array& value, StreamOrDevice s = {});
Array full_like(const Array& a, const Array& value, Dtype dtype, StreamOrDevice s = {});
Array zeros(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
Array ones(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
Array zeros_like(const Array& a, StreamOrDevice s = {});
Array ones_like(const Array& a, StreamOrDevice s = {});

// Ones on the k-th diagonal of n rows and m columns.
Array eye(int n, int m, int k = 0, Dtype dtype = float32, StreamOrDevice s = {});
Array eye(int n, Dtype dtype = float32, StreamOrDevice s = {});
Array identity(int n, Dtype dtype = float32, StreamOrDevice s = {});

// start, start + d, ... before stop, where d = dtype(start + step) - dtype(start). Not for bool.
Array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s = {});
Array arange(double start, double stop, double step = 1, StreamOrDevice s = {});  // float32
Array arange(int start, int stop, int step = 1, StreamOrDevice s = {});           // int32
Array arange(int stop, StreamOrDevice s = {});
// Between integers: exact in an integer dtype, as far as 64 bits go.
template <std::integral A, std::integral B, std::integral C>
Array arange(A start, B stop, C step, Dtype dtype, StreamOrDevice s = {}) {
  return detail::whole_arange(start, stop, step, dtype, s);
}
// `num` values from start to stop, evenly spaced; `endpoint`: stop is the last one.
Array linspace(double start, double stop, int num = 50, Dtype dtype = float32, bool endpoint = true,
               StreamOrDevice s = {});
template <std::integral A, std::integral B>
Array linspace(A start, B stop, int num = 50, Dtype dtype = float32, bool endpoint = true,
               StreamOrDevice s = {}) {
  return detail::whole_linspace(start, stop, num, dtype, endpoint, s);
}

// Window functions of `m` points.
Array bartlett(int m, StreamOrDevice s = {});
Array hanning(int m, StreamOrDevice s = {});
Array hamming(int m, StreamOrDevice s = {});
Array blackman(int m, StreamOrDevice s = {});

// How many elements `a` has along these axes together, or one divided by it, as a scalar. Counted
// when it runs: a shapeless trace holds no number.
Array number_of_elements(const Array& a, const std::vector<int>& axes, bool inverted = false,
                         Dtype dtype = int32, StreamOrDevice s = {});

}  // namespace heddle
