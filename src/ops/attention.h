// Scaled dot-product attention and rotary embedding.
#pragma once

#include "core/op.h"

namespace heddle {

// inputs (q, k, v[, mask][, sinks]); q (B, Hq, Lq, D), k (B, Hkv, Lk, D), v (B, Hkv, Lk, Dv); the
// mask has the shape (B, Hq, Lq, Lk), the sinks (Hq).
struct ScaledDotProductAttention {
  Real32 scale;
  bool causal;
  bool has_mask;
  bool has_sinks;
  void fields(auto& v) {
    v("scale", scale)("causal", causal)("has_mask", has_mask)("has_sinks", has_sinks);
  }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Batched> vmap(const Batch& b) const;
  std::optional<Arrays> decompose(const Arrays& in, const Stream& s) const;
};

// inputs (x, offset[, freqs]); x (B, H, L, D), offset int32 of shape (1) or (B), freqs float32
// (dims / 2). `inverse` turns back, which is the transpose.
struct RoPE {
  int dims;
  bool traditional;
  Real32 base;
  Real32 scale;
  bool has_freqs;
  bool inverse;
  void fields(auto& v) {
    v("dims", dims)("traditional", traditional)("base", base)("scale", scale)(
        "has_freqs", has_freqs)("inverse", inverse);
  }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

}  // namespace heddle
