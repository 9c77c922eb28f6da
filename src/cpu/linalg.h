// What the kernels of linear algebra share: stacks of matrices as LAPACK wants them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "cpu/kernel.h"
#include "cpu/lapack.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// Calls f(TypeTag<T>{}) for the dtypes that LAPACK knows; the op has refused others.
template <class F>
void visit_lapack_dtype(Dtype t, F&& f) {
  if (t == Dtype::float64) return f(TypeTag<double>{});
  if (t == Dtype::complex64) return f(TypeTag<complex64_t>{});
  f(TypeTag<float>{});
}

// A stack of matrices copied for LAPACK to overwrite. Row-major unless `column_major`: row-major
// memory is the transpose in LAPACK's eyes.
class MatrixStack {
 public:
  explicit MatrixStack(const Node& node, bool column_major = false)
      : rows(node.shape[node.shape.size() - 2]),
        columns(node.shape.back()),
        count(rows * columns == 0 ? 0 : node.size() / (rows * columns)),
        memory_(allocate(node.nbytes())) {
    View from = node.view();
    if (column_major) {
      std::swap(from.shape[from.shape.size() - 2], from.shape.back());
      std::swap(from.strides[from.strides.size() - 2], from.strides.back());
    }
    if (from.size() == 0) return;
    tile::copy(from, View{memory_->data, node.dtype, from.shape, row_major_strides(from.shape)});
  }

  const int64_t rows, columns, count;  // count is 0 if the matrices are empty

  template <class T>
  T* matrix(int64_t i) const {
    return reinterpret_cast<T*>(memory_->data) + i * rows * columns;
  }
  const BufferRef& memory() const { return memory_; }

 private:
  BufferRef memory_;
};

// Strides of matrices of `shape` stored column by column.
inline Strides column_major_strides(Shape shape) {
  std::swap(shape[shape.size() - 2], shape.back());
  Strides strides = row_major_strides(shape);
  std::swap(strides[strides.size() - 2], strides.back());
  return strides;
}

// Room for what a factorization leaves beside the matrix.
template <class T>
std::unique_ptr<T[]> array_of(int64_t n) {
  return std::make_unique_for_overwrite<T[]>(static_cast<size_t>(n));
}

template <class T>
bool all_finite(const T* values, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (!std::isfinite(std::real(values[i])) || !std::isfinite(std::imag(values[i]))) return false;
  }
  return true;
}

template <class T>
bool any_nan(const T* values, int64_t n) {
  return std::any_of(values, values + n, [](const T& x) { return x != x; });
}

template <class T>
void fill_nan(T* values, int64_t n) {
  using R = lapack::Real<T>;
  T nan(std::numeric_limits<R>::quiet_NaN());
  if constexpr (!std::is_same_v<T, R>) nan = T(nan.real(), nan.real());
  std::fill_n(values, n, nan);
}

}  // namespace heddle::cpu
