// How an element and its update become one, for every dtype.
#pragma once

#include <complex>

#include "core/buffer.h"
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

// What several updates of one element are gathered in: sums and products of halves are rounded
// once.
template <Combine combine, class T>
using Gathered =
    std::conditional_t<(combine == Combine::sum || combine == Combine::prod) &&
                           (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>),
                       float, T>;

// Room for `size` such elements; none where elements are combined in their place.
template <Combine combine, class T>
class WideElements {
 public:
  using Element = Gathered<combine, T>;
  explicit WideElements(int64_t size) {
    if (!std::is_same_v<Element, T> && size > 0) {
      buffer_ = allocate(static_cast<size_t>(size) * sizeof(Element));
    }
  }
  Element* data() const { return buffer_ ? reinterpret_cast<Element*>(buffer_->data) : nullptr; }

 private:
  BufferRef buffer_;
};

// Combines elements of `to` with updates: each(f) calls f(index into `to`, update) for every
// update, the same ones in the same order each time. `wide` has room for as many elements as `to`,
// if elements may have several updates.
template <Combine combine, class T, class Each>
void combine_all(T* to, Gathered<combine, T>* wide, Each&& each) {
  if constexpr (!std::is_same_v<Gathered<combine, T>, T>) {
    if (wide) {
      each([&](int64_t at, T) { wide[at] = static_cast<float>(to[at]); });
      each([&](int64_t at, T update) {
        wide[at] = combined<combine>(wide[at], static_cast<float>(update));
      });
      each([&](int64_t at, T) { to[at] = T(wide[at]); });
      return;
    }
  }
  each([&](int64_t at, T update) { to[at] = combined<combine>(to[at], update); });
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
