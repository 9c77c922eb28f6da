// Norms over the last axis and their derivatives, of floating numbers of one dtype.
#pragma once

#include "core/op.h"

namespace heddle {

// x[, weight][, bias] -> the normalized rows.
class LayerNorm final : public OpClass<LayerNorm> {
 public:
  static constexpr const char* name = "LayerNorm";
  float eps;
  bool has_weight;
  bool has_bias;
  LayerNorm(float e, bool w, bool b) : eps(e), has_weight(w), has_bias(b) {}
  template <class V>
  void attributes(V& v) const {
    v("eps", eps);
    v("has_weight", has_weight);
    v("has_bias", has_bias);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// cotangent, x[, weight] -> cotangents of x[, weight][, bias].
class LayerNormVJP final : public OpClass<LayerNormVJP> {
 public:
  static constexpr const char* name = "LayerNormVJP";
  float eps;
  bool has_weight;
  bool has_bias;
  LayerNormVJP(float e, bool w, bool b) : eps(e), has_weight(w), has_bias(b) {}
  template <class V>
  void attributes(V& v) const {
    v("eps", eps);
    v("has_weight", has_weight);
    v("has_bias", has_bias);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// x[, weight] -> the rows divided by their root mean square.
class RMSNorm final : public OpClass<RMSNorm> {
 public:
  static constexpr const char* name = "RMSNorm";
  float eps;
  bool has_weight;
  RMSNorm(float e, bool w) : eps(e), has_weight(w) {}
  template <class V>
  void attributes(V& v) const {
    v("eps", eps);
    v("has_weight", has_weight);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// cotangent, x[, weight] -> cotangents of x[, weight].
class RMSNormVJP final : public OpClass<RMSNormVJP> {
 public:
  static constexpr const char* name = "RMSNormVJP";
  float eps;
  bool has_weight;
  RMSNormVJP(float e, bool w) : eps(e), has_weight(w) {}
  template <class V>
  void attributes(V& v) const {
    v("eps", eps);
    v("has_weight", has_weight);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
