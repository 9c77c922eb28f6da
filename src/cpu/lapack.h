// The one place that knows OpenBLAS. Its library is loaded when the first function is called: it is
// 25 MB and starts a thread pool, which programs without linear algebra shall not pay for.
//
// Matrices are dense and column-major, so memory that is row-major holds the transpose. Functions
// work in place on what the caller gives and return LAPACK's code: 0, or positive where the
// computation failed as each one says. T is float, double or complex64_t.
// Thread-safe. Calls run on the calling thread alone, except inside for_each_matrix. Throws
// std::runtime_error if the library cannot be loaded, or for a matrix whose workspace would have
// 2^31 elements or more.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/threads.h"
#include "heddle/dtype.h"

namespace heddle::cpu::lapack {

template <class T>
using Real = std::conditional_t<std::is_same_v<T, complex64_t>, float, T>;

// a (m, n) = u diag(s) vt with s descending; u is (m, m), vt (n, n). Without `vectors` only s is
// written. a is overwritten. Divide and conquer; positive if that did not converge. The elements
// must be finite.
template <class T>
int svd(int64_t m, int64_t n, T* a, Real<T>* s, T* u, T* vt, bool vectors);

// Lets OpenBLAS use as many threads as heddle does while it lives.
class Threads {
 public:
  Threads();
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

// Calls f(i) for each of `count` matrices, on which it spends about `operations` operations. Large
// matrices take turns, each with all threads; small ones are shared out, one thread for each. Which
// of the two depends on the size of a matrix alone, so that a matrix gives the same result in any
// stack.
template <class F>
void for_each_matrix(int64_t count, double operations, F&& f) {
  constexpr double worth_threads = 2e7;  // a product of 270 x 270 matrices
  constexpr double worth_a_chunk = 2e5;
  if (operations >= worth_threads) {
    const Threads threads;
    for (int64_t i = 0; i < count; i++) f(i);
    return;
  }
  const auto grain = static_cast<int64_t>(worth_a_chunk / (operations + 1)) + 1;
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) f(i);
  });
}

}  // namespace heddle::cpu::lapack
