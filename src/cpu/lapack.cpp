#include "cpu/lapack.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

namespace heddle::cpu::lapack {
namespace {

// The wheel scipy-openblas32 names its library so and puts a prefix before its functions, which
// take 32-bit integers. The dynamic loader looks where this binary's run path says.
constexpr const char* library_name = "libscipy_openblas.so";
constexpr const char* prefix = "scipy_";

void* find(void* library, const std::string& name) {
  void* found = dlsym(library, (prefix + name).c_str());
  if (!found) {
    throw std::runtime_error(
        fmt::format("[linalg] OpenBLAS ({}) has no function {}.", library_name, name));
  }
  return found;
}

using SetThreads = void (*)(int);

void* library() {
  static void* const handle = [] {
    void* opened = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (!opened) {
      throw std::runtime_error(
          fmt::format("[linalg] OpenBLAS could not be loaded: {}.", dlerror()));
    }
    reinterpret_cast<SetThreads>(find(opened, "openblas_set_num_threads"))(1);
    return opened;
  }();
  return handle;
}

void set_threads(int n) {
  static const auto set = reinterpret_cast<SetThreads>(find(library(), "openblas_set_num_threads"));
  set(n);
}

template <class T>
constexpr char letter = std::is_same_v<T, float>    ? 's'
                        : std::is_same_v<T, double> ? 'd'
                                                    : 'c';

// A Fortran routine: everything by pointer, the lengths of texts at the end.
template <class T, class... Arguments>
class Routine {
 public:
  explicit Routine(const char* name)
      : call_(reinterpret_cast<Call>(find(library(), fmt::format("{}{}_", letter<T>, name)))) {}
  void operator()(Arguments... arguments) const { call_(arguments...); }

 private:
  using Call = void (*)(Arguments...);
  Call call_;
};

template <class T>
std::unique_ptr<T[]> workspace(int64_t size) {
  return std::make_unique_for_overwrite<T[]>(static_cast<size_t>(std::max<int64_t>(size, 1)));
}

// Before LAPACK computes with 32-bit integers.
void require_small(const char* op, double elements) {
  if (elements > std::numeric_limits<int>::max()) {
    throw std::runtime_error(fmt::format(
        "[{}] The matrix is too large: LAPACK would need a workspace of {:.3g} elements.", op,
        elements));
  }
}

// What a call with lwork = -1 left in the first element of the workspace. As a float it may have
// been rounded down.
template <class T>
int asked_for(const T& first) {
  const auto size = static_cast<double>(std::real(first));
  return static_cast<int>(size * (sizeof(Real<T>) == 4 ? 1.000001 : 1)) + 1;
}

}  // namespace

Threads::Threads() { set_threads(num_threads()); }
Threads::~Threads() { set_threads(1); }

template <class T>
int svd(int64_t rows, int64_t columns, T* a, Real<T>* s, T* u, T* vt, bool vectors) {
  const int m = static_cast<int>(rows), n = static_cast<int>(columns);
  const int k = std::min(m, n), larger = std::max(m, n);
  const char job = vectors ? 'A' : 'N';
  const int ldu = vectors ? m : 1, ldvt = vectors ? n : 1;
  require_small("svd", 6.0 * k * k + 200.0 * larger);
  auto integers = workspace<int>(8 * int64_t{k});
  int lwork = -1, info = 0;
  T first{};
  if constexpr (std::is_same_v<T, complex64_t>) {
    static const Routine<T, const char*, const int*, const int*, T*, const int*, float*, T*,
                         const int*, T*, const int*, T*, const int*, float*, int*, int*, size_t>
        gesdd("gesdd");
    auto reals =
        workspace<float>(vectors ? std::max(5 * int64_t{k} * k + 5 * k,
                                            2 * int64_t{larger} * k + 2 * int64_t{k} * k + k)
                                 : 7 * int64_t{k});
    auto run = [&](T* work) {
      gesdd(&job, &m, &n, a, &m, s, u, &ldu, vt, &ldvt, work, &lwork, reals.get(), integers.get(),
            &info, 1);
    };
    run(&first);
    lwork = asked_for(first);
    run(workspace<T>(lwork).get());
  } else {
    static const Routine<T, const char*, const int*, const int*, T*, const int*, T*, T*, const int*,
                         T*, const int*, T*, const int*, int*, int*, size_t>
        gesdd("gesdd");
    auto run = [&](T* work) {
      gesdd(&job, &m, &n, a, &m, s, u, &ldu, vt, &ldvt, work, &lwork, integers.get(), &info, 1);
    };
    run(&first);
    lwork = asked_for(first);
    run(workspace<T>(lwork).get());
  }
  return info;
}

template int svd(int64_t, int64_t, float*, float*, float*, float*, bool);
template int svd(int64_t, int64_t, double*, double*, double*, double*, bool);
template int svd(int64_t, int64_t, complex64_t*, float*, complex64_t*, complex64_t*, bool);

}  // namespace heddle::cpu::lapack
