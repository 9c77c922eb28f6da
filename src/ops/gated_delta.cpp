// The gated delta rule, composed of other operations step by step.
#include <fmt/format.h>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/recurrent.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle::fast {
namespace {

void check(bool fits, const char* name, const Array& a, const char* wanted) {
  if (fits) return;
  refuse("gated_delta_update", "{} must have the shape {} but has {}.", name, wanted,
         to_string(a.shape()));
}

Array at_step(const Array& a, int64_t t, const Stream& s) { return take(a, t, 1, s); }

}  // namespace

Arrays gated_delta_update(const Array& q, const Array& k, const Array& v, const Array& gamma,
                          const Array& beta, const std::optional<Array>& state,
                          const std::optional<Array>& mask, StreamOrDevice s) {
  Stream stream = to_stream(s);
  check(q.ndim() == 4 && q.shape(1) > 0 && q.shape(2) > 0, "q", q, "(B, T, Hk, Dk)");
  check(k.shape() == q.shape(), "k", k, "of q");
  const int64_t B = q.shape(0), T = q.shape(1), Hk = q.shape(2), Dk = q.shape(3);
  check(v.ndim() == 4 && v.shape(0) == B && v.shape(1) == T && v.shape(2) % Hk == 0, "v", v,
        "(B, T, Hv, Dv) with Hv a multiple of the heads of q");
  const int64_t Hv = v.shape(2), Dv = v.shape(3);
  const Shape per_head{B, T, Hv}, per_feature{B, T, Hv, Dk};
  check(gamma.shape() == per_head || gamma.shape() == per_feature, "gamma", gamma,
        "(B, T, Hv) or (B, T, Hv, Dk)");
  check(beta.shape() == per_head, "beta", beta, "(B, T, Hv)");
  if (state) check(state->shape() == Shape{B, Hv, Dv, Dk}, "The state", *state, "(B, Hv, Dv, Dk)");
  if (mask) check(mask->shape() == Shape{B, T}, "The mask", *mask, "(B, T)");

  auto wide = [&](const Array& a) { return astype(a, float32, stream); };
  auto spread = [&](const Array& a) {  // over the value heads, one row of the state each
    return expand_dims(repeat(wide(a), static_cast<int>(Hv / Hk), 2, stream), 3, stream);
  };
  // Hidden steps are zeros from the start: what they hold would come into derivatives.
  auto shown = [&](const Array& a) {
    if (!mask) return a;
    return where(reshape(*mask, {B, T, 1, 1, 1}, stream), a, Array(0.f), stream);
  };
  const Array queries = shown(spread(q)), keys = shown(spread(k));
  const Array values = shown(expand_dims(wide(v), 4, stream));
  const Array rates =
      shown(reshape(wide(gamma), {B, T, Hv, 1, gamma.ndim() == 4 ? Dk : 1}, stream));
  const Array gains = shown(reshape(wide(beta), {B, T, Hv, 1, 1}, stream));

  Array memory = state ? wide(*state) : zeros({B, Hv, Dv, Dk}, float32, stream);
  Arrays outputs;
  for (int64_t t = 0; t < T; t++) {
    const Array key = at_step(keys, t, stream);
    Array next = multiply(memory, at_step(rates, t, stream), stream);
    Array recalled = sum(multiply(next, key, stream), {-1}, true, stream);
    Array correction = multiply(subtract(at_step(values, t, stream), recalled, stream),
                                at_step(gains, t, stream), stream);
    next = add(next, multiply(correction, key, stream), stream);
    Array out = sum(multiply(next, at_step(queries, t, stream), stream), {-1}, false, stream);
    if (mask) {
      Array seen = reshape(take(*mask, t, 1, stream), {B, 1, 1, 1}, stream);
      next = where(seen, next, memory, stream);
      out = where(squeeze(seen, 3, stream), out, Array(0.f), stream);
    }
    memory = next;
    outputs.push_back(out);
  }
  return {astype(stack(outputs, 1, stream), q.dtype(), stream), memory};
}

}  // namespace heddle::fast
