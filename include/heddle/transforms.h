// Transformations of functions of arrays: derivatives, batching, compilation. Each takes a function
// and gives a function (or results); they nest in any order. Functions must be pure but for arrays
// that they capture; they may run more than once. Safe to use from several threads.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heddle/array.h"

namespace heddle {

using Function = std::function<Arrays(const Arrays&)>;

// Outputs of `fun` at `primals`, and the products of `cotangents` (one per output, of its shape)
// with its Jacobian, one per primal. Throws std::invalid_argument if shapes or counts do not fit.
std::pair<Arrays, Arrays> vjp(const Function& fun, const Arrays& primals, const Arrays& cotangents);

// Outputs of `fun` at `primals`, and the product of its Jacobian with `tangents`, one per output.
std::pair<Arrays, Arrays> jvp(const Function& fun, const Arrays& primals, const Arrays& tangents);

// Values and gradients of the first output, which must be a scalar, with respect to inputs
// `argnums`.
std::function<std::pair<Arrays, Arrays>(const Arrays&)> value_and_grad(Function fun,
                                                                       std::vector<int> argnums = {
                                                                           0});
Function grad(Function fun, std::vector<int> argnums = {0});

// `fun` over the axis in_axes[i] of input i (no_batch_axis: the whole input each time), results
// along out_axes[k]. The shorter lists are filled with zeros.
inline constexpr int no_batch_axis = INT32_MIN;
Function vmap(Function fun, std::vector<int> in_axes = {}, std::vector<int> out_axes = {});

// The same where the axes of the outputs are known only after `fun` has run: `out_axes` is asked
// then.
Function vmap(Function fun, std::vector<int> in_axes, std::function<std::vector<int>()> out_axes);

// The same function; its intermediate values are computed, and drawn alike, again for the
// derivative.
Function checkpoint(Function fun);

// Derivative and batching rules of the caller's own, in place of those of `fun`.
struct CustomRules {
  // (primals, cotangents, outputs) -> cotangents of the primals; an empty Array means zero
  std::function<Arrays(const Arrays&, const Arrays&, const Arrays&)> vjp;
  // (primals, tangents of argnums, argnums) -> tangents of the outputs
  std::function<Arrays(const Arrays&, const Arrays&, const std::vector<int>&)> jvp;
  // (inputs, axes) -> outputs with their axes
  std::function<std::pair<Arrays, std::vector<int>>(const Arrays&, const std::vector<int>&)> vmap;
};
Function custom_function(Function fun, CustomRules rules);

// Traces `fun` once per combination of input shapes and dtypes (shapeless: of ranks and dtypes,
// where the program means the same at every size) and afterwards replays the simplified program; of
// many traces the least recently used are forgotten. Arrays that `fun` captures are constants of
// the program. Inside, arrays must not be evaluated. A function that keeps what it computes (in a
// module that it updates, say) is refused with std::invalid_argument: state has to be named, see
// below.
Function compile(Function fun, bool shapeless = false);

// Named arrays that a compiled function finds and leaves in places of its own: `get` lists them,
// `set` writes them.
struct CapturedState {
  using Values = std::vector<std::pair<std::string, Array>>;
  std::function<Values()> get;
  std::function<void(const Values&)> set;
};
// An array, which must outlive the state: captured(random::state()), say. Modules and optimizers
// have a `captured` of their own.
CapturedState captured(Array& array);

// The same for a function that reads `inputs` and updates `outputs` beside its arguments:
//   compile(step, {captured(model), captured(optimizer)}, {captured(model), captured(optimizer)})
// Each call gives the state what the function would have. What is no array (training mode) is as it
// was in the trace.
Function compile(Function fun, std::vector<CapturedState> inputs,
                 std::vector<CapturedState> outputs, bool shapeless = false);

// The global switch; at start off if MLX_DISABLE_COMPILE is set.
void enable_compile();
void disable_compile();
bool compile_enabled();

}  // namespace heddle
