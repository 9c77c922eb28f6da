// fast.scaled_dot_product_attention and fast.rope.
#include "heddle/ops/attention.h"

#include "bind.h"

namespace heddle::python {

void bind_attention(nb::module_& fast) {
  fast.def(
      "scaled_dot_product_attention",
      [](const Array& q, const Array& k, const Array& v, float scale,
         std::variant<std::monostate, std::string, Array> mask, std::optional<Array> sinks,
         bool force_fused, StreamOrDevice s) {
        std::string mode;
        std::optional<Array> array;
        if (auto* text = std::get_if<std::string>(&mask)) {
          mode = *text;
          if (mode != "causal") {
            throw std::invalid_argument("[scaled_dot_product_attention] invalid mask option '" +
                                        mode + "'. Must be 'causal', or an array.");
          }
        } else if (auto* given = std::get_if<Array>(&mask)) {
          array = *given;
        }
        return fast::scaled_dot_product_attention(q, k, v, scale, mode, array, sinks, force_fused,
                                                  s);
      },
      "q"_a, "k"_a, "v"_a, nb::kw_only(), "scale"_a, "mask"_a = nb::none(), "sinks"_a = nb::none(),
      "force_fused"_a = false, "stream"_a = nb::none(),
      nb::sig(
          "def scaled_dot_product_attention(q: array, k: array, v: array, *, scale: float, mask: "
          "Union[None, str, array] = None, sinks: Optional[array] = None, force_fused: bool = "
          "False, "
          "stream: StreamOrDevice = None) -> array"),
      R"(``softmax(scale * q @ k.T + mask) @ v`` without a score matrix in memory.

Args:
  q: shape ``(B, n_q, T_q, D)``.
  k: shape ``(B, n_kv, T_kv, D)``; ``n_kv`` divides ``n_q`` and heads need not be repeated.
  v: shape ``(B, n_kv, T_kv, D_v)``.
  scale: multiplies the scores.
  mask: ``"causal"`` (aligned at the lower right), or an array that broadcasts to
    ``(B, n_q, T_q, T_kv)``: bool (True attends) or added to the scores.
  sinks: shape ``(n_q,)``; one more logit for each head, which attends to nothing.
  force_fused: always a ValueError, as in MLX on a CPU.

Returns:
  array: shape ``(B, n_q, T_q, D_v)``; the softmax is taken in float32.

Raises:
  ValueError: shapes or dtypes that do not fit.)");
  fast.def(
      "rope",
      [](const Array& a, int dims, bool traditional, std::optional<float> base, float scale,
         nb::handle offset, std::optional<Array> freqs, StreamOrDevice s) {
        return fast::rope(a, dims, traditional, base, scale, to_array(offset), freqs, s);
      },
      "a"_a, "dims"_a, nb::kw_only(), "traditional"_a, "base"_a.none(), "scale"_a, "offset"_a,
      "freqs"_a = nb::none(), "stream"_a = nb::none(),
      nb::sig("def rope(a: array, dims: int, *, traditional: bool, base: Optional[float], scale: "
              "float, "
              "offset: Union[int, array], freqs: Optional[array] = None, stream: StreamOrDevice = "
              "None) -> "
              "array"),
      R"(Rotary position embedding.

Args:
  a: shape ``(B, ..., T, D)``, floating.
  dims: how many elements of the last dimension turn; even.
  traditional: pairs are neighbours instead of ``dims / 2`` apart.
  base: pair ``i`` turns by ``base ** (-2 * i / dims)`` a position.
  scale: multiplies the positions.
  offset: the first position: a number, or one for each batch.
  freqs: shape ``(dims / 2,)``; pair ``i`` turns by ``1 / freqs[i]``; instead of ``base``.

Raises:
  ValueError: shapes or dtypes that do not fit, both or neither of ``base`` and ``freqs``.

Source: Su et al., RoFormer (arXiv 2104.09864).)");
}

}  // namespace heddle::python
