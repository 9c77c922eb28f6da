// Shapes and strides.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "heddle/shape.h"

namespace mlx::core {

// Elements that can be copied as bytes; a program's own others are refused at compile time.
template <class T, int N = 10>
using SmallVector = heddle::InlineVector<T, N>;

using ShapeElem = int32_t;
using Shape = SmallVector<ShapeElem>;
using Strides = SmallVector<int64_t>;

template <class T>
inline constexpr bool is_vector_v = false;
template <class T, int N>
inline constexpr bool is_vector_v<heddle::InlineVector<T, N>> = true;
template <class T, class A>
inline constexpr bool is_vector_v<std::vector<T, A>> = true;

}  // namespace mlx::core
