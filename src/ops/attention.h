// Scaled dot-product attention and rotary embedding.
#pragma once

#include "core/op.h"

namespace heddle {

// inputs (q, k, v[, mask][, sinks]); q (B, Hq, Lq, D), k (B, Hkv, Lk, D), v (B, Hkv, Lk, Dv); the
// mask has the shape (B, Hq, Lq, Lk), the sinks (Hq).
class ScaledDotProductAttention final : public OpClass<ScaledDotProductAttention> {
 public:
  static constexpr const char* name = "ScaledDotProductAttention";
  float scale;
  bool causal;
  bool has_mask;
  bool has_sinks;
  ScaledDotProductAttention(float sc, bool c, bool m, bool si)
      : scale(sc), causal(c), has_mask(m), has_sinks(si) {}
  template <class V>
  void attributes(V& v) const {
    v("scale", scale);
    v("causal", causal);
    v("has_mask", has_mask);
    v("has_sinks", has_sinks);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays& in, const Stream& s) const override;
  bool follows_shapes() const override { return true; }
};

// inputs (x, offset[, freqs]); x (B, H, L, D), offset int32 of shape (1) or (B), freqs float32
// (dims / 2). `inverse` turns back, which is the transpose.
class RoPE final : public OpClass<RoPE> {
 public:
  static constexpr const char* name = "RoPE";
  int dims;
  bool traditional;
  float base;
  float scale;
  bool has_freqs;
  bool inverse;
  RoPE(int d, bool t, float b, float s, bool f, bool i)
      : dims(d), traditional(t), base(b), scale(s), has_freqs(f), inverse(i) {}
  template <class V>
  void attributes(V& v) const {
    v("dims", dims);
    v("traditional", traditional);
    v("base", base);
    v("scale", scale);
    v("has_freqs", has_freqs);
    v("inverse", inverse);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
