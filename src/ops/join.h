// Joining arrays along an axis, and cutting them.
#pragma once

#include "core/op.h"

namespace heddle {

class Concatenate final : public OpClass<Concatenate> {
 public:
  static constexpr const char* name = "Concatenate";
  int axis;
  explicit Concatenate(int a) : axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
  bool follows_shapes() const override { return true; }
};

// Equal sections, or parts between indices (by the rules of slices); views.
class Split final : public OpClass<Split> {
 public:
  static constexpr const char* name = "Split";
  int axis;
  int sections;   // 0: by indices
  Shape indices;  // negative ones count from the end
  Split(int a, int n, Shape i) : axis(a), sections(n), indices(std::move(i)) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
    v("sections", sections);
    v("indices", indices);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }

  // First element and length of each part of an axis of `size` elements.
  std::vector<std::pair<int64_t, int64_t>> parts(int64_t size) const;
};

}  // namespace heddle
