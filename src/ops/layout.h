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
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

// Its adjoint: an array of shape `target` with the elements of the input added where a view of
// these strides shows them.
class AsStridedAdjoint final : public OpClass<AsStridedAdjoint> {
 public:
  static constexpr const char* name = "AsStridedAdjoint";
  Shape target;
  Strides strides;
  int64_t offset;
  AsStridedAdjoint(Shape to, Strides t, int64_t o)
      : target(std::move(to)), strides(std::move(t)), offset(o) {}
  template <class V>
  void attributes(V& v) const {
    v("target", target);
    v("strides", strides);
    v("offset", offset);
  }
  void check(const Arrays& in) const override;
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
  void attributes(V& v) const {
    v("allow_col_major", allow_col_major);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays& g, const std::vector<int>&,
                            const Arrays&) const override {
    return g;
  }
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

// The bytes as another dtype. Has no derivative.
class ViewAs final : public OpClass<ViewAs> {
 public:
  static constexpr const char* name = "View";
  Dtype dtype;
  explicit ViewAs(Dtype t) : dtype(t) {}
  template <class V>
  void attributes(V& v) const {
    v("dtype", dtype);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// Its first inputs, as many as there are outputs, unchanged; the rest are only waited for.
class Depends final : public OpClass<Depends> {
 public:
  static constexpr const char* name = "Depends";
  int count;
  explicit Depends(int n) : count(n) {}
  template <class V>
  void attributes(V& v) const {
    v("count", count);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
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
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

// A border of elements of the array itself.
enum class BorderMode : uint8_t { edge, reflect, symmetric };
class BorderPad final : public OpClass<BorderPad> {
 public:
  static constexpr const char* name = "BorderPad";
  Shape before;  // one per axis
  Shape after;
  BorderMode mode;
  BorderPad(Shape b, Shape a, BorderMode m) : before(std::move(b)), after(std::move(a)), mode(m) {}
  template <class V>
  void attributes(V& v) const {
    v("before", before);
    v("after", after);
    v("mode", mode);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool is_linear() const override { return true; }

  // The element of an axis of `size` that each element of the padded axis repeats.
  std::vector<int32_t> sources(size_t axis, int64_t size) const;
  bool follows_shapes() const override { return true; }
};

// The diagonals of the matrices that two axes span, along a new last axis; a view.
class Diagonal final : public OpClass<Diagonal> {
 public:
  static constexpr const char* name = "Diagonal";
  int offset;
  int axis1;
  int axis2;
  Diagonal(int o, int a, int b) : offset(o), axis1(a), axis2(b) {}
  template <class V>
  void attributes(V& v) const {
    v("offset", offset);
    v("axis1", axis1);
    v("axis2", axis2);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool is_linear() const override { return true; }

  // Coordinates of the first element, and how many there are.
  struct Line {
    int64_t row, column, count;
  };
  Line line(const Shape& shape) const;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
