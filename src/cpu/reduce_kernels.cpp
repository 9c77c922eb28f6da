#include "cpu/reduce_kernels.h"

#include <bit>
#include <cmath>
#include <complex>
#include <limits>
#include <type_traits>

#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/reduce_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
inline constexpr bool is_vectorised = !std::is_same_v<T, complex64_t>;

// An operation: `identity`, `one` on scalars, `combine` on vectors; `load` and `load_one` turn an
// element from memory into an operand.
struct Values {
  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const hn::TFromD<D>* x) {
    return hn::LoadU(d, x);
  }
  template <class T>
  static HWY_INLINE T load_one(T x) {
    return x;
  }
};

struct Sum : Values {
  template <class T>
  static T identity() {
    return T(0);
  }
  template <class T>
  static HWY_INLINE T one(T a, T b) {
    return a + b;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V a, V b) {
    return hn::Add(a, b);
  }
};

struct Product : Values {
  template <class T>
  static T identity() {
    return T(1);
  }
  template <class T>
  static HWY_INLINE T one(T a, T b) {
    return a * b;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V a, V b) {
    return hn::Mul(a, b);
  }
};

template <bool kMax>
struct Extreme : Values {
  template <class T>
  static T identity() {
    if constexpr (std::is_same_v<T, complex64_t>) {
      return {identity<float>(), identity<float>()};
    } else if constexpr (std::numeric_limits<T>::has_infinity) {
      return kMax ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    } else {
      return kMax ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
    }
  }
  template <class T>
  static HWY_INLINE T one(T a, T b) {
    if constexpr (std::is_same_v<T, complex64_t>) {
      if (std::isnan(a.real()) || std::isnan(a.imag())) return a;
      if (std::isnan(b.real()) || std::isnan(b.imag())) return b;
      const bool less = a.real() != b.real() ? a.real() < b.real() : a.imag() < b.imag();
      return less == kMax ? b : a;
    } else {
      if constexpr (std::is_floating_point_v<T>) {
        if (a != a) return a;
        if (b != b) return b;
      }
      return (a < b) == kMax ? b : a;
    }
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V a, V b) {
    auto v = kMax ? hn::Max(a, b) : hn::Min(a, b);
    if constexpr (std::is_floating_point_v<hn::TFromD<D>>) {
      v = hn::IfThenElse(hn::IsNaN(b), b, v);
      v = hn::IfThenElse(hn::IsNaN(a), a, v);
    }
    return v;
  }
};

// all and any, on the bits of the elements: true unless the bits in the mask are zero (the mask
// leaves out signs of zeros).
template <uint64_t kMask>
struct Truth {
  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const hn::TFromD<D>* x) {
    using T = hn::TFromD<D>;
    const auto bits = hn::And(hn::LoadU(d, x), hn::Set(d, static_cast<T>(kMask)));
    return hn::IfThenZeroElse(hn::Eq(bits, hn::Zero(d)), hn::Set(d, T{1}));
  }
  template <class T>
  static HWY_INLINE T load_one(T x) {
    return (x & static_cast<T>(kMask)) != 0;
  }
};

template <uint64_t kMask>
struct Any : Truth<kMask> {
  template <class T>
  static T identity() {
    return T{0};
  }
  template <class T>
  static HWY_INLINE T one(T a, T b) {
    return a | b;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V a, V b) {
    return hn::Or(a, b);
  }
};

template <uint64_t kMask>
struct All : Truth<kMask> {
  template <class T>
  static T identity() {
    return T{1};
  }
  template <class T>
  static HWY_INLINE T one(T a, T b) {
    return a & b;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V a, V b) {
    return hn::And(a, b);
  }
};

