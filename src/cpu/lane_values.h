// Help for kernels that work on lane values of any type.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cpu/tile/bytecode.h"
#include "heddle/dtype.h"

namespace heddle::cpu {

// Calls f(TypeTag<T>{}) with the C++ type of the lane's elements.
template <class F>
void visit_lane(tile::Lane lane, F&& f) {
  switch (lane) {
    case tile::Lane::f32:
      return f(TypeTag<float>{});
    case tile::Lane::f64:
      return f(TypeTag<double>{});
    case tile::Lane::c64:
      return f(TypeTag<complex64_t>{});
    case tile::Lane::i32:
      return f(TypeTag<int32_t>{});
    case tile::Lane::u32:
      return f(TypeTag<uint32_t>{});
    case tile::Lane::i64:
      return f(TypeTag<int64_t>{});
    case tile::Lane::u64:
      return f(TypeTag<uint64_t>{});
  }
}

// A complex number is NaN if either part is.
template <class T>
bool is_nan(T x) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    return std::isnan(x.real()) || std::isnan(x.imag());
  } else if constexpr (std::is_integral_v<T>) {
    return false;
  } else {
    return x != x;
  }
}

// Complex numbers compare by real, then imaginary part. False if either is NaN.
template <class T>
bool is_less(T a, T b) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    return a.real() != b.real() ? a.real() < b.real() : a.imag() < b.imag();
  } else {
    return a < b;
  }
}

// Replaces int32 lanes by what remains of them in an integer dtype of 8 or 16 bits, for
// tile::store_tile, which takes values of that dtype. Nothing to do for other dtypes.
inline void wrap_lanes(Dtype dtype, int32_t* lanes, int64_t n) {
  if (!is_integer(dtype) || size_of(dtype) > 2) return;
  const int bits = 32 - 8 * static_cast<int>(size_of(dtype));
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t high = static_cast<uint32_t>(lanes[i]) << bits;
    lanes[i] =
        is_signed(dtype) ? static_cast<int32_t>(high) >> bits : static_cast<int32_t>(high >> bits);
  }
}

}  // namespace heddle::cpu
