// The submodule heddle.core.fast. Its norms and loss are bound here; attention and rope by their
// family.
#include "heddle/ops/norm.h"
#include "nn.h"
#include "signature.h"

namespace heddle::python {
namespace {

void bind_norms(nb::module_& fast) {
  fast.def(
      "rms_norm",
      [](const Array& x, const std::optional<Array>& weight, float eps, const StreamOrDevice& s) {
        return fast::rms_norm(x, weight, eps, s);
      },
      "x"_a, "weight"_a.none(), "eps"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("rms_norm", "x: array, weight: array | None, eps: float"),
      R"(
``x / sqrt(mean(x**2) + eps) * weight`` over the last axis, computed in float32 for halves.

Args:
  x: at least one dimension.
  weight: one dimension, of the size of the last axis; no scaling if None.
  eps: keeps the root away from 0.

Raises:
  ValueError: shapes that do not fit, a dtype that is not floating.)");
  fast.def(
      "layer_norm",
      [](const Array& x, const std::optional<Array>& weight, const std::optional<Array>& bias,
         float eps, const StreamOrDevice& s) { return fast::layer_norm(x, weight, bias, eps, s); },
      "x"_a, "weight"_a.none(), "bias"_a.none(), "eps"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("layer_norm", "x: array, weight: array | None, bias: array | None, eps: float"),
      R"(
``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last axis, computed in float32 for halves.

Args:
  x: at least one dimension.
  weight: one dimension, of the size of the last axis; no scaling if None.
  bias: one dimension, of the size of the last axis; nothing is added if None.
  eps: keeps the root away from 0.

Raises:
  ValueError: shapes that do not fit, a dtype that is not floating.)");
  fast.def(
      "cross_entropy",
      [](const Array& logits, const Array& targets, const StreamOrDevice& s) {
        return fast::cross_entropy(logits, targets, s);
      },
      "logits"_a, "targets"_a, nb::kw_only(), "stream"_a = nb::none(),
      signature("cross_entropy", "logits: array, targets: array"),
      R"(
``logsumexp(logits, axis=-1) - logits[..., target]`` for each target, in float32.

Args:
  logits: floating, classes on the last axis.
  targets: integers, in the shape of the other axes.

Raises:
  ValueError: shapes or dtypes that do not fit.)");
}

}  // namespace

void bind_fast(nb::module_& m) {
  nb::module_ fast = add_submodule(m, "fast", "Operations with kernels of their own.");
  bind_norms(fast);
  bind_attention(fast);
  bind_recurrent(fast);
  bind_gpu_kernels(fast);
}

}  // namespace heddle::python
