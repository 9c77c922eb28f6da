// Evaluation and transformations in MLX's forms: of functions of one array, of two, and of lists.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "heddle/transforms.h"
#include "mlx/utils.h"

namespace mlx::core {

inline void eval(std::vector<array> outputs) { heddle::eval(detail::in(outputs)); }
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
void eval(Arrays&&... outputs) {
  eval(std::vector<array>{std::forward<Arrays>(outputs)...});
}
inline void async_eval(std::vector<array> outputs) { heddle::async_eval(detail::in(outputs)); }
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
void async_eval(Arrays&&... outputs) {
  async_eval(std::vector<array>{std::forward<Arrays>(outputs)...});
}

namespace detail {

using Arrays = std::vector<array>;
using UnaryFunction = std::function<array(const array&)>;
using BinaryFunction = std::function<array(const array&, const array&)>;
using ListFunction = std::function<Arrays(const Arrays&)>;
using ReducedFunction = std::function<array(const Arrays&)>;

inline heddle::Function in(ListFunction fun) {
  return [fun = std::move(fun)](const heddle::Arrays& x) { return in(fun(out(x))); };
}
inline heddle::Function in(UnaryFunction fun) {
  return [fun = std::move(fun)](const heddle::Arrays& x) { return heddle::Arrays{fun(x.at(0))}; };
}
inline heddle::Function in(BinaryFunction fun) {
  return [fun = std::move(fun)](const heddle::Arrays& x) {
    return heddle::Arrays{fun(x.at(0), x.at(1))};
  };
}
inline heddle::Function in(ReducedFunction fun) {
  return [fun = std::move(fun)](const heddle::Arrays& x) { return heddle::Arrays{fun(out(x))}; };
}

inline ListFunction out(heddle::Function fun) {
  return [fun = std::move(fun)](const Arrays& x) { return out(fun(in(x))); };
}
inline std::pair<Arrays, Arrays> out(std::pair<heddle::Arrays, heddle::Arrays> lists) {
  return {out(std::move(lists.first)), out(std::move(lists.second))};
}

// Batching with MLX's words for axes: -1 for an input without a batch axis, and
// std::invalid_argument for one that is not there. MLX's C++ counts the axes of outputs from the
// front only, and takes -1 for that of some outputs; here it is refused for all.
inline heddle::Function batched(heddle::Function fun, std::vector<int> in_axes,
                                std::vector<int> out_axes) {
  std::replace(in_axes.begin(), in_axes.end(), -1, heddle::no_batch_axis);
  for (const int axis : out_axes) {
    if (axis < 0) {
      throw std::invalid_argument("[vmap] Axis " + std::to_string(axis) +
                                  " is invalid for an output: count it from the front.");
    }
  }
  auto check_count = [](const char* what, size_t axes, size_t arrays) {
    if (axes == 0 || axes == arrays) return;
    throw std::invalid_argument("[vmap] " + std::to_string(axes) + " axes were given for " +
                                std::to_string(arrays) + " " + what + ".");
  };
  const size_t ins = in_axes.size(), outs = out_axes.size();
  auto inner = heddle::vmap(std::move(fun), std::move(in_axes), std::move(out_axes));
  return [=, inner = std::move(inner)](const heddle::Arrays& x) {
    check_count("inputs", ins, x.size());
    heddle::Arrays results = as_invalid_argument([&] { return inner(x); });
    check_count("outputs", outs, results.size());
    return results;
  };
}

}  // namespace detail

// --- products with Jacobians --------------------------------------------------------------------

inline std::pair<std::vector<array>, std::vector<array>> vjp(
    const std::function<std::vector<array>(const std::vector<array>&)>& fun,
    const std::vector<array>& primals, const std::vector<array>& cotangents) {
  return detail::out(heddle::vjp(detail::in(fun), detail::in(primals), detail::in(cotangents)));
}
inline std::pair<array, array> vjp(const std::function<array(const array&)>& fun,
                                   const array& primal, const array& cotangent) {
  auto [outputs, gradients] = heddle::vjp(detail::in(fun), {primal}, {cotangent});
  return {outputs[0], gradients[0]};
}
inline std::pair<std::vector<array>, std::vector<array>> jvp(
    const std::function<std::vector<array>(const std::vector<array>&)>& fun,
    const std::vector<array>& primals, const std::vector<array>& tangents) {
  return detail::out(heddle::jvp(detail::in(fun), detail::in(primals), detail::in(tangents)));
}
inline std::pair<array, array> jvp(const std::function<array(const array&)>& fun,
                                   const array& primal, const array& tangent) {
  auto [outputs, tangents] = heddle::jvp(detail::in(fun), {primal}, {tangent});
  return {outputs[0], tangents[0]};
}

// --- gradients: of a function with one result, or of the first of several ------------------------

using ValueAndGradFn =
    std::function<std::pair<std::vector<array>, std::vector<array>>(const std::vector<array>&)>;
using SimpleValueAndGradFn =
    std::function<std::pair<array, std::vector<array>>(const std::vector<array>&)>;

inline ValueAndGradFn value_and_grad(
    const std::function<std::vector<array>(const std::vector<array>&)>& fun,
    const std::vector<int>& argnums) {
  return [inner = heddle::value_and_grad(detail::in(fun), argnums)](
             const std::vector<array>& inputs) { return detail::out(inner(detail::in(inputs))); };
}
inline ValueAndGradFn value_and_grad(
    const std::function<std::vector<array>(const std::vector<array>&)>& fun, int argnum = 0) {
  return value_and_grad(fun, std::vector<int>{argnum});
}
inline std::function<std::pair<array, array>(const array&)> value_and_grad(
    const std::function<array(const array&)>& fun) {
  return [inner = heddle::value_and_grad(detail::in(fun), {0})](const array& input) {
    auto [values, gradients] = inner({input});
    return std::pair<array, array>{values[0], gradients[0]};
  };
}
inline SimpleValueAndGradFn value_and_grad(
    const std::function<array(const std::vector<array>&)>& fun, const std::vector<int>& argnums) {
  return
      [inner = heddle::value_and_grad(detail::in(fun), argnums)](const std::vector<array>& inputs) {
        auto [values, gradients] = inner(detail::in(inputs));
        return std::pair<array, std::vector<array>>{values[0], detail::out(gradients)};
      };
}
inline SimpleValueAndGradFn value_and_grad(
    const std::function<array(const std::vector<array>&)>& fun, int argnum = 0) {
  return value_and_grad(fun, std::vector<int>{argnum});
}

inline std::function<std::vector<array>(const std::vector<array>&)> grad(
    const std::function<array(const std::vector<array>&)>& fun, const std::vector<int>& argnums) {
  return detail::out(heddle::grad(detail::in(fun), argnums));
}
inline std::function<std::vector<array>(const std::vector<array>&)> grad(
    const std::function<array(const std::vector<array>&)>& fun, int argnum = 0) {
  return grad(fun, std::vector<int>{argnum});
}
inline std::function<array(const array&)> grad(const std::function<array(const array&)>& fun) {
  return [inner = heddle::grad(detail::in(fun), {0})](const array& input) -> array {
    return inner({input})[0];
  };
}

// --- batching -----------------------------------------------------------------------------------

inline std::function<array(const array&)> vmap(const std::function<array(const array&)>& fun,
                                               int in_axis = 0, int out_axis = 0) {
  return [inner = detail::batched(detail::in(fun), {in_axis}, {out_axis})](
             const array& a) -> array { return inner({a})[0]; };
}
inline std::function<array(const array&, const array&)> vmap(
    const std::function<array(const array&, const array&)>& fun, int in_axis_a = 0,
    int in_axis_b = 0, int out_axis = 0) {
  return [inner = detail::batched(detail::in(fun), {in_axis_a, in_axis_b}, {out_axis})](
             const array& a, const array& b) -> array {
    return inner({a, b})[0];
  };
}
inline std::function<std::vector<array>(const std::vector<array>&)> vmap(
    const std::function<std::vector<array>(const std::vector<array>&)>& fun,
    const std::vector<int>& in_axes = {}, const std::vector<int>& out_axes = {}) {
  return detail::out(detail::batched(detail::in(fun), in_axes, out_axes));
}

// --- own rules, memory for time -----------------------------------------------------------------

inline std::function<std::vector<array>(const std::vector<array>&)> custom_function(
    std::function<std::vector<array>(const std::vector<array>&)> fun,
    std::optional<std::function<std::vector<array>(
        const std::vector<array>&, const std::vector<array>&, const std::vector<array>&)>>
        fun_vjp = std::nullopt,
    std::optional<std::function<std::vector<array>(
        const std::vector<array>&, const std::vector<array>&, const std::vector<int>&)>>
        fun_jvp = std::nullopt,
    std::optional<std::function<std::pair<std::vector<array>, std::vector<int>>(
        const std::vector<array>&, const std::vector<int>&)>>
        fun_vmap = std::nullopt) {
  heddle::CustomRules rules;
  if (fun_vjp) {
    rules.vjp = [rule = std::move(*fun_vjp)](const heddle::Arrays& primals,
                                             const heddle::Arrays& cotangents,
                                             const heddle::Arrays& outputs) {
      return detail::in(rule(detail::out(primals), detail::out(cotangents), detail::out(outputs)));
    };
  }
  if (fun_jvp) {
    rules.jvp = [rule = std::move(*fun_jvp)](const heddle::Arrays& primals,
                                             const heddle::Arrays& tangents,
                                             const std::vector<int>& argnums) {
      return detail::in(rule(detail::out(primals), detail::out(tangents), argnums));
    };
  }
  if (fun_vmap) {
    rules.vmap = [rule = std::move(*fun_vmap)](const heddle::Arrays& inputs,
                                               const std::vector<int>& axes) {
      auto [outputs, out_axes] = rule(detail::out(inputs), axes);
      return std::pair<heddle::Arrays, std::vector<int>>{detail::in(outputs), out_axes};
    };
  }
  return detail::out(heddle::custom_function(detail::in(std::move(fun)), std::move(rules)));
}
inline std::function<std::vector<array>(const std::vector<array>&)> custom_vjp(
    std::function<std::vector<array>(const std::vector<array>&)> fun,
    std::function<std::vector<array>(const std::vector<array>&, const std::vector<array>&,
                                     const std::vector<array>&)>
        fun_vjp) {
  return custom_function(std::move(fun), std::move(fun_vjp));
}
inline std::function<std::vector<array>(const std::vector<array>&)> checkpoint(
    std::function<std::vector<array>(const std::vector<array>&)> fun) {
  return detail::out(heddle::checkpoint(detail::in(std::move(fun))));
}

}  // namespace mlx::core
