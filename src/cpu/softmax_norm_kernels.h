// Functions of one row that stays in cache: softmax, log-sum-exp, norms and their derivatives,
// compiled for every instruction set. Private to softmax.cpp and norm.cpp.
// T is float or double. No function allocates; all take n >= 1; y may be x.
#pragma once

#include <cstdint>

namespace heddle::cpu {

template <class T>
struct RowKernels {
  // y = exp(x - max x) / sum. A row with a NaN, with +inf, or of -inf alone becomes all NaN.
  // In float32 results below 2^-126 are flushed to zero.
  void (*softmax)(const T* x, int64_t n, T* y);
  // log(sum exp(x)); -inf for a row of -inf, inf for a row with inf, NaN for a row with NaN.
  T (*logsumexp)(const T* x, int64_t n);
  // y = (x - mean) / sqrt(variance + eps) * weight + bias, where `center` is false for a norm by
  // the root of the mean square: mean = 0 then.
  void (*norm)(const T* x, int64_t n, const T* weight, const T* bias, T eps, bool center, T* y);
  // For the norm above and the cotangent g of y: gx = the cotangent of x;
  // gw += g * normalised x, gb += g. gx may be x or g.
  void (*norm_vjp)(const T* x, const T* g, int64_t n, const T* weight, T eps, bool center, T* gx,
                   T* gw, T* gb);
};

template <class T>
const RowKernels<T>& row_kernels();

}  // namespace heddle::cpu
