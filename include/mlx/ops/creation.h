// New arrays.
#pragma once

#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include "heddle/ops/creation.h"
#include "heddle/ops/shape.h"
#include "mlx/utils.h"

namespace mlx::core {

inline array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, step, dtype, detail::in(s));
}
// Bounds that are integers need not pass through double, which has 53 bits.
template <std::integral A, std::integral B, std::integral C>
array arange(A start, B stop, C step, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, step, dtype, detail::in(s));
}
template <std::integral A, std::integral B>
array arange(A start, B stop, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, 1, dtype, detail::in(s));
}
template <std::integral A>
array arange(A stop, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::arange(0, stop, 1, dtype, detail::in(s));
}
inline array arange(double start, double stop, double step, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, step, detail::in(s));
}
inline array arange(double start, double stop, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, 1.0, dtype, detail::in(s));
}
inline array arange(double start, double stop, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, 1.0, detail::in(s));
}
inline array arange(double stop, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::arange(0.0, stop, 1.0, dtype, detail::in(s));
}
inline array arange(double stop, StreamOrDevice s = {}) {
  return heddle::arange(0.0, stop, 1.0, detail::in(s));
}
inline array arange(int start, int stop, int step, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, step, detail::in(s));
}
inline array arange(int start, int stop, StreamOrDevice s = {}) {
  return heddle::arange(start, stop, 1, detail::in(s));
}
inline array arange(int stop, StreamOrDevice s = {}) { return heddle::arange(stop, detail::in(s)); }
inline array linspace(double start, double stop, int num, bool endpoint, Dtype dtype = float32,
                      StreamOrDevice s = {}) {
  return heddle::linspace(start, stop, num, dtype, endpoint, detail::in(s));
}
inline array linspace(double start, double stop, int num = 50, Dtype dtype = float32,
                      StreamOrDevice s = {}) {
  return heddle::linspace(start, stop, num, dtype, true, detail::in(s));
}
template <std::integral A, std::integral B>
array linspace(A start, B stop, int num, bool endpoint, Dtype dtype = float32,
               StreamOrDevice s = {}) {
  return heddle::linspace(start, stop, num, dtype, endpoint, detail::in(s));
}
template <std::integral A, std::integral B>
array linspace(A start, B stop, int num = 50, Dtype dtype = float32, StreamOrDevice s = {}) {
  return heddle::linspace(start, stop, num, dtype, true, detail::in(s));
}
inline array zeros(const Shape& shape, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::zeros(detail::in(shape), dtype, detail::in(s));
}
inline array zeros(const Shape& shape, StreamOrDevice s = {}) { return zeros(shape, float32, s); }
inline array zeros_like(const array& a, StreamOrDevice s = {}) {
  return heddle::zeros_like(a, detail::in(s));
}
inline array zeros_like(const array& a, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::full_like(a, heddle::Array(0), dtype, detail::in(s));
}
inline array ones(const Shape& shape, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::ones(detail::in(shape), dtype, detail::in(s));
}
inline array ones(const Shape& shape, StreamOrDevice s = {}) { return ones(shape, float32, s); }
inline array ones_like(const array& a, StreamOrDevice s = {}) {
  return heddle::ones_like(a, detail::in(s));
}
inline array ones_like(const array& a, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::full_like(a, heddle::Array(1), dtype, detail::in(s));
}
inline array full(Shape shape, array vals, Dtype dtype, StreamOrDevice s = {}) {
  return detail::apart(heddle::full(detail::in(shape), vals, dtype, detail::in(s)), vals, s);
}
inline array full(Shape shape, array vals, StreamOrDevice s = {}) {
  return detail::apart(heddle::full(detail::in(shape), vals, detail::in(s)), vals, s);
}
inline array full_like(const array& a, array vals, Dtype dtype, StreamOrDevice s = {}) {
  return detail::apart(heddle::full_like(a, vals, dtype, detail::in(s)), vals, s);
}
inline array full_like(const array& a, array vals, StreamOrDevice s = {}) {
  return detail::apart(heddle::full_like(a, vals, detail::in(s)), vals, s);
}
inline array eye(int n, int m, int k, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::eye(n, m, k, dtype, detail::in(s));
}
inline array eye(int n, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::eye(n, dtype, detail::in(s));
}
inline array eye(int n, int m, StreamOrDevice s = {}) { return eye(n, m, 0, float32, s); }
inline array eye(int n, int m, int k, StreamOrDevice s = {}) { return eye(n, m, k, float32, s); }
inline array eye(int n, StreamOrDevice s = {}) { return eye(n, n, 0, float32, s); }
inline array identity(int n, Dtype dtype, StreamOrDevice s = {}) {
  return heddle::identity(n, dtype, detail::in(s));
}
inline array identity(int n, StreamOrDevice s = {}) { return identity(n, float32, s); }
inline array tri(int n, int m, int k, Dtype type, StreamOrDevice s = {}) {
  return heddle::tri(n, m, k, type, detail::in(s));
}
inline array tri(int n, Dtype type, StreamOrDevice s = {}) { return tri(n, n, 0, type, s); }
inline array tril(array x, int k = 0, StreamOrDevice s = {}) {
  return heddle::tril(x, k, detail::in(s));
}
inline array triu(array x, int k = 0, StreamOrDevice s = {}) {
  return heddle::triu(x, k, detail::in(s));
}
inline array hanning(int M, StreamOrDevice s = {}) { return heddle::hanning(M, detail::in(s)); }
inline array hamming(int M, StreamOrDevice s = {}) { return heddle::hamming(M, detail::in(s)); }
inline array bartlett(int M, StreamOrDevice s = {}) { return heddle::bartlett(M, detail::in(s)); }
inline array blackman(int M, StreamOrDevice s = {}) { return heddle::blackman(M, detail::in(s)); }
inline array number_of_elements(const array& a, std::vector<int> axes, bool inverted,
                                Dtype dtype = int32, StreamOrDevice s = {}) {
  return heddle::number_of_elements(a, axes, inverted, dtype, detail::in(s));
}
inline std::vector<array> meshgrid(const std::vector<array>& arrays, bool sparse = false,
                                   const std::string& indexing = "xy", StreamOrDevice s = {}) {
  return detail::out(heddle::meshgrid(detail::in(arrays), sparse, indexing, detail::in(s)));
}

template <class T>
  requires(!is_array_v<T>)
array full(Shape shape, T val, Dtype dtype, StreamOrDevice s = {}) {
  return full(std::move(shape), array(val, dtype), dtype, s);
}
template <class T>
  requires(!is_array_v<T>)
array full(Shape shape, T val, StreamOrDevice s = {}) {
  return full(std::move(shape), array(val), s);
}
template <class T>
  requires(!is_array_v<T>)
array full_like(const array& a, T val, Dtype dtype, StreamOrDevice s = {}) {
  return full_like(a, array(val, dtype), dtype, s);
}
template <class T>
  requires(!is_array_v<T>)
array full_like(const array& a, T val, StreamOrDevice s = {}) {
  return full_like(a, array(val, a.dtype()), s);
}

}  // namespace mlx::core