// Four accumulators cover the latency of an addition (4 cycles, one to two a cycle).
template <class Op, class T>
T reduce_row(const T* HWY_RESTRICT x, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (n < lanes) {
    T result = Op::load_one(x[0]);
    for (int64_t i = 1; i < n; ++i) result = Op::one(result, Op::load_one(x[i]));
    return result;
  }
  auto acc0 = Op::load(d, x);
  int64_t i = lanes;
  if (n >= 4 * lanes) {
    auto acc1 = Op::load(d, x + lanes);
    auto acc2 = Op::load(d, x + 2 * lanes);
    auto acc3 = Op::load(d, x + 3 * lanes);
    for (i = 4 * lanes; i + 4 * lanes <= n; i += 4 * lanes) {
      acc0 = Op::combine(d, acc0, Op::load(d, x + i));
      acc1 = Op::combine(d, acc1, Op::load(d, x + i + lanes));
      acc2 = Op::combine(d, acc2, Op::load(d, x + i + 2 * lanes));
      acc3 = Op::combine(d, acc3, Op::load(d, x + i + 3 * lanes));
    }
    acc0 = Op::combine(d, Op::combine(d, acc0, acc1), Op::combine(d, acc2, acc3));
  }
  for (; i + lanes <= n; i += lanes) acc0 = Op::combine(d, acc0, Op::load(d, x + i));
  HWY_ALIGN T last[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(acc0, d, last);
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; ++j) last[j] = Op::one(last[j], last[j + half]);
  }
  T result = last[0];
  for (; i < n; ++i) result = Op::one(result, Op::load_one(x[i]));
  return result;
}

template <class Op>
complex64_t reduce_row(const complex64_t* HWY_RESTRICT x, int64_t n) {
  complex64_t acc[4];
  for (complex64_t& a : acc) a = Op::template identity<complex64_t>();
  for (int64_t i = 0; i < n; ++i) acc[i % 4] = Op::one(acc[i % 4], x[i]);
  return Op::one(Op::one(acc[0], acc[1]), Op::one(acc[2], acc[3]));
}

template <class Op, class T>
void rows(const void* in, int64_t count, int64_t n, void* out) {
  const T* x = static_cast<const T*>(in);
  for (int64_t r = 0; r < count; ++r) {
    if constexpr (is_vectorised<T>) {
      static_cast<T*>(out)[r] = reduce_row<Op, T>(x + r * n, n);
    } else {
      static_cast<T*>(out)[r] = reduce_row<Op>(x + r * n, n);
    }
  }
}

// The columns that do not fill a vector.
template <class Op, class T>
HWY_NOINLINE void add_rows_one_by_one(T* acc, const T* x, int64_t stride, int64_t count,
                                      int64_t m) {
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t j = 0; j < m; ++j) {
      acc[j] = Op::one(acc[j], Op::load_one(x[r * stride + j]));
    }
  }
}

// Combines kRows rows with acc in whole vectors: the more rows at once, the less traffic for acc.
template <class Op, class T, int kRows>
HWY_INLINE void add_rows(T* HWY_RESTRICT acc, const T* HWY_RESTRICT x, int64_t stride, int64_t m) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t j = 0; j < m; j += lanes) {
    auto v = hn::LoadU(d, acc + j);
    for (int r = 0; r < kRows; ++r) v = Op::combine(d, v, Op::load(d, x + r * stride + j));
    hn::StoreU(v, d, acc + j);
  }
}

template <class Op, class T>
void columns(void* acc, const void* in, int64_t stride, int64_t count, int64_t m) {
  T* a = static_cast<T*>(acc);
  const T* x = static_cast<const T*>(in);
  int64_t whole = 0;
  if constexpr (is_vectorised<T>) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
    whole = m / lanes * lanes;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) add_rows<Op, T, 8>(a, x + i * stride, stride, whole);
    for (; i < count; ++i) add_rows<Op, T, 1>(a, x + i * stride, stride, whole);
  }
  if (whole < m) add_rows_one_by_one<Op, T>(a + whole, x + whole, stride, count, m - whole);
}

