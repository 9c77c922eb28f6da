// Softmax and the logarithm of a sum of exponentials over the last axis, of floating numbers.
// Other axes and complex numbers are composed of other ops.
#pragma once

#include "core/op.h"

namespace heddle {

struct Softmax {
  bool precise;  // files record it; the kernel is always precise
  void fields(auto& v) { v("precise", precise); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

// The last axis stays as size one.
struct LogSumExp {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

}  // namespace heddle
