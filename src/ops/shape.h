// Ops that give the same elements another shape or order. All are views where strides allow.
#pragma once

#include "core/op.h"

namespace heddle {

class Broadcast final : public OpClass<Broadcast> {
 public:
  static constexpr const char* name = "Broadcast";
  Shape shape;
  explicit Broadcast(Shape s) : shape(std::move(s)) {}
  template <class V>
  void attributes(V& v) const {
    v("shape", shape);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

// Row-major order kept, other dimensions. One dimension may be -1 (kept so in shapeless programs).
class Reshape final : public OpClass<Reshape> {
 public:
  static constexpr const char* name = "Reshape";
  Shape shape;
  explicit Reshape(Shape s) : shape(std::move(s)) {}
  template <class V>
  void attributes(V& v) const {
    v("shape", shape);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

// Axes start..end become one.
class Flatten final : public OpClass<Flatten> {
 public:
  static constexpr const char* name = "Flatten";
  int start_axis;
  int end_axis;
  Flatten(int start, int end) : start_axis(start), end_axis(end) {}
  template <class V>
  void attributes(V& v) const {
    v("start_axis", start_axis);
    v("end_axis", end_axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

// One axis becomes several, of which one may be -1.
class Unflatten final : public OpClass<Unflatten> {
 public:
  static constexpr const char* name = "Unflatten";
  int axis;
  Shape shape;
  Unflatten(int a, Shape s) : axis(a), shape(std::move(s)) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
    v("shape", shape);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

// Drops axes of size one.
class Squeeze final : public OpClass<Squeeze> {
 public:
  static constexpr const char* name = "Squeeze";
  std::vector<int> axes;  // sorted
  explicit Squeeze(std::vector<int> a) : axes(std::move(a)) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

// Puts in axes of size one, counted in the result.
class ExpandDims final : public OpClass<ExpandDims> {
 public:
  static constexpr const char* name = "ExpandDims";
  std::vector<int> axes;  // sorted
  explicit ExpandDims(std::vector<int> a) : axes(std::move(a)) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

class Transpose final : public OpClass<Transpose> {
 public:
  static constexpr const char* name = "Transpose";
  std::vector<int> axes;  // result dimension i is input dimension axes[i]
  explicit Transpose(std::vector<int> a) : axes(std::move(a)) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
