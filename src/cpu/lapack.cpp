#include "cpu/lapack.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>

#include "core/limits.h"
#include "heddle/memory.h"

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

// Where the system refuses it memory or threads, OpenBLAS ends the process. So it is asked for
// them first: for what loading takes, and for the buffer that each call of a routine needs while it
// runs. OpenBLAS keeps buffers, as many as there were calls at a time.
constexpr size_t library_bytes = size_t{40} << 20;
constexpr size_t buffer_bytes = size_t{40} << 20;  // 32 MiB, and some room
constexpr size_t heap_bytes = size_t{64} << 20;  // that malloc reserves for each thread, if it can

void require_memory(size_t bytes) {
  if (can_map(bytes)) return;
  throw OutOfMemoryError(fmt::format(
      "[linalg] Unable to allocate the {} MiB that OpenBLAS needs to start.", bytes >> 20));
}

// The threads that OpenBLAS starts when it is loaded, itself included.
int threads_at_start() {
  int threads = available_cores();
  for (const char* name : {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    const int n = text ? std::atoi(text) : 0;
    if (n > 0) return std::min(n, threads);
  }
  return threads;
}

using SetThreads = void (*)(int);
using GetThreads = int (*)();

struct Library {
  void* handle;
  SetThreads set_threads;
  int most_threads;  // that it has started

  Library() {
    const int threads = threads_at_start();
    require_memory(library_bytes + (buffer_bytes + heap_bytes) * static_cast<size_t>(threads));
    if (startable_threads(threads - 1) < threads - 1) {
      throw OutOfMemoryError(fmt::format(
          "[linalg] OpenBLAS wants {} threads, which the system refuses; OPENBLAS_NUM_THREADS=1 "
          "in the environment makes it do without.",
          threads - 1));
    }
    handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      throw std::runtime_error(
          fmt::format("[linalg] OpenBLAS could not be loaded: {}.", dlerror()));
    }
    set_threads = reinterpret_cast<SetThreads>(find(handle, "openblas_set_num_threads"));
    most_threads = reinterpret_cast<GetThreads>(find(handle, "openblas_get_num_threads"))();
    set_threads(1);
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

// Around a call of a routine: makes sure that there is a buffer for it.
class InUse {
 public:
  InUse() {
    const int now = 1 + users_.fetch_add(1);
    if (now <= buffers_.load()) return;
    std::lock_guard<std::mutex> lock(mutex_);
    if (now > buffers_ && !can_map(buffer_bytes)) {
      users_.fetch_sub(1);
      require_memory(buffer_bytes);
    }
    buffers_ = std::max(now, buffers_.load());
  }
  ~InUse() { users_.fetch_sub(1); }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  static inline std::mutex mutex_;
  static inline std::atomic<int> users_{0};
  static inline std::atomic<int> buffers_{1};  // one comes with the library
};

template <class T>
constexpr char letter = std::is_same_v<T, float>    ? 's'
                        : std::is_same_v<T, double> ? 'd'
                                                    : 'c';

// A Fortran routine: everything by pointer, the lengths of texts at the end.
template <class T, class... Arguments>
class Routine {
 public:
  explicit Routine(const char* name)
      : call_(
            reinterpret_cast<Call>(find(library().handle, fmt::format("{}{}_", letter<T>, name)))) {
  }
  void operator()(Arguments... arguments) const {
    const InUse in_use;
    call_(arguments...);
  }

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
  const double size = std::real(first) * (sizeof(Real<T>) == 4 ? 1.000001 : 1.0) + 1;
  return static_cast<int>(std::min<double>(size, std::numeric_limits<int>::max()));
}

// Runs f(work, &size, &info) twice: to learn the size of the workspace, and with one.
template <class T, class F>
int with_workspace(F&& f) {
  int size = -1, info = 0;
  T first{};
  f(&first, &size, &info);
  size = asked_for(first);
  f(workspace<T>(size).get(), &size, &info);
  return info;
}

}  // namespace

namespace {

std::shared_mutex& number_of_threads() {
  static auto* m = new std::shared_mutex;
  return *m;
}

}  // namespace

Threads::Threads(bool all) : all_(all) {
  if (!all) {
    number_of_threads().lock_shared();
    return;
  }
  const Library& openblas = library();
  number_of_threads().lock();
  openblas.set_threads(std::min(num_threads(), openblas.most_threads));
}
Threads::~Threads() {
  if (!all_) {
    number_of_threads().unlock_shared();
    return;
  }
  library().set_threads(1);
  number_of_threads().unlock();
}

template <class T>
int svd(int64_t rows, int64_t columns, T* a, Real<T>* s, T* u, T* vt, Vectors vectors) {
  const int m = static_cast<int>(rows), n = static_cast<int>(columns);
  const int k = std::min(m, n), larger = std::max(m, n);
  const char job = vectors == Vectors::none ? 'N' : vectors == Vectors::thin ? 'S' : 'A';
  const int ldu = vectors == Vectors::none ? 1 : m;
  const int ldvt = vectors == Vectors::none ? 1 : vectors == Vectors::thin ? k : n;
  require_small("svd", 6.0 * k * k + 200.0 * larger);
  auto integers = workspace<int>(8 * int64_t{k});
  if constexpr (std::is_same_v<T, complex64_t>) {
    static const Routine<T, const char*, const int*, const int*, T*, const int*, float*, T*,
                         const int*, T*, const int*, T*, const int*, float*, int*, int*, size_t>
        gesdd("gesdd");
    const int64_t of_vectors =
        std::max(5 * int64_t{k} * k + 5 * k, 2 * int64_t{larger} * k + 2 * int64_t{k} * k + k);
    auto reals = workspace<float>(vectors == Vectors::none ? 7 * int64_t{k} : of_vectors);
    return with_workspace<T>([&](T* work, const int* size, int* info) {
      gesdd(&job, &m, &n, a, &m, s, u, &ldu, vt, &ldvt, work, size, reals.get(), integers.get(),
            info, 1);
    });
  } else {
    static const Routine<T, const char*, const int*, const int*, T*, const int*, T*, T*, const int*,
                         T*, const int*, T*, const int*, int*, int*, size_t>
        gesdd("gesdd");
    return with_workspace<T>([&](T* work, const int* size, int* info) {
      gesdd(&job, &m, &n, a, &m, s, u, &ldu, vt, &ldvt, work, size, integers.get(), info, 1);
    });
  }
}

template <class T>
int lu(int64_t rows, int64_t columns, T* a, int* pivots) {
  static const Routine<T, const int*, const int*, T*, const int*, int*, int*> getrf("getrf");
  const int m = static_cast<int>(rows), n = static_cast<int>(columns);
  int info = 0;
  getrf(&m, &n, a, &m, pivots, &info);
  return info;
}

template <class T>
int invert(int64_t size, T* a) {
  static const Routine<T, const int*, T*, const int*, const int*, T*, const int*, int*> getri(
      "getri");
  const int n = static_cast<int>(size);
  auto pivots = workspace<int>(n);
  if (const int info = lu(size, size, a, pivots.get())) return info;
  return with_workspace<T>([&](T* work, const int* lwork, int* info) {
    getri(&n, a, &n, pivots.get(), work, lwork, info);
  });
}

template <class T>
int solve(int64_t size, int64_t columns, T* a, T* b) {
  static const Routine<T, const int*, const int*, T*, const int*, int*, T*, const int*, int*> gesv(
      "gesv");
  const int n = static_cast<int>(size), k = static_cast<int>(columns);
  auto pivots = workspace<int>(n);
  int info = 0;
  gesv(&n, &k, a, &n, pivots.get(), b, &n, &info);
  return info;
}

template <class T>
int solve_triangular(bool upper, bool transpose, int64_t size, int64_t columns, const T* a, T* b) {
  static const Routine<T, const char*, const char*, const char*, const int*, const int*, const T*,
                       const int*, T*, const int*, int*, size_t, size_t, size_t>
      trtrs("trtrs");
  const int n = static_cast<int>(size), k = static_cast<int>(columns);
  const char triangle = upper ? 'U' : 'L', form = transpose ? 'T' : 'N', diagonal = 'N';
  int info = 0;
  trtrs(&triangle, &form, &diagonal, &n, &k, a, &n, b, &n, &info, 1, 1, 1);
  return info;
}

template <class T>
int cholesky(bool upper, int64_t size, T* a) {
  static const Routine<T, const char*, const int*, T*, const int*, int*, size_t> potrf("potrf");
  const int n = static_cast<int>(size);
  const char triangle = upper ? 'U' : 'L';
  int info = 0;
  potrf(&triangle, &n, a, &n, &info, 1);
  return info;
}

template <class T>
void qr(int64_t rows, int64_t columns, T* a, T* tau) {
  static const Routine<T, const int*, const int*, T*, const int*, T*, T*, const int*, int*> geqrf(
      "geqrf");
  const int m = static_cast<int>(rows), n = static_cast<int>(columns);
  with_workspace<T>(
      [&](T* work, const int* size, int* info) { geqrf(&m, &n, a, &m, tau, work, size, info); });
}

template <class T>
void qr_columns(int64_t rows, int64_t columns, T* a, const T* tau) {
  static const Routine<T, const int*, const int*, const int*, T*, const int*, const T*, T*,
                       const int*, int*>
      orgqr("orgqr");
  const int m = static_cast<int>(rows), k = static_cast<int>(columns);
  with_workspace<T>([&](T* work, const int* size, int* info) {
    orgqr(&m, &k, &k, a, &m, tau, work, size, info);
  });
}

template <class T>
int eigh(bool upper, int64_t size, T* a, Real<T>* w, bool vectors) {
  const int n = static_cast<int>(size);
  const char job = vectors ? 'V' : 'N', triangle = upper ? 'U' : 'L';
  require_small("eigh", 2.0 * n * n + 200.0 * n);
  auto integers = workspace<int>(5 * int64_t{n} + 3);
  const int integer_size = 5 * n + 3;
  if constexpr (std::is_same_v<T, complex64_t>) {
    static const Routine<T, const char*, const char*, const int*, T*, const int*, float*, T*,
                         const int*, float*, const int*, int*, const int*, int*, size_t, size_t>
        heevd("heevd");
    const int real_size = 2 * n * n + 5 * n + 1;
    auto reals = workspace<float>(real_size);
    return with_workspace<T>([&](T* work, const int* lwork, int* info) {
      heevd(&job, &triangle, &n, a, &n, w, work, lwork, reals.get(), &real_size, integers.get(),
            &integer_size, info, 1, 1);
    });
  } else {
    static const Routine<T, const char*, const char*, const int*, T*, const int*, T*, T*,
                         const int*, int*, const int*, int*, size_t, size_t>
        syevd("syevd");
    return with_workspace<T>([&](T* work, const int* lwork, int* info) {
      syevd(&job, &triangle, &n, a, &n, w, work, lwork, integers.get(), &integer_size, info, 1, 1);
    });
  }
}

template <class T>
int eig(int64_t size, T* a, T* w, T* imaginary, T* v) {
  const int n = static_cast<int>(size), one = 1;
  const char none = 'N', right = v ? 'V' : 'N';
  const int ldv = v ? n : 1;
  if constexpr (std::is_same_v<T, complex64_t>) {
    static const Routine<T, const char*, const char*, const int*, T*, const int*, T*, T*,
                         const int*, T*, const int*, T*, const int*, float*, int*, size_t, size_t>
        geev("geev");
    auto reals = workspace<float>(2 * int64_t{n});
    return with_workspace<T>([&](T* work, const int* lwork, int* info) {
      geev(&none, &right, &n, a, &n, w, nullptr, &one, v, &ldv, work, lwork, reals.get(), info, 1,
           1);
    });
  } else {
    static const Routine<T, const char*, const char*, const int*, T*, const int*, T*, T*, T*,
                         const int*, T*, const int*, T*, const int*, int*, size_t, size_t>
        geev("geev");
    return with_workspace<T>([&](T* work, const int* lwork, int* info) {
      geev(&none, &right, &n, a, &n, w, imaginary, nullptr, &one, v, &ldv, work, lwork, info, 1, 1);
    });
  }
}

template <class T>
void multiply(bool transpose_a, bool transpose_b, int64_t rows, int64_t columns, int64_t inner,
              const T* a, const T* b, T* c) {
  static const Routine<T, const char*, const char*, const int*, const int*, const int*, const T*,
                       const T*, const int*, const T*, const int*, const T*, T*, const int*, size_t,
                       size_t>
      gemm("gemm");
  const int m = static_cast<int>(rows), n = static_cast<int>(columns), k = static_cast<int>(inner);
  const char form_a = transpose_a ? 'T' : 'N', form_b = transpose_b ? 'T' : 'N';
  const int lda = transpose_a ? k : m, ldb = transpose_b ? n : k;
  const T one(1), zero(0);
  gemm(&form_a, &form_b, &m, &n, &k, &one, a, &lda, b, &ldb, &zero, c, &m, 1, 1);
}

template int svd(int64_t, int64_t, float*, float*, float*, float*, Vectors);
template int svd(int64_t, int64_t, double*, double*, double*, double*, Vectors);
template int svd(int64_t, int64_t, complex64_t*, float*, complex64_t*, complex64_t*, Vectors);
template int lu(int64_t, int64_t, float*, int*);
template int lu(int64_t, int64_t, double*, int*);
template int invert(int64_t, float*);
template int invert(int64_t, double*);
template int solve(int64_t, int64_t, float*, float*);
template int solve(int64_t, int64_t, double*, double*);
template int solve(int64_t, int64_t, complex64_t*, complex64_t*);
template int solve_triangular(bool, bool, int64_t, int64_t, const float*, float*);
template int solve_triangular(bool, bool, int64_t, int64_t, const double*, double*);
template int cholesky(bool, int64_t, float*);
template int cholesky(bool, int64_t, double*);
template void qr(int64_t, int64_t, float*, float*);
template void qr(int64_t, int64_t, double*, double*);
template void qr_columns(int64_t, int64_t, float*, const float*);
template void qr_columns(int64_t, int64_t, double*, const double*);
template int eigh(bool, int64_t, float*, float*, bool);
template int eigh(bool, int64_t, double*, double*, bool);
template int eigh(bool, int64_t, complex64_t*, float*, bool);
template int eig(int64_t, float*, float*, float*, float*);
template int eig(int64_t, double*, double*, double*, double*);
template int eig(int64_t, complex64_t*, complex64_t*, complex64_t*, complex64_t*);
template void multiply(bool, bool, int64_t, int64_t, int64_t, const float*, const float*, float*);
template void multiply(bool, bool, int64_t, int64_t, int64_t, const double*, const double*,
                       double*);

}  // namespace heddle::cpu::lapack
