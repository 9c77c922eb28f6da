#include "heddle/nn/activation_layers.h"

#include <fmt/format.h>

#include "heddle/nn/init.h"

namespace heddle::nn {

PReLU::PReLU(int64_t count, double initial) : weight(init::constant({count}, initial)) {}

GELU::GELU(const std::string& approximation) {
  if (approximation == "none") {
    function_ = gelu;
  } else if (approximation == "precise" || approximation == "tanh") {
    function_ = gelu_approx;
  } else if (approximation == "fast") {
    function_ = gelu_fast_approx;
  } else {
    throw std::invalid_argument(fmt::format(
        "The approximation should be in ['none', 'precise', 'tanh', 'fast'] but '{}' was given",
        approximation));
  }
}

}  // namespace heddle::nn
