// Compilation in MLX's forms.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "heddle/transforms.h"
#include "mlx/transforms.h"

namespace mlx::core {

// heddle simplifies and fuses in one way: all but `disabled` mean enabled.
enum class CompileMode { disabled, no_simplify, no_fuse, enabled };

// Arrays that `fun` captures are constants of the compiled function, as they are at its first call.
inline std::function<std::vector<array>(const std::vector<array>&)> compile(
    std::function<std::vector<array>(const std::vector<array>&)> fun, bool shapeless = false) {
  return detail::out(heddle::compile(detail::in(std::move(fun)), shapeless));
}
inline std::function<std::vector<array>(const std::vector<array>&)> compile(
    std::vector<array> (*fun)(const std::vector<array>&), bool shapeless = false) {
  return compile(std::function<std::vector<array>(const std::vector<array>&)>(fun), shapeless);
}
template <class F, class = std::enable_if_t<std::is_convertible_v<F, decltype(+std::declval<F>())>>>
std::function<std::vector<array>(const std::vector<array>&)> compile(F&& f,
                                                                     bool shapeless = false) {
  return compile(+f, shapeless);
}

inline void disable_compile() { heddle::disable_compile(); }
inline void enable_compile() { heddle::enable_compile(); }
inline void set_compile_mode(CompileMode mode) {
  mode == CompileMode::disabled ? disable_compile() : enable_compile();
}

}  // namespace mlx::core