template <class Op, class T>
void windows(void* acc, const void* in, const ReduceKernels::Windows& w, bool first) {
  const int64_t m = w.m;
  T* a = static_cast<T*>(acc);
  const T* x = static_cast<const T*>(in);
  int64_t whole = 0;
  if constexpr (is_vectorised<T>) {
    const hn::ScalableTag<T> d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    whole = m / lanes * lanes;
    for (int64_t u = 0; u < w.units; ++u) {
      const T* unit = x + u * w.unit_step;
      for (int64_t j = 0; j < whole; j += lanes) {
        auto v = Op::load(d, unit + j);
        if (!first) v = Op::combine(d, hn::LoadU(d, a + u * m + j), v);
        for (int64_t t = 1; t < w.taps; ++t)
          v = Op::combine(d, v, Op::load(d, unit + t * w.tap_step + j));
        hn::StoreU(v, d, a + u * m + j);
      }
    }
  }
  if (whole == m) return;
  for (int64_t u = 0; u < w.units; ++u) {
    const T* unit = x + u * w.unit_step;
    for (int64_t j = whole; j < m; ++j) {
      T v = Op::load_one(unit[j]);
      if (!first) v = Op::one(a[u * m + j], v);
      for (int64_t t = 1; t < w.taps; ++t) v = Op::one(v, Op::load_one(unit[t * w.tap_step + j]));
      a[u * m + j] = v;
    }
  }
}

template <class Op, class T>
void fold(void* values, int64_t n) {
  T* v = static_cast<T*>(values);
  while (n > 1) {
    const int64_t half = n / 2;
    for (int64_t i = 0; i < half; ++i) v[i] = Op::one(v[2 * i], v[2 * i + 1]);
    if (n % 2 == 1) v[half] = v[n - 1];
    n = half + n % 2;
  }
}

template <class Op, class T>
const ReduceKernels* kernels_of() {
  static const ReduceKernels table = [] {
    const T identity = Op::template identity<T>();
    ReduceKernels k{sizeof(T), 0, rows<Op, T>, columns<Op, T>, windows<Op, T>, fold<Op, T>};
    __builtin_memcpy(&k.identity, &identity, sizeof(T));
    return k;
  }();
  return &table;
}

template <class Op>
const ReduceKernels* arithmetic(tile::Lane lane) {
  switch (lane) {
    case tile::Lane::f32:
      return kernels_of<Op, float>();
    case tile::Lane::f64:
      return kernels_of<Op, double>();
    case tile::Lane::c64:
      return kernels_of<Op, complex64_t>();
    case tile::Lane::i32:
    case tile::Lane::u32:
      return kernels_of<Op, uint32_t>();  // wraps alike, without overflow
    default:
      return kernels_of<Op, uint64_t>();
  }
}

template <class Op>
const ReduceKernels* ordered(tile::Lane lane) {
  switch (lane) {
    case tile::Lane::i32:
      return kernels_of<Op, int32_t>();
    case tile::Lane::i64:
      return kernels_of<Op, int64_t>();
    default:
      return arithmetic<Op>(lane);
  }
}

template <template <uint64_t> class Op>
const ReduceKernels* logical(tile::Lane lane) {
  switch (lane) {
    case tile::Lane::f32:
      return kernels_of<Op<0x7fffffff>, uint32_t>();
    case tile::Lane::f64:
      return kernels_of<Op<0x7fffffffffffffff>, uint64_t>();
    case tile::Lane::c64:
      return kernels_of<Op<0x7fffffff7fffffff>, uint64_t>();
    case tile::Lane::i32:
    case tile::Lane::u32:
      return kernels_of<Op<0xffffffff>, uint32_t>();
    default:
      return kernels_of<Op<0xffffffffffffffff>, uint64_t>();
  }
}

const ReduceKernels* select_kernels(Reduction reduction, tile::Lane lane) {
  switch (reduction) {
    case Reduction::sum:
      return arithmetic<Sum>(lane);
    case Reduction::prod:
      return arithmetic<Product>(lane);
    case Reduction::min:
      return ordered<Extreme<false>>(lane);
    case Reduction::max:
      return ordered<Extreme<true>>(lane);
    case Reduction::all:
      return logical<All>(lane);
    default:
      return logical<Any>(lane);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(select_kernels);

const ReduceKernels& reduce_kernels(Reduction reduction, tile::Lane lane) {
  return *HWY_DYNAMIC_DISPATCH(select_kernels)(reduction, lane);
}

}  // namespace heddle::cpu
#endif  // HWY_ONCE
