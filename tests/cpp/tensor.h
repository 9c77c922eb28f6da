// An array for kernel tests: owns its memory, has any strides, reads and writes elements as
// numbers.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "core/view.h"

namespace heddle::test {

using Number = std::complex<double>;

inline Number read(Dtype t, const void* memory, int64_t i) {
  return visit_dtype(t, [&](auto tag) -> Number {
    using T = typename decltype(tag)::type;
    T x = static_cast<const T*>(memory)[i];
    if constexpr (std::is_same_v<T, complex64_t>) {
      return Number(x.real(), x.imag());
    } else {
      return Number(static_cast<double>(x), 0);
    }
  });
}

inline void write(Dtype t, void* memory, int64_t i, Number value) {
  visit_dtype(t, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T& x = static_cast<T*>(memory)[i];
    if constexpr (std::is_same_v<T, complex64_t>) {
      x = complex64_t(static_cast<float>(value.real()), static_cast<float>(value.imag()));
    } else if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
      x = T(static_cast<float>(value.real()));
    } else {
      x = static_cast<T>(value.real());
    }
  });
}

struct Tensor {
  View view;
  std::vector<unsigned char> memory;

  // `order` lists the dimensions from the slowest to the fastest in memory; `gap` widens the
  // fastest stride; dimensions named in `broadcast` have stride 0.
  explicit Tensor(Dtype t, Shape shape, std::vector<int> order = {}, int64_t gap = 1,
                  std::vector<int> broadcast = {}) {
    if (order.empty()) {
      for (size_t i = 0; i < shape.size(); i++) order.push_back(static_cast<int>(i));
    }
    view.dtype = t;
    view.shape = shape;
    view.strides = Strides(shape.size());
    int64_t step = gap;
    for (size_t i = order.size(); i-- > 0;) {
      bool shared = false;
      for (int d : broadcast) shared = shared || d == order[i];
      view.strides[order[i]] = shared ? 0 : step;
      if (!shared) step *= shape[order[i]];
    }
    memory.resize(step * size_of(t) + 64);
    view.data = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
  }
  Tensor(const Tensor&) = delete;
  Tensor(Tensor&& o) = default;

  int64_t offset(const Shape& index) const {
    int64_t o = 0;
    for (size_t d = 0; d < index.size(); d++) o += index[d] * view.strides[d];
    return o;
  }
  Number at(const Shape& index) const { return read(view.dtype, view.data, offset(index)); }
  void set(const Shape& index, Number value) { write(view.dtype, view.data, offset(index), value); }

  // Values of unit scale, some negative.
  Tensor& fill(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> value(-1, 1);
    int64_t count = static_cast<int64_t>((memory.size() - 64) / size_of(view.dtype));
    for (int64_t i = 0; i < count; i++) {
      double re = value(random), im = value(random);
      write(view.dtype, view.data, i, Number(re, im));
    }
    return *this;
  }
};

// Calls f with every index of `shape` in row-major order.
template <class F>
void each_index(const Shape& shape, F&& f) {
  int64_t count = element_count(shape);
  Shape index(shape.size());
  for (int64_t i = 0; i < count; i++) {
    f(index);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

// How far a sum of `length` products of unit scale may be off after rounding to `t`.
inline double tolerance(Dtype t, int64_t length) {
  double root = std::sqrt(static_cast<double>(length < 1 ? 1 : length));
  switch (t) {
    case Dtype::float64:
      return 1e-12 * (1 + root);
    case Dtype::float16:
      return 2e-3 * (1 + root);
    case Dtype::bfloat16:
      return 1.6e-2 * (1 + root);
    default:
      return 2e-6 + 1e-6 * root;
  }
}

}  // namespace heddle::test
