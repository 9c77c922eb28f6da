// Scans along one axis.
#pragma once

#include "core/op.h"
#include "core/scan.h"

namespace heddle {

struct Scan {
  ScanKind kind;
  Axis axis;
  bool reverse;
  bool inclusive;
  void fields(auto& v) {
    v("kind", kind)("axis", axis)("reverse", reverse)("inclusive", inclusive);
  }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  bool is_linear() const { return kind == ScanKind::sum; }
};

}  // namespace heddle
