// Norms over the last axis and their derivatives, of floating numbers of one dtype.
#pragma once

#include "core/op.h"

namespace heddle {

// x[, weight][, bias] -> the normalized rows.
struct LayerNorm {
  Real32 eps;
  bool has_weight;
  bool has_bias;
  void fields(auto& v) { v("eps", eps)("has_weight", has_weight)("has_bias", has_bias); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// cotangent, x[, weight] -> cotangents of x[, weight][, bias].
struct LayerNormVJP {
  Real32 eps;
  bool has_weight;
  bool has_bias;
  void fields(auto& v) { v("eps", eps)("has_weight", has_weight)("has_bias", has_bias); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// x[, weight] -> the rows divided by their root mean square.
struct RMSNorm {
  Real32 eps;
  bool has_weight;
  void fields(auto& v) { v("eps", eps)("has_weight", has_weight); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// cotangent, x[, weight] -> cotangents of x[, weight].
struct RMSNormVJP {
  Real32 eps;
  bool has_weight;
  void fields(auto& v) { v("eps", eps)("has_weight", has_weight); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

}  // namespace heddle
