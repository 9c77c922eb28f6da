// Ops about how elements lie in memory.
#pragma once

#include "core/op.h"

namespace heddle {

// A strided view of the elements in row-major order; within bounds for every shape inferred.
struct AsStrided {
  Shape shape;
  Strides strides;
  int64_t offset;
  void fields(auto& v) { v("shape", shape)("strides", strides)("offset", offset); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

// Its adjoint: an array of shape `target` with the elements of the input added where a view of
// these strides shows them.
struct AsStridedAdjoint {
  Shape target;
  Strides strides;
  int64_t offset;
  void fields(auto& v) { v("target", target)("strides", strides)("offset", offset); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_linear() const { return true; }
};

struct Contiguous {
  bool allow_col_major;
  void fields(auto& v) { v("allow_col_major", allow_col_major); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const { return p.g; }
  bool is_linear() const { return true; }
};

// The bytes as another dtype. Has no derivative.
struct ViewAs {
  static constexpr const char* name = "View";
  Dtype dtype;
  void fields(auto& v) { v("dtype", dtype); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
};

// Its first inputs, as many as there are outputs, unchanged; the rest are only waited for.
struct Depends {
  int count;
  void fields(auto& v) { v("count", count); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

}  // namespace heddle
