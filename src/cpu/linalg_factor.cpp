// Cholesky, QR and LU factorizations, determinants.
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "cpu/linalg.h"
#include "ops/linalg.h"

namespace heddle::cpu {
namespace {

double product(int64_t a, int64_t b, int64_t c) {
  return static_cast<double>(a * b) * static_cast<double>(c);
}

// Calls f.operator()<T>() for float or double.
template <class F>
void visit_real(Dtype t, F&& f) {
  if (t == Dtype::float64) {
    f(TypeTag<double>{});
  } else {
    f(TypeTag<float>{});
  }
}

// ---------------------------------------------------------------------------------------------
// Cholesky

// What LAPACK gives up on: a matrix that is not positive definite. Row-major, in place. If it is
// semi-definite, a = v w v^T = b^T b with b = sqrt(w) v^T, and R of b's QR is the factor.
template <class T>
void semidefinite(T* a, int64_t n, bool upper) {
  const auto refuse = [&] { fill_nan(a, n * n); };
  for (int64_t i = 0; i < n; i++) {
    const bool finite = upper ? all_finite(a + i * n + i, n - i) : all_finite(a + i * n, i + 1);
    if (!finite) return refuse();
  }
  auto w = array_of<T>(n), b = array_of<T>(n * n), tau = array_of<T>(n);
  if (lapack::eigh(!upper, n, a, w.get(), true) != 0) return refuse();
  const T negligible = 10 * static_cast<T>(n) * std::numeric_limits<T>::epsilon() *
                       std::max(std::abs(w[0]), std::abs(w[n - 1]));
  if (w[0] < -negligible) return refuse();
  for (int64_t i = 0; i < n; i++) {
    const T root = w[i] > negligible ? std::sqrt(w[i]) : T(0);
    for (int64_t j = 0; j < n; j++) b[j * n + i] = root * a[i * n + j];
  }
  lapack::qr(n, n, b.get(), tau.get());
  for (int64_t i = 0; i < n; i++) {
    const T sign = b[i * n + i] < 0 ? T(-1) : T(1);
    for (int64_t j = i; j < n; j++) (upper ? a[i * n + j] : a[j * n + i]) = sign * b[j * n + i];
  }
}

template <class T>
void clear_other_triangle(T* a, int64_t n, bool upper) {
  for (int64_t i = 0; i < n; i++) {
    if (upper) {
      std::fill(a + i * n, a + i * n + i, T(0));
    } else {
      std::fill(a + i * n + i + 1, a + (i + 1) * n, T(0));
    }
  }
}

const RegisterKernel<Cholesky> cholesky([](const Work& w) {
  const MatrixStack a(w.input(0));
  const int64_t n = a.rows;
  const bool upper = op_of<Cholesky>(w).upper;
  visit_real(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<char> failed(static_cast<size_t>(a.count));
    lapack::for_each_matrix(a.count, product(n, n, n) / 3, [&](int64_t i) {
      // The lower triangle of row-major memory is the upper one in LAPACK's eyes.
      failed[static_cast<size_t>(i)] = lapack::cholesky(!upper, n, a.matrix<T>(i)) != 0;
    });
    if (std::find(failed.begin(), failed.end(), 1) != failed.end()) {
      const MatrixStack again(w.input(0));
      for (int64_t i = 0; i < a.count; i++) {
        if (!failed[static_cast<size_t>(i)]) continue;
        std::copy_n(again.matrix<T>(i), n * n, a.matrix<T>(i));
        semidefinite(a.matrix<T>(i), n, upper);
      }
    }
    for (int64_t i = 0; i < a.count; i++) clear_other_triangle(a.matrix<T>(i), n, upper);
  });
  w.output().set_data(a.memory());
});

// ---------------------------------------------------------------------------------------------
// QR

const RegisterKernel<QR> qr([](const Work& w) {
  const MatrixStack a(w.input(0), true);
  const int64_t m = a.rows, n = a.columns, k = std::min(m, n);
  Node &q = w.output(0), &r = w.output(1);
  r.allocate_dense();
  visit_real(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* upper = reinterpret_cast<T*>(r.data);
    if (a.count == 0) std::fill_n(upper, r.size(), T(0));
    lapack::for_each_matrix(a.count, 4 * product(m, n, k), [&](int64_t i) {
      T* matrix = a.matrix<T>(i);
      auto tau = array_of<T>(k);
      const bool finite = all_finite(matrix, m * n);
      if (finite) {
        lapack::qr(m, n, matrix, tau.get());
      } else {
        fill_nan(matrix, m * n);  // LAPACK leaves some elements out
      }
      for (int64_t row = 0; row < k; row++) {
        for (int64_t column = 0; column < n; column++) {
          upper[(i * k + row) * n + column] = column < row ? T(0) : matrix[column * m + row];
        }
      }
      if (finite) lapack::qr_columns(m, k, matrix, tau.get());
    });
  });
  // The columns of q are the first ones of each matrix.
  q.set_data(a.memory(), column_major_strides(w.input(0).shape));
});

// ---------------------------------------------------------------------------------------------
// LU

