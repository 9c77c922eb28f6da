#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/gemm.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

template <class T>
T apply_tail(onednn::Tail tail, T x) {
  using onednn::Tail;
  switch (tail) {
    case Tail::none:
      return x;
    case Tail::relu:
      return x < 0 ? T(0) : x;
    case Tail::gelu_erf:
      return T(0.5) * x * (T(1) + std::erf(x * T(0.70710678118654752440)));
    case Tail::gelu_tanh:
      return T(0.5) * x *
             (T(1) + std::tanh(T(0.79788456080286535588) * (x + T(0.044715) * x * x * x)));
    case Tail::silu:
      return x / (T(1) + std::exp(-x));
    case Tail::tanh:
      return std::tanh(x);
    case Tail::sigmoid:
      return T(1) / (T(1) + std::exp(-x));
  }
  __builtin_unreachable();
}

template <class T>
void store(const Finish& f, int64_t row, int64_t column, const T* sums, int64_t n) {
  char* out = static_cast<char*>(f.out) + (row * f.row_stride + column) * size_of(f.dtype);
  bool plain = f.alpha == 1 && !f.addend.data && f.tail == onednn::Tail::none;
  constexpr int64_t most = 256;
  static_assert(most <= tile::tile_size);
  alignas(64) T values[most], addend[most];
  for (int64_t i = 0; i < n; i += most) {
    int count = static_cast<int>(std::min(most, n - i));
    const T* result = sums + i;
    if (!plain) {
      T alpha = static_cast<T>(f.alpha), beta = static_cast<T>(f.beta);
      if (f.addend.data) {
        const Matrix& c = f.addend;
        const char* from = static_cast<const char*>(c.data) +
                           (row * c.row_stride + (column + i) * c.column_stride) *
                               static_cast<int64_t>(size_of(c.dtype));
        tile::load_tile(from, c.dtype, c.column_stride, addend, count);
        for (int j = 0; j < count; j++) values[j] = alpha * result[j] + beta * addend[j];
      } else {
        for (int j = 0; j < count; j++) values[j] = alpha * result[j];
      }
      if (f.tail != onednn::Tail::none) {
        for (int j = 0; j < count; j++) values[j] = apply_tail(f.tail, values[j]);
      }
      result = values;
    }
    char* to = out + i * static_cast<int64_t>(size_of(f.dtype));
    if (size_of(f.dtype) == sizeof(T)) {
      std::memcpy(to, result, count * sizeof(T));
    } else if (f.dtype == Dtype::float16) {
      std::copy_n(result, count, reinterpret_cast<float16_t*>(to));
    } else {
      std::copy_n(result, count, reinterpret_cast<bfloat16_t*>(to));
    }
  }
}

}  // namespace

void store_sums(const Finish& finish, int64_t row, int64_t column, const void* sums, int64_t n) {
  if (finish.dtype == Dtype::float64) {
    store(finish, row, column, static_cast<const double*>(sums), n);
  } else {
    store(finish, row, column, static_cast<const float*>(sums), n);
  }
}

}  // namespace heddle::cpu
