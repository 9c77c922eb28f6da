// Inverses, pseudo-inverses and systems of equations.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cpu/linalg.h"
#include "ops/linalg.h"

namespace heddle::cpu {
namespace {

double cube(int64_t n) { return std::pow(static_cast<double>(n), 3); }

[[noreturn]] void refuse_singular(const char* op) {
  throw std::runtime_error(fmt::format("[{}] The matrix is singular.", op));
}

// LAPACK inverts the transpose, which is the transpose of the inverse.
const RegisterKernel<Inverse> inverse([](const Work& w) {
  const MatrixStack a(w.input(0));
  visit_lapack_dtype(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, complex64_t>) {
      lapack::for_each_matrix(a.count, 2 * cube(a.rows), [&](int64_t i) {
        T* matrix = a.matrix<T>(i);
        if (!all_finite(matrix, a.rows * a.rows)) {
          fill_nan(matrix, a.rows * a.rows);  // LAPACK leaves some elements out
        } else if (lapack::invert(a.rows, matrix) != 0) {
          refuse_singular("inv");
        }
      });
    }
  });
  w.output().set_data(a.memory());
});

// Of the transpose b = u diag(s) vt, whose pseudo-inverse vt^T diag(1/s) u^T is the transpose of
// what is wanted.
template <class T>
void pseudo_inverse(const MatrixStack& a, T* out) {
  const int64_t m = a.columns, n = a.rows, k = std::min(m, n);  // of b
  const T negligible = static_cast<T>(10 * std::max(m, n)) * std::numeric_limits<T>::epsilon();
  const double operations = 12.0 * static_cast<double>(m * n * k);
  lapack::for_each_matrix(a.count, operations, [&](int64_t i) {
    T* b = a.matrix<T>(i);
    if (!all_finite(b, m * n)) {
      throw std::runtime_error("[pinv] The matrix has an element that is NaN or infinite.");
    }
    auto s = array_of<T>(k), u = array_of<T>(m * k), vt = array_of<T>(k * n);
    if (lapack::svd(m, n, b, s.get(), u.get(), vt.get(), lapack::Vectors::thin) != 0) {
      throw std::runtime_error("[pinv] The singular value decomposition did not converge.");
    }
    for (int64_t j = 0; j < k; j++) {
      const T scale = s[j] > negligible * s[0] ? 1 / s[j] : T(0);
      for (int64_t r = 0; r < m; r++) u[j * m + r] *= scale;
    }
    lapack::multiply(true, true, n, m, k, vt.get(), u.get(), out + i * m * n);
  });
}

const RegisterKernel<PseudoInverse> pinv([](const Work& w) {
  const MatrixStack a(w.input(0));
  Node& out = w.output();
  out.allocate_dense();
  visit_lapack_dtype(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, complex64_t>)
      pseudo_inverse(a, reinterpret_cast<T*>(out.data));
  });
});

const RegisterKernel<Solve> solve([](const Work& w) {
  const MatrixStack a(w.input(0), true), b(w.input(1), true);
  const double operations = cube(a.rows) + 2.0 * static_cast<double>(a.rows * b.rows * b.columns);
  visit_lapack_dtype(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    lapack::for_each_matrix(b.count, operations, [&](int64_t i) {
      if (any_nan(a.matrix<T>(i), b.rows * b.rows)) {
        fill_nan(b.matrix<T>(i), b.rows * b.columns);
      } else if (lapack::solve(b.rows, b.columns, a.matrix<T>(i), b.matrix<T>(i)) != 0) {
        refuse_singular("solve");
      }
    });
  });
  w.output().set_data(b.memory(), column_major_strides(w.output().shape));
});

const RegisterKernel<SolveTriangular> solve_triangular([](const Work& w) {
  const Dense a(w.input(0));
  const MatrixStack b(w.input(1), true);
  const bool upper = op_of<SolveTriangular>(w).upper;
  const double operations = static_cast<double>(b.rows * b.rows * b.columns);
  visit_lapack_dtype(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, complex64_t>) {
      lapack::for_each_matrix(b.count, operations, [&](int64_t i) {
        // Row-major memory is the transpose, which has the other triangle.
        const T* matrix = a.as<T>() + i * b.rows * b.rows;
        const int at =
            lapack::solve_triangular(!upper, true, b.rows, b.columns, matrix, b.matrix<T>(i));
        if (at != 0) {
          throw std::runtime_error(fmt::format(
              "[solve_triangular] The matrix is singular: element {} of its diagonal is 0.",
              at - 1));
        }
      });
    }
  });
  w.output().set_data(b.memory(), column_major_strides(w.output().shape));
});

}  // namespace
}  // namespace heddle::cpu
