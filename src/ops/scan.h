// Scans along one axis.
#pragma once

#include "core/op.h"
#include "core/scan.h"

namespace heddle {

class Scan final : public OpClass<Scan> {
 public:
  static constexpr const char* name = "Scan";
  ScanKind kind;
  int axis;
  bool reverse;
  bool inclusive;
  Scan(ScanKind k, int a, bool r, bool i) : kind(k), axis(a), reverse(r), inclusive(i) {}
  template <class V>
  void attributes(V& v) const {
    v("kind", kind);
    v("axis", axis);
    v("reverse", reverse);
    v("inclusive", inclusive);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return kind == ScanKind::sum; }
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
