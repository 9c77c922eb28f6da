#include "nn/rewrite_activations.h"

#include <cmath>
#include <numbers>

#include "heddle/nn/activations.h"
#include "transforms/pattern.h"

namespace heddle::nn {
namespace {

using namespace pattern;

constexpr int x = 0;

Array replaced(const Pattern& written, const Site& site, const Array& a,
               Array (*by)(const Array&)) {
  if (code_of(a) != Code::multiply && code_of(a) != Code::divide) return Array();
  const std::optional<Match> m = find(written, site, a);
  if (!m || !is_floating(a.dtype()) || (*m)[x].dtype() != a.dtype()) return Array();
  if ((*m)[x].shape() != a.shape()) return Array();
  const StreamContext here(site.stream);
  return by((*m)[x]);
}

// x (1 + f) / 2, whichever of the factors the half belongs to.
Pattern half_of(const Pattern& f) {
  return either({product({any(x), operation(Code::add, exactly(1), f)}, 0.5),
                 product({any(x), operation(Code::add, exactly(0.5), product({f}, 0.5))})});
}

Array gelu_of_parts(const Site& site, const Array& a) {
  static const Pattern written =
      half_of(operation(Code::erf, product({any(x)}, std::numbers::sqrt2 / 2)));
  return replaced(written, site, a, gelu);
}

Array gelu_approx_of_parts(const Site& site, const Array& a) {
  static const Pattern written = [] {
    constexpr double bend = 0.044715;
    const double slope = std::sqrt(2 * std::numbers::inv_pi);
    const Pattern cube =
        either({product({any(x), any(x), any(x)}, bend), product({any(x), squared(any(x))}, bend),
                product({operation(Code::power, any(x), exactly(3))}, bend)});
    const Pattern square =
        either({product({any(x), any(x)}, bend), product({squared(any(x))}, bend)});
    const Pattern sum = product({operation(Code::add, any(x), cube)}, slope);
    const Pattern factored = product({any(x), operation(Code::add, exactly(1), square)}, slope);
    return half_of(operation(Code::tanh, either({sum, factored})));
  }();
  return replaced(written, site, a, gelu_approx);
}

Array gelu_fast_approx_of_parts(const Site& site, const Array& a) {
  static const Pattern written =
      product({any(x), operation(Code::sigmoid, product({any(x)}, 1.702))});
  return replaced(written, site, a, gelu_fast_approx);
}

}  // namespace

Rules activation_rules() {
  return {gelu_of_parts, gelu_approx_of_parts, gelu_fast_approx_of_parts};
}

}  // namespace heddle::nn
