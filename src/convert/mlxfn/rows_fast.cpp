// Fused operations. MLX records them on a GPU only; .mlxfn files that heddle writes hold their
// parts.
#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "heddle/transforms.h"
#include "ops/attention.h"
#include "ops/norm.h"

namespace heddle::convert::mlxfn {
namespace {

// MLX records a scalar, 1 or 0, in the place of a weight or bias that is not there.
std::optional<Array> row_of(const Reading& r, size_t i) {
  if (i >= r.in.size() || r.in[i].ndim() == 0) return {};
  return r.in[i];
}

Arrays read_attention(const Reading& r) {
  const bool causal = r.flag(1), has_sinks = r.flag(2);
  if (r.flag(3)) throw std::invalid_argument("the logarithms of the sums are not computed here");
  const size_t sinks = has_sinks ? 1 : 0;
  if (r.in.size() < 3 + sinks || r.in.size() > 4 + sinks) {
    throw std::invalid_argument(fmt::format("it has {} inputs", r.in.size()));
  }
  std::optional<Array> mask, last;
  if (r.in.size() == 4 + sinks) mask = r.in[3];
  if (has_sinks) last = r.in.back();
  return {fast::scaled_dot_product_attention(r.in[0], r.in[1], r.in[2],
                                             static_cast<float>(r.real(0)), causal ? "causal" : "",
                                             mask, last, false, r.stream)};
}

}  // namespace

Rows fast_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"RMSNorm", {{"eps", Kind::real32}}, 1, 2, [](const Reading& r) {
                 return Arrays{fast::rms_norm(r.in[0], row_of(r, 1), static_cast<float>(r.real(0)),
                                              r.stream)};
               }});
  p.push_back({"LayerNorm", {{"eps", Kind::real32}}, 1, 3, [](const Reading& r) {
                 return Arrays{fast::layer_norm(r.in[0], row_of(r, 1), row_of(r, 2),
                                                static_cast<float>(r.real(0)), r.stream)};
               }});
  // Of the inputs (x, weight[, bias], cotangent), the cotangents of the first ones.
  p.push_back({"RMSNormVJP", {{"eps", Kind::real32}}, 3, 3, [](const Reading& r) {
                 Function f = [&](const Arrays& x) {
                   return Arrays{fast::rms_norm(x[0], x[1], static_cast<float>(r.real(0)))};
                 };
                 return vjp(f, {r.in[0], r.in[1]}, {r.in[2]}).second;
               }});
  p.push_back({"LayerNormVJP", {{"eps", Kind::real32}}, 4, 4, [](const Reading& r) {
                 Function f = [&](const Arrays& x) {
                   return Arrays{fast::layer_norm(x[0], x[1], x[2], static_cast<float>(r.real(0)))};
                 };
                 return vjp(f, {r.in[0], r.in[1], r.in[2]}, {r.in[3]}).second;
               }});

  p.push_back({"RoPE",
               {{"dims", Kind::integer},
                {"traditional", Kind::boolean},
                {"base", Kind::real32},
                {"scale", Kind::real32},
                {"forward", Kind::boolean}},
               2,
               3,
               [](const Reading& r) {
                 std::optional<Array> freqs;
                 std::optional<float> base;
                 if (r.in.size() == 3) {
                   freqs = r.in[2];
                 } else {
                   base = static_cast<float>(r.real(2));
                 }
                 // Turning back is turning by the negative angle.
                 float scale = static_cast<float>(r.flag(4) ? r.real(3) : -r.real(3));
                 return Arrays{fast::rope(r.in[0], r.integer(0), r.flag(1), base, scale, r.in[1],
                                          freqs, r.stream)};
               }});
  Spelling turn{"RoPE"};
  turn.pins_sizes = true;
  s.push_back(turn);

  Field forced{"force_fused", Kind::boolean, 0, {0, 32, 2}};
  p.push_back({"ScaledDotProductAttention",
               {{"scale", Kind::real32},
                {"causal", Kind::boolean},
                {"sinks", Kind::boolean},
                {"logsumexp", Kind::boolean},
                forced},
               3,
               5,
               read_attention});
  return rows;
}

}  // namespace heddle::convert::mlxfn
