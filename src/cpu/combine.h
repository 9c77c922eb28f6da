// How an element and its update become one, for every dtype.
#pragma once

#include <complex>

#include "heddle/dtype.h"
#include "heddle/ops/index.h"

namespace heddle::cpu {

// x < y; complex numbers compare real parts, then imaginary ones.
template <class T>
bool less_than(T x, T y) {
  if constexpr (std::is_same_v<T, complex64_t>) {
    return x.real() < y.real() || (x.real() == y.real() && x.imag() < y.imag());
  } else if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
    return static_cast<float>(x) < static_cast<float>(y);
  } else {
    return x < y;
  }
}

template <Combine combine, class T>
T combined(T old, T update) {
  if constexpr (combine == Combine::assign) {
    return update;
  } else if constexpr (std::is_same_v<T, bool>) {
    return combine == Combine::sum || combine == Combine::max ? (old || update) : (old && update);
  } else if constexpr (combine == Combine::max || combine == Combine::min) {
    // NaN wins, wherever it stands: it is unequal to itself.
    if constexpr (!std::is_integral_v<T>) {
      if (!(old == old)) return old;
      if (!(update == update)) return update;
    }
    bool replace = combine == Combine::max ? less_than(old, update) : less_than(update, old);
    return replace ? update : old;
  } else if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
    float x = static_cast<float>(old), y = static_cast<float>(update);
    return T(combine == Combine::sum ? x + y : x * y);
  } else if constexpr (std::is_integral_v<T>) {
    // Unsigned 64-bit arithmetic wraps like every integer dtype.
    uint64_t x = static_cast<uint64_t>(old), y = static_cast<uint64_t>(update);
    return static_cast<T>(combine == Combine::sum ? x + y : x * y);
  } else {
    return combine == Combine::sum ? old + update : old * update;
  }
}

// Calls f(TypeTag<T>{}, std::integral_constant<Combine, c>{}); plain assignment by width alone.
template <class F>
void visit_combine(Dtype dtype, Combine combine, F&& f) {
  auto with = [&](auto c) { visit_dtype(dtype, [&](auto tag) { f(tag, c); }); };
  switch (combine) {
    case Combine::assign:
      visit_width(size_of(dtype),
                  [&](auto tag) { f(tag, std::integral_constant<Combine, Combine::assign>{}); });
      break;
    case Combine::sum:
      with(std::integral_constant<Combine, Combine::sum>{});
      break;
    case Combine::prod:
      with(std::integral_constant<Combine, Combine::prod>{});
      break;
    case Combine::max:
      with(std::integral_constant<Combine, Combine::max>{});
      break;
    case Combine::min:
      with(std::integral_constant<Combine, Combine::min>{});
      break;
  }
}

}  // namespace heddle::cpu
