// Singular values and vectors.
#include "cpu/linalg.h"
#include "ops/linalg.h"

namespace heddle::cpu {
namespace {

template <class T>
void fill_identity(Node& out) {
  const int64_t n = out.shape.back();
  T* values = reinterpret_cast<T*>(out.data);
  std::fill_n(values, out.size(), T(0));
  for (int64_t i = 0; i < out.size(); i++) {
    if (i % (n * n) / n == i % n) values[i] = T(1);
  }
}

// LAPACK sees the transpose of each matrix: what it calls u is vt here, and the other way round.
template <class T>
void decompose(const Work& w, bool vectors) {
  const MatrixStack a(w.input(0));
  const int64_t m = a.rows, n = a.columns, k = std::min(m, n);
  for (Node* out : w.outputs) out->allocate_dense();
  if (k == 0) {
    for (Node* out : w.outputs) {
      if (vectors && out->size() > 0) fill_identity<T>(*out);
    }
    return;
  }
  auto* s = reinterpret_cast<lapack::Real<T>*>(w.output(vectors ? 1 : 0).data);
  T* u = vectors ? reinterpret_cast<T*>(w.output(0).data) : nullptr;
  T* vt = vectors ? reinterpret_cast<T*>(w.output(2).data) : nullptr;
  const double operations = (vectors ? 10.0 : 3.0) * static_cast<double>(m * n * k);
  lapack::for_each_matrix(a.count, operations, [&](int64_t i) {
    T* matrix = a.template matrix<T>(i);
    if (!all_finite(matrix, m * n)) {
      throw std::runtime_error("[svd] The matrix has an element that is NaN or infinite.");
    }
    const int info = lapack::svd(n, m, matrix, s + i * k, vectors ? vt + i * n * n : nullptr,
                                 vectors ? u + i * m * m : nullptr,
                                 vectors ? lapack::Vectors::all : lapack::Vectors::none);
    if (info != 0) {
      throw std::runtime_error(
          fmt::format("[svd] The decomposition did not converge (LAPACK's code {}).", info));
    }
  });
}

const RegisterKernel<SVD> svd_kernel([](const Work& w) {
  visit_lapack_dtype(w.input(0).dtype, [&](auto tag) {
    decompose<typename decltype(tag)::type>(w, op_of<SVD>(w).compute_uv);
  });
});

}  // namespace
}  // namespace heddle::cpu
