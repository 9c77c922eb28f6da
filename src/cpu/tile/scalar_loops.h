// Plain loops over lanes for functions that are computed one element at a time.
#pragma once

#include "cpu/tile/kernels.h"

namespace heddle::cpu::tile {

// out[i] = f(a[i]), f a stateless function object or lambda type.
template <class In, class Out, class F>
void scalar_unary(const void* a, const void*, const void*, void* out, int n) {
  const In* x = static_cast<const In*>(a);
  Out* y = static_cast<Out*>(out);
  for (int i = 0; i < n; i++) y[i] = static_cast<Out>(F{}(x[i]));
}

template <class In, class Out, class F>
void scalar_binary(const void* a, const void* b, const void*, void* out, int n) {
  const In* x = static_cast<const In*>(a);
  const In* y = static_cast<const In*>(b);
  Out* z = static_cast<Out*>(out);
  for (int i = 0; i < n; i++) z[i] = static_cast<Out>(F{}(x[i], y[i]));
}

// The kernels of lambdas without captures.
template <class In, class Out = In, class F>
constexpr Kernel unary_of(F) {
  return scalar_unary<In, Out, F>;
}
template <class In, class Out = In, class F>
constexpr Kernel binary_of(F) {
  return scalar_binary<In, Out, F>;
}

}  // namespace heddle::cpu::tile
