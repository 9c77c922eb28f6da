// The op behind custom_function and checkpoint. Its inputs are the arguments and then the results
// that the function computed from them; it passes the results on, with the rules of the caller.
#pragma once

#include "core/op.h"
#include "heddle/transforms.h"

namespace heddle {

struct CustomTransforms {
  static constexpr bool opaque = true;
  int output_count;
  CustomRules rules;
  void fields(auto& v) { v("output_count", output_count); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;

 private:
  size_t argument_count(const Arrays& in) const {
    return in.size() - static_cast<size_t>(output_count);
  }
};

}  // namespace heddle
