// Softmax and the logarithm of a sum of exponentials over the last axis, of floating numbers.
// Other axes and complex numbers are composed of other ops.
#pragma once

#include "core/op.h"

namespace heddle {

class Softmax final : public OpClass<Softmax> {
 public:
  static constexpr const char* name = "Softmax";
  bool precise;  // files record it; the kernel is always precise
  explicit Softmax(bool p) : precise(p) {}
  template <class V>
  void attributes(V& v) const {
    v("precise", precise);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// The last axis stays as size one.
class LogSumExp final : public OpClass<LogSumExp> {
 public:
  static constexpr const char* name = "LogSumExp";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