const RegisterKernel<LU> lu([](const Work& w) {
  const MatrixStack a(w.input(0), true);
  const int64_t m = a.rows, n = a.columns, k = std::min(m, n);
  w.output(1).allocate_dense();
  w.output(2).allocate_dense();
  auto* pivots = reinterpret_cast<uint32_t*>(w.output(1).data);
  auto* places = reinterpret_cast<uint32_t*>(w.output(2).data);
  if (a.count == 0) {
    for (int64_t i = 0; i < w.output(2).size(); i++) places[i] = static_cast<uint32_t>(i % m);
  }
  visit_real(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    lapack::for_each_matrix(a.count, product(m, n, k), [&](int64_t i) {
      auto exchanged = array_of<int>(k);
      if (all_finite(a.matrix<T>(i), m * n)) {
        lapack::lu(m, n, a.matrix<T>(i), exchanged.get());
      } else {
        fill_nan(a.matrix<T>(i), m * n);
        std::iota(exchanged.get(), exchanged.get() + k, 1);
      }
      std::vector<uint32_t> order(static_cast<size_t>(m));  // of the rows of L U
      std::iota(order.begin(), order.end(), 0u);
      for (int64_t j = 0; j < k; j++) {
        const int with = exchanged[j] - 1;
        pivots[i * k + j] = static_cast<uint32_t>(with);
        std::swap(order[static_cast<size_t>(j)], order[static_cast<size_t>(with)]);
      }
      for (int64_t j = 0; j < m; j++) {
        places[i * m + order[static_cast<size_t>(j)]] = static_cast<uint32_t>(j);
      }
    });
  });
  w.output(0).set_data(a.memory(), column_major_strides(w.output(0).shape));
});

// ---------------------------------------------------------------------------------------------
// Determinants. That of the transpose, which row-major memory is, is the same.

// Calls f(i, sign, begin) for each matrix, where `begin` is the first of its n pivots (n + 1
// elements apart) and `sign` that of the row exchanges.
template <class T, class F>
void with_pivots(const MatrixStack& a, F&& f) {
  const int64_t n = a.rows;
  lapack::for_each_matrix(a.count, product(n, n, n), [&](int64_t i) {
    auto exchanged = array_of<int>(n);
    if (any_nan(a.matrix<T>(i), n * n)) {
      fill_nan(a.matrix<T>(i), n * n);
      std::iota(exchanged.get(), exchanged.get() + n, 1);
    } else {
      lapack::lu(n, n, a.matrix<T>(i), exchanged.get());
    }
    T sign(1);
    for (int64_t j = 0; j < n; j++) sign = exchanged[j] - 1 == j ? sign : -sign;
    f(i, sign, a.matrix<T>(i));
  });
}

const RegisterKernel<Det> det([](const Work& w) {
  const MatrixStack a(w.input(0));
  w.output().allocate_dense();
  visit_real(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = reinterpret_cast<T*>(w.output().data);
    if (a.rows == 0) std::fill_n(out, w.output().size(), T(1));
    with_pivots<T>(a, [&](int64_t i, T sign, const T* pivot) {
      double value = sign;
      for (int64_t j = 0; j < a.rows; j++) value *= pivot[j * (a.rows + 1)];
      out[i] = static_cast<T>(value);
    });
  });
});

const RegisterKernel<SLogDet> slogdet([](const Work& w) {
  const MatrixStack a(w.input(0));
  w.output(0).allocate_dense();
  w.output(1).allocate_dense();
  visit_real(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* signs = reinterpret_cast<T*>(w.output(0).data);
    T* logarithms = reinterpret_cast<T*>(w.output(1).data);
    if (a.rows == 0) {
      std::fill_n(signs, w.output(0).size(), T(1));
      std::fill_n(logarithms, w.output(1).size(), T(0));
    }
    with_pivots<T>(a, [&](int64_t i, T sign, const T* pivot) {
      double total = 0;
      for (int64_t j = 0; j < a.rows; j++) {
        const T p = pivot[j * (a.rows + 1)];
        sign *= p == p ? static_cast<T>((p > 0) - (p < 0)) : p;
        total += std::log(std::abs(static_cast<double>(p)));
      }
      signs[i] = sign;
      logarithms[i] = static_cast<T>(total);
    });
  });
});

template <class T>
T determinant_sign(int64_t n, const T* a) {
  auto copy = array_of<T>(n * n);
  std::copy_n(a, n * n, copy.get());
  auto exchanged = array_of<int>(n);
  lapack::lu(n, n, copy.get(), exchanged.get());
  T sign(1);
  for (int64_t j = 0; j < n; j++) {
    if ((exchanged[j] - 1 != j) != (copy[j * (n + 1)] < 0)) sign = -sign;
  }
  return sign;
}

// With a = u diag(s) vt they are det(u) det(vt) u diag(products of the other s) vt.
const RegisterKernel<Cofactors> cofactors([](const Work& w) {
  const MatrixStack a(w.input(0));
  const int64_t n = a.rows;
  w.output().allocate_dense();
  visit_real(w.input(0).dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = reinterpret_cast<T*>(w.output().data);
    lapack::for_each_matrix(a.count, 14 * product(n, n, n), [&](int64_t i) {
      T* result = out + i * n * n;
      if (!all_finite(a.matrix<T>(i), n * n)) {
        std::fill_n(result, n * n, std::numeric_limits<T>::quiet_NaN());
        return;
      }
      auto s = array_of<T>(n), u = array_of<T>(n * n), vt = array_of<T>(n * n);
      if (lapack::svd(n, n, a.matrix<T>(i), s.get(), u.get(), vt.get(), lapack::Vectors::all) !=
          0) {
        throw std::runtime_error("[det] The singular value decomposition did not converge.");
      }
      const T sign = determinant_sign(n, u.get()) * determinant_sign(n, vt.get());
      for (int64_t j = 0; j < n; j++) {
        double others = sign;
        for (int64_t k = 0; k < n; k++) others *= k == j ? 1.0 : static_cast<double>(s[k]);
        for (int64_t r = 0; r < n; r++) u[j * n + r] *= static_cast<T>(others);
      }
      lapack::multiply(false, false, n, n, n, u.get(), vt.get(), result);
    });
  });
});

}  // namespace
}  // namespace heddle::cpu
