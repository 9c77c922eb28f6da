// The one place that knows OpenBLAS. Its library is loaded when the first function is called: it is
// 25 MB and starts a thread pool, which programs without linear algebra shall not pay for.
//
// Matrices are dense and column-major, so memory that is row-major holds the transpose. Functions
// work in place on what the caller gives and return LAPACK's code: 0, or positive where the
// computation failed as each one says. T is float, double or complex64_t.
// Thread-safe. Calls run on the calling thread alone, except inside for_each_matrix. Throws
// std::runtime_error if the library cannot be loaded, or for a matrix whose workspace would have
// 2^31 elements or more; OutOfMemoryError where there is no memory for OpenBLAS's own.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/threads.h"
#include "heddle/dtype.h"

namespace heddle::cpu::lapack {

template <class T>
using Real = std::conditional_t<std::is_same_v<T, complex64_t>, float, T>;

enum class Vectors { none, thin, all };

// a (m, n) = u diag(s) vt with the k = min(m, n) values s descending; u is (m, m), vt (n, n), or
// thin: (m, k) and (k, n). a is overwritten. Divide and conquer; positive if that did not converge.
// The elements must be finite.
template <class T>
int svd(int64_t m, int64_t n, T* a, Real<T>* s, T* u, T* vt, Vectors vectors);

// a (m, n) = P L U in place, L with a unit diagonal; row i was exchanged with row pivots[i] - 1,
// for i from 0. Positive: the 1-based place of a zero on the diagonal of U.
template <class T>
int lu(int64_t m, int64_t n, T* a, int* pivots);

// a (n, n) by its inverse. Positive: it is singular.
template <class T>
int invert(int64_t n, T* a);

// b (n, k) by the solution of a x = b; a by its LU factors. Positive: a is singular.
template <class T>
int solve(int64_t n, int64_t k, T* a, T* b);

// b (n, k) by the solution of a x = b, or of the transpose of a, where only one triangle of a is
// looked at. Positive: the 1-based place of a zero on the diagonal.
template <class T>
int solve_triangular(bool upper, bool transpose, int64_t n, int64_t k, const T* a, T* b);

// One triangle of a (n, n) by its factor, U^T U or L L^T; the other one is not looked at. Positive:
// the 1-based place where it turned out not to be positive definite. For real T.
template <class T>
int cholesky(bool upper, int64_t n, T* a);

// a (m, n) by R in its upper triangle and reflections, scaled by tau (k = min(m, n)), below. Then
// the first k columns of a by those of Q. For real T.
template <class T>
void qr(int64_t m, int64_t n, T* a, T* tau);
template <class T>
void qr_columns(int64_t m, int64_t k, T* a, const T* tau);

// Eigenvalues in ascending order of a symmetric or Hermitian matrix, of which one triangle is
// looked at; a by its eigenvectors if they are asked for. The elements must be finite.
template <class T>
int eigh(bool upper, int64_t n, T* a, Real<T>* w, bool vectors);

// Eigenvalues and (unless null) right eigenvectors of norm 1; a is overwritten. A real matrix has
// its values in w and imaginary; of a complex pair v holds the real and the imaginary part of the
// first vector as neighbouring columns. A complex one does without `imaginary`. Elements must be
// finite.
template <class T>
int eig(int64_t n, T* a, T* w, T* imaginary, T* v);

// c (m, n) = op(a) op(b) over an inner dimension k.
template <class T>
void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a,
              const T* b, T* c);

// Lets OpenBLAS use one thread a call while it lives, or `all`: as many as heddle does, and it has
// cores. The number is one for the process: who wants all waits for the others, and they for it.
class Threads {
 public:
  explicit Threads(bool all);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  const bool all_;
};

// Calls f(i) for each of `count` matrices, on which it spends about `operations` operations. Large
// matrices take turns, each with all threads; small ones are shared out, one thread for each. Which
// of the two depends on the size of a matrix alone, so that a matrix gives the same result in any
// stack.
template <class F>
void for_each_matrix(int64_t count, double operations, F&& f) {
  // OpenBLAS's threads meet after every few columns, spinning: beside two busy processes on two
  // cores, two threads took 172 ms for an LU of 1024 rows where one took 11, and 530 where one took
  // 370 for 3072 rows. Alone they save less than half of what one takes. So they are for what takes
  // some tenths of a second: from 1,710 rows for inverses, 2,150 for LU, 1,000 for singular
  // vectors.
  constexpr double worth_threads = 1e10;
  constexpr double worth_a_chunk = 2e5;
  const Threads threads(operations >= worth_threads);
  if (operations >= worth_threads) {
    for (int64_t i = 0; i < count; i++) f(i);
    return;
  }
  const auto grain = static_cast<int64_t>(worth_a_chunk / (operations + 1)) + 1;
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) f(i);
  });
}

}  // namespace heddle::cpu::lapack
