// Sums of products by subscripts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "heddle/ops/products.h"
#include "mlx/utils.h"

namespace mlx::core {

inline array einsum(const std::string& subscripts, const std::vector<array>& operands,
                    StreamOrDevice s = {}) {
  return heddle::einsum(subscripts, detail::in(operands), detail::in(s));
}
inline std::pair<std::vector<std::vector<int>>, std::string> einsum_path(
    const std::string& subscripts, const std::vector<array>& operands) {
  return heddle::einsum_path(subscripts, detail::in(operands));
}

}  // namespace mlx::core
