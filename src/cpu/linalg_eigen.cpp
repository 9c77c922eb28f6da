// Eigenvalues and eigenvectors. A matrix with elements that are not finite, on which LAPACK's
// iterations need not end, has NaN for all results.
#include <fmt/format.h>

#include "cpu/linalg.h"
#include "ops/linalg.h"

namespace heddle::cpu {
namespace {

double cube(int64_t n) { return std::pow(static_cast<double>(n), 3); }

void require_converged(const char* op, int info) {
  if (info != 0) {
    throw std::runtime_error(
        fmt::format("[{}] The iteration did not converge (LAPACK's code {}).", op, info));
  }
}

// Column-major memory of a Hermitian matrix has its lower triangle where it is.
template <class T>
bool triangle_finite(const T* a, int64_t n, bool upper) {
  for (int64_t j = 0; j < n; j++) {
    if (!(upper ? all_finite(a + j * n, j + 1) : all_finite(a + j * n + j, n - j))) return false;
  }
  return true;
}

const RegisterKernel<Eigh> eigh([](const Work& w) {
  const auto& op = op_of<Eigh>(w);
  const MatrixStack a(w.input(0), true);
  const int64_t n = a.rows;
  w.output(0).allocate_dense();
  visit_lapack_dtype(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* values = reinterpret_cast<lapack::Real<T>*>(w.output(0).data);
    lapack::for_each_matrix(a.count, (op.vectors ? 9 : 3) * cube(n), [&](int64_t i) {
      T* matrix = a.matrix<T>(i);
      if (!triangle_finite(matrix, n, op.upper)) {
        fill_nan(values + i * n, n);
        fill_nan(matrix, n * n);
        return;
      }
      require_converged("eigh", lapack::eigh(op.upper, n, matrix, values + i * n, op.vectors));
    });
  });
  if (op.vectors) w.output(1).set_data(a.memory(), column_major_strides(w.output(1).shape));
});

// LAPACK's real vectors of one matrix (n columns) as complex ones, row-major.
template <class T>
void unpack(int64_t n, const T* imaginary, const T* v, complex64_t* out) {
  auto put = [&](int64_t column, const T* real_part, const T* imaginary_part, float sign) {
    for (int64_t r = 0; r < n; r++) {
      out[r * n + column] =
          complex64_t(static_cast<float>(real_part[r]),
                      imaginary_part ? sign * static_cast<float>(imaginary_part[r]) : 0.0f);
    }
  };
  for (int64_t j = 0; j < n; j++) {
    const T* column = v + j * n;
    if (imaginary[j] == 0 || j + 1 == n) {
      put(j, column, nullptr, 1);
    } else {
      put(j, column, column + n, 1);
      put(j + 1, column, column + n, -1);
      j++;
    }
  }
}

template <class T>
void eigen(int64_t n, T* a, complex64_t* values, complex64_t* vectors) {
  auto w = array_of<T>(n), imaginary = array_of<T>(n), v = array_of<T>(vectors ? n * n : 0);
  T* right = vectors ? v.get() : nullptr;
  require_converged("eig", lapack::eig(n, a, w.get(), imaginary.get(), right));
  if constexpr (std::is_same_v<T, complex64_t>) {
    std::copy_n(w.get(), n, values);
    for (int64_t k = 0; vectors && k < n * n; k++) vectors[k] = v[k % n * n + k / n];
  } else {
    for (int64_t j = 0; j < n; j++) {
      values[j] = complex64_t(static_cast<float>(w[j]), static_cast<float>(imaginary[j]));
    }
    if (vectors) unpack(n, imaginary.get(), v.get(), vectors);
  }
}

const RegisterKernel<Eig> eig([](const Work& w) {
  const bool with_vectors = op_of<Eig>(w).vectors;
  const MatrixStack a(w.input(0), true);
  const int64_t n = a.rows;
  for (Node* out : w.outputs) out->allocate_dense();
  auto* values = reinterpret_cast<complex64_t*>(w.output(0).data);
  auto* vectors = with_vectors ? reinterpret_cast<complex64_t*>(w.output(1).data) : nullptr;
  visit_lapack_dtype(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    lapack::for_each_matrix(a.count, (with_vectors ? 25 : 10) * cube(n), [&](int64_t i) {
      complex64_t* own = vectors ? vectors + i * n * n : nullptr;
      if (!all_finite(a.matrix<T>(i), n * n)) {
        fill_nan(values + i * n, n);
        if (own) fill_nan(own, n * n);
        return;
      }
      eigen(n, a.matrix<T>(i), values + i * n, own);
    });
  });
});

}  // namespace
}  // namespace heddle::cpu
