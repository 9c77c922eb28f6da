// Transformations in MLX's forms: of functions of one array, and of a list with one result.
// heddle's own take a list and give a list.
#pragma once

#include <optional>

#include "mlx/array.h"

namespace mlx::core {

using UnaryFunction = std::function<array(const array&)>;
using BinaryFunction = std::function<array(const array&, const array&)>;
using ListFunction = std::function<std::vector<array>(const std::vector<array>&)>;
using ReducedFunction = std::function<array(const std::vector<array>&)>;
using ValueAndGradFn =
    std::function<std::pair<std::vector<array>, std::vector<array>>(const std::vector<array>&)>;
using SimpleValueAndGradFn =
    std::function<std::pair<array, std::vector<array>>(const std::vector<array>&)>;

namespace detail {

inline ListFunction as_list(UnaryFunction fun) {
  return
      [fun = std::move(fun)](const std::vector<array>& x) { return std::vector<array>{fun(x[0])}; };
}
inline ListFunction as_list(BinaryFunction fun) {
  return [fun = std::move(fun)](const std::vector<array>& x) {
    return std::vector<array>{fun(x[0], x[1])};
  };
}
inline ListFunction as_list(ReducedFunction fun) {
  return [fun = std::move(fun)](const std::vector<array>& x) { return std::vector<array>{fun(x)}; };
}

}  // namespace detail

// --- products with Jacobians ------------------------------------------------------------------

inline std::pair<std::vector<array>, std::vector<array>> vjp(const ListFunction& fun,
                                                             const std::vector<array>& primals,
                                                             const std::vector<array>& cotangents) {
  return heddle::vjp(fun, primals, cotangents);
}
inline std::pair<array, array> vjp(const UnaryFunction& fun, const array& primal,
                                   const array& cotangent) {
  auto [out, gradients] = heddle::vjp(detail::as_list(fun), {primal}, {cotangent});
  return {out[0], gradients[0]};
}
inline std::pair<std::vector<array>, std::vector<array>> jvp(const ListFunction& fun,
                                                             const std::vector<array>& primals,
                                                             const std::vector<array>& tangents) {
  return heddle::jvp(fun, primals, tangents);
}
inline std::pair<array, array> jvp(const UnaryFunction& fun, const array& primal,
                                   const array& tangent) {
  auto [out, tangents] = heddle::jvp(detail::as_list(fun), {primal}, {tangent});
  return {out[0], tangents[0]};
}

// --- gradients: of a function with one result, or of the first of several
// --------------------------

inline ValueAndGradFn value_and_grad(const ListFunction& fun, const std::vector<int>& argnums) {
  return heddle::value_and_grad(fun, argnums);
}
inline ValueAndGradFn value_and_grad(const ListFunction& fun, int argnum = 0) {
  return heddle::value_and_grad(fun, {argnum});
}
inline SimpleValueAndGradFn value_and_grad(const ReducedFunction& fun,
                                           const std::vector<int>& argnums) {
  return
      [inner = heddle::value_and_grad(detail::as_list(fun), argnums)](const std::vector<array>& x) {
        auto [values, gradients] = inner(x);
        return std::pair{values[0], gradients};
      };
}
inline SimpleValueAndGradFn value_and_grad(const ReducedFunction& fun, int argnum = 0) {
  return value_and_grad(fun, std::vector<int>{argnum});
}
inline std::function<std::pair<array, array>(const array&)> value_and_grad(
    const UnaryFunction& fun) {
  return [inner = heddle::value_and_grad(detail::as_list(fun), {0})](const array& x) {
    auto [values, gradients] = inner({x});
    return std::pair{values[0], gradients[0]};
  };
}

inline ListFunction grad(const ReducedFunction& fun, const std::vector<int>& argnums) {
  return heddle::grad(detail::as_list(fun), argnums);
}
inline ListFunction grad(const ReducedFunction& fun, int argnum = 0) {
  return heddle::grad(detail::as_list(fun), {argnum});
}
inline UnaryFunction grad(const UnaryFunction& fun) {
  return
      [inner = heddle::grad(detail::as_list(fun), {0})](const array& x) { return inner({x})[0]; };
}

// --- batching
// ----------------------------------------------------------------------------------------

inline ListFunction vmap(const ListFunction& fun, const std::vector<int>& in_axes = {},
                         const std::vector<int>& out_axes = {}) {
  return heddle::vmap(fun, in_axes, out_axes);
}
inline UnaryFunction vmap(const UnaryFunction& fun, int in_axis = 0, int out_axis = 0) {
  return [inner = heddle::vmap(detail::as_list(fun), {in_axis}, std::vector<int>{out_axis})](
             const array& x) { return inner({x})[0]; };
}
inline BinaryFunction vmap(const BinaryFunction& fun, int in_axis_a = 0, int in_axis_b = 0,
                           int out_axis = 0) {
  return [inner = heddle::vmap(detail::as_list(fun), {in_axis_a, in_axis_b},
                               std::vector<int>{out_axis})](const array& a, const array& b) {
    return inner({a, b})[0];
  };
}

// --- own rules, compiling
// --------------------------------------------------------------------------

inline ListFunction custom_function(
    ListFunction fun,
    std::optional<std::function<std::vector<array>(
        const std::vector<array>&, const std::vector<array>&, const std::vector<array>&)>>
        fun_vjp = std::nullopt,
    std::optional<std::function<std::vector<array>(
        const std::vector<array>&, const std::vector<array>&, const std::vector<int>&)>>
        fun_jvp = std::nullopt,
    std::optional<std::function<std::pair<std::vector<array>, std::vector<int>>(
        const std::vector<array>&, const std::vector<int>&)>>
        fun_vmap = std::nullopt) {
  CustomRules rules;
  if (fun_vjp) rules.vjp = std::move(*fun_vjp);
  if (fun_jvp) rules.jvp = std::move(*fun_jvp);
  if (fun_vmap) rules.vmap = std::move(*fun_vmap);
  return heddle::custom_function(std::move(fun), std::move(rules));
}
inline ListFunction custom_vjp(
    ListFunction fun,
    std::function<std::vector<array>(const std::vector<array>&, const std::vector<array>&,
                                     const std::vector<array>&)>
        fun_vjp) {
  return custom_function(std::move(fun), std::move(fun_vjp));
}

enum class CompileMode { disabled, no_simplify, no_fuse, enabled };
// heddle simplifies and fuses in one way: all but `disabled` mean enabled.
inline void set_compile_mode(CompileMode mode) {
  mode == CompileMode::disabled ? disable_compile() : enable_compile();
}

}  // namespace mlx::core
