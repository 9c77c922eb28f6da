// The op behind custom_function and checkpoint. Its inputs are the arguments and then the results
// that the function computed from them; it passes the results on, with the rules of the caller.
#pragma once

#include "core/op.h"
#include "heddle/transforms.h"

namespace heddle {

class CustomTransforms final : public OpClass<CustomTransforms> {
 public:
  static constexpr const char* name = "CustomTransforms";
  int output_count;
  CustomRules rules;
  CustomTransforms(int n, CustomRules r) : output_count(n), rules(std::move(r)) {}
  template <class V>
  void attributes(V& v) const {
    v("output_count", output_count);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_pure() const override { return false; }

 private:
  size_t argument_count(const Arrays& in) const {
    return in.size() - static_cast<size_t>(output_count);
  }
};

}  // namespace heddle
