// Ops that rearrange elements.
#pragma once

#include "core/op.h"

namespace heddle {

class Broadcast final : public OpClass<Broadcast> {
 public:
  static constexpr const char* name = "Broadcast";
  Shape shape;
  explicit Broadcast(Shape s) : shape(std::move(s)) {}
  template <class V>
  void attributes(V& v) const { v("shape", shape); }
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
  void attributes(V& v) const { v("shape", shape); }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

class Transpose final : public OpClass<Transpose> {
 public:
  static constexpr const char* name = "Transpose";
  std::vector<int> axes;  // result dimension i is input dimension axes[i]
  explicit Transpose(std::vector<int> a) : axes(std::move(a)) {}
  template <class V>
  void attributes(V& v) const { v("axes", axes); }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

}  // namespace heddle
