// Ops about how elements lie in memory, and padding.
#pragma once

#include "core/op.h"

namespace heddle {

// A strided view of the elements in row-major order; within bounds for every shape inferred.
class AsStrided final : public OpClass<AsStrided> {
 public:
  static constexpr const char* name = "AsStrided";
  Shape shape;
  Strides strides;
  int64_t offset;
  AsStrided(Shape s, Strides t, int64_t o)
      : shape(std::move(s)), strides(std::move(t)), offset(o) {}
  template <class V>
  void attributes(V& v) const {
    v("shape", shape);
    v("strides", strides);
    v("offset", offset);
  }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

class Contiguous final : public OpClass<Contiguous> {
 public:
  static constexpr const char* name = "Contiguous";
  bool allow_col_major;
  explicit Contiguous(bool c) : allow_col_major(c) {}
  template <class V>
  void attributes(V& v) const { v("allow_col_major", allow_col_major); }
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays& g, const std::vector<int>&,
                            const Arrays&) const override {
    return g;
  }
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

// The bytes as another dtype. Has no derivative.
class ViewAs final : public OpClass<ViewAs> {
 public:
  static constexpr const char* name = "View";
  Dtype dtype;
  explicit ViewAs(Dtype t) : dtype(t) {}
  template <class V>
  void attributes(V& v) const { v("dtype", dtype); }
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// Its first inputs, as many as there are outputs, unchanged; the rest are only waited for.
class Depends final : public OpClass<Depends> {
 public:
  static constexpr const char* name = "Depends";
  int count;
  explicit Depends(int n) : count(n) {}
  template <class V>
  void attributes(V& v) const { v("count", count); }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// A border of input 1, a scalar, around input 0.
class Pad final : public OpClass<Pad> {
 public:
  static constexpr const char* name = "Pad";
  Shape before;  // one per axis
  Shape after;
  Pad(Shape b, Shape a) : before(std::move(b)), after(std::move(a)) {}
  template <class V>
  void attributes(V& v) const {
    v("before", before);
    v("after", after);
  }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

}  // namespace heddle
