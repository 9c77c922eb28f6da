#include "cpu/memory_order.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace heddle::cpu {

Order shape_order(size_t dimensions) {
  Order order(dimensions);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

Order memory_order(const Shape& shape, const Strides& strides) {
  Order order = shape_order(shape.size());
  const auto step = [&](int i) {
    const int64_t stride = std::abs(strides[static_cast<size_t>(i)]);
    return stride == 0 || shape[static_cast<size_t>(i)] == 1 ? INT64_MAX : stride;
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return step(a) > step(b); });
  return order;
}

View reordered(const View& view, const Order& order) {
  View out{view.data, view.dtype, Shape(order.size()), Strides(order.size())};
  for (size_t i = 0; i < order.size(); ++i) {
    out.shape[i] = view.shape[static_cast<size_t>(order[i])];
    out.strides[i] = view.strides[static_cast<size_t>(order[i])];
  }
  return out;
}

}  // namespace heddle::cpu
