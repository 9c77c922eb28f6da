// Reading and writing parts of arrays. No index reads or writes outside of an array.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "heddle/ops/index.h"
#include "mlx/utils.h"

namespace mlx::core {

inline array slice(const array& a, Shape start, Shape stop, Shape strides, StreamOrDevice s = {}) {
  return heddle::slice(a, detail::in(start), detail::in(stop), detail::in(strides), detail::in(s));
}
inline array slice(const array& a, Shape start, Shape stop, StreamOrDevice s = {}) {
  return heddle::slice(a, detail::in(start), detail::in(stop), detail::in(s));
}
inline array slice(const array& a, const array& start, std::vector<int> axes, Shape slice_size,
                   StreamOrDevice s = {}) {
  return heddle::dynamic_slice(a, start, axes, detail::in(slice_size), detail::in(s));
}
inline array slice(const array& a, std::initializer_list<int> start, Shape stop, Shape strides,
                   StreamOrDevice s = {}) {
  return slice(a, Shape(start), std::move(stop), std::move(strides), s);
}
inline array slice_update(const array& src, const array& update, Shape start, Shape stop,
                          Shape strides, StreamOrDevice s = {}) {
  return heddle::slice_update(src, update, detail::in(start), detail::in(stop), detail::in(strides),
                              heddle::Combine::assign, detail::in(s));
}
inline array slice_update(const array& src, const array& update, Shape start, Shape stop,
                          StreamOrDevice s = {}) {
  return heddle::slice_update(src, update, detail::in(start), detail::in(stop), detail::in(s));
}
inline array slice_update(const array& src, const array& update, const array& start,
                          std::vector<int> axes, StreamOrDevice s = {}) {
  return heddle::dynamic_slice_update(src, update, start, axes, detail::in(s));
}
inline array slice_update_add(const array& src, const array& update, Shape start, Shape stop,
                              Shape strides, StreamOrDevice s = {}) {
  return heddle::slice_update_add(src, update, detail::in(start), detail::in(stop),
                                  detail::in(strides), detail::in(s));
}
inline array slice_update_add(const array& src, const array& update, Shape start, Shape stop,
                              StreamOrDevice s = {}) {
  return slice_update_add(src, update, std::move(start), std::move(stop), Shape(src.ndim(), 1), s);
}
inline array slice_update_prod(const array& src, const array& update, Shape start, Shape stop,
                               Shape strides, StreamOrDevice s = {}) {
  return heddle::slice_update_prod(src, update, detail::in(start), detail::in(stop),
                                   detail::in(strides), detail::in(s));
}
inline array slice_update_prod(const array& src, const array& update, Shape start, Shape stop,
                               StreamOrDevice s = {}) {
  return slice_update_prod(src, update, std::move(start), std::move(stop), Shape(src.ndim(), 1), s);
}
inline array slice_update_max(const array& src, const array& update, Shape start, Shape stop,
                              Shape strides, StreamOrDevice s = {}) {
  return heddle::slice_update_max(src, update, detail::in(start), detail::in(stop),
                                  detail::in(strides), detail::in(s));
}
inline array slice_update_max(const array& src, const array& update, Shape start, Shape stop,
                              StreamOrDevice s = {}) {
  return slice_update_max(src, update, std::move(start), std::move(stop), Shape(src.ndim(), 1), s);
}
inline array slice_update_min(const array& src, const array& update, Shape start, Shape stop,
                              Shape strides, StreamOrDevice s = {}) {
  return heddle::slice_update_min(src, update, detail::in(start), detail::in(stop),
                                  detail::in(strides), detail::in(s));
}
inline array slice_update_min(const array& src, const array& update, Shape start, Shape stop,
                              StreamOrDevice s = {}) {
  return slice_update_min(src, update, std::move(start), std::move(stop), Shape(src.ndim(), 1), s);
}
inline array gather(const array& a, const std::vector<array>& indices, const std::vector<int>& axes,
                    const Shape& slice_sizes, StreamOrDevice s = {}) {
  return detail::as_invalid_argument([&]() -> array {
    return heddle::gather(a, detail::in(indices), axes, detail::in(slice_sizes), detail::in(s));
  });
}
inline array gather(const array& a, const array& indices, int axis, const Shape& slice_sizes,
                    StreamOrDevice s = {}) {
  return gather(a, std::vector<array>{indices}, std::vector<int>{axis}, slice_sizes, s);
}
inline array scatter(const array& a, const std::vector<array>& indices, const array& updates,
                     const std::vector<int>& axes, StreamOrDevice s = {}) {
  return detail::as_invalid_argument([&]() -> array {
    return heddle::scatter(a, detail::in(indices), updates, axes, heddle::Combine::assign,
                           detail::in(s));
  });
}
inline array scatter(const array& a, const array& indices, const array& updates, int axis,
                     StreamOrDevice s = {}) {
  return scatter(a, std::vector<array>{indices}, updates, std::vector<int>{axis}, s);
}
inline array scatter_add(const array& a, const std::vector<array>& indices, const array& updates,
                         const std::vector<int>& axes, StreamOrDevice s = {}) {
  return detail::as_invalid_argument([&]() -> array {
    return heddle::scatter_add(a, detail::in(indices), updates, axes, detail::in(s));
  });
}
inline array scatter_add(const array& a, const array& indices, const array& updates, int axis,
                         StreamOrDevice s = {}) {
  return scatter_add(a, std::vector<array>{indices}, updates, std::vector<int>{axis}, s);
}
inline array scatter_prod(const array& a, const std::vector<array>& indices, const array& updates,
                          const std::vector<int>& axes, StreamOrDevice s = {}) {
  return detail::as_invalid_argument([&]() -> array {
    return heddle::scatter_prod(a, detail::in(indices), updates, axes, detail::in(s));
  });
}
inline array scatter_prod(const array& a, const array& indices, const array& updates, int axis,
                          StreamOrDevice s = {}) {
  return scatter_prod(a, std::vector<array>{indices}, updates, std::vector<int>{axis}, s);
}
inline array scatter_max(const array& a, const std::vector<array>& indices, const array& updates,
                         const std::vector<int>& axes, StreamOrDevice s = {}) {
  return detail::as_invalid_argument([&]() -> array {
    return heddle::scatter_max(a, detail::in(indices), updates, axes, detail::in(s));
  });
}
inline array scatter_max(const array& a, const array& indices, const array& updates, int axis,
                         StreamOrDevice s = {}) {
  return scatter_max(a, std::vector<array>{indices}, updates, std::vector<int>{axis}, s);
}
inline array scatter_min(const array& a, const std::vector<array>& indices, const array& updates,
                         const std::vector<int>& axes, StreamOrDevice s = {}) {
  return detail::as_invalid_argument([&]() -> array {
    return heddle::scatter_min(a, detail::in(indices), updates, axes, detail::in(s));
  });
}
inline array scatter_min(const array& a, const array& indices, const array& updates, int axis,
                         StreamOrDevice s = {}) {
  return scatter_min(a, std::vector<array>{indices}, updates, std::vector<int>{axis}, s);
}
inline array take(const array& a, const array& indices, int axis, StreamOrDevice s = {}) {
  return heddle::take(a, indices, axis, detail::in(s));
}
inline array take(const array& a, int index, int axis, StreamOrDevice s = {}) {
  return heddle::take(a, index, axis, detail::in(s));
}
inline array take(const array& a, const array& indices, StreamOrDevice s = {}) {
  return heddle::take(a, indices, detail::in(s));
}
inline array take(const array& a, int index, StreamOrDevice s = {}) {
  return heddle::take(a, index, detail::in(s));
}
inline array take_along_axis(const array& a, const array& indices, int axis,
                             StreamOrDevice s = {}) {
  return heddle::take_along_axis(a, indices, axis, detail::in(s));
}
inline array put_along_axis(const array& a, const array& indices, const array& values, int axis,
                            StreamOrDevice s = {}) {
  return heddle::put_along_axis(a, indices, values, axis, detail::in(s));
}
inline array scatter_add_axis(const array& a, const array& indices, const array& values, int axis,
                              StreamOrDevice s = {}) {
  return heddle::scatter_add_axis(a, indices, values, axis, detail::in(s));
}
inline array masked_scatter(const array& a, const array& mask, const array& src,
                            StreamOrDevice s = {}) {
  return heddle::masked_scatter(a, mask, src, detail::in(s));
}

}  // namespace mlx::core
