// Reductions over axes.
#pragma once

#include "core/op.h"
#include "core/reduction.h"

namespace heddle {

// Sum, product, minimum, maximum, all, any. Reduced dimensions stay as size one; the public functions
// drop them by a reshape.
class Reduce final : public OpClass<Reduce> {
 public:
  static constexpr const char* name = "Reduce";
  Reduction reduction;
  std::vector<int> axes;  // sorted
  Reduce(Reduction r, std::vector<int> a) : reduction(r), axes(std::move(a)) {}
  template <class V>
  void attributes(V& v) const {
    v("reduction", reduction);
    v("axes", axes);
  }
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return reduction == Reduction::sum; }
};

}  // namespace heddle
