// Communication in a group of one process (heddle/distributed.h).
#pragma once

#include <optional>

#include "mlx/distributed/distributed.h"
#include "mlx/stream.h"

namespace mlx::core::distributed {

namespace detail {

inline std::optional<heddle::distributed::Group> in(const std::optional<Group>& group) {
  return group ? std::optional<heddle::distributed::Group>(*group) : std::nullopt;
}

}  // namespace detail

inline array all_sum(const array& x, std::optional<Group> group = std::nullopt,
                     StreamOrDevice s = {}) {
  return heddle::distributed::all_sum(x, detail::in(group), core::detail::in(s));
}
inline array all_max(const array& x, std::optional<Group> group = std::nullopt,
                     StreamOrDevice s = {}) {
  return heddle::distributed::all_max(x, detail::in(group), core::detail::in(s));
}
inline array all_min(const array& x, std::optional<Group> group = std::nullopt,
                     StreamOrDevice s = {}) {
  return heddle::distributed::all_min(x, detail::in(group), core::detail::in(s));
}
inline array all_gather(const array& x, std::optional<Group> group = std::nullopt,
                        StreamOrDevice s = {}) {
  return heddle::distributed::all_gather(x, detail::in(group), core::detail::in(s));
}
inline array sum_scatter(const array& x, std::optional<Group> group = std::nullopt,
                         StreamOrDevice s = {}) {
  return heddle::distributed::sum_scatter(x, detail::in(group), core::detail::in(s));
}
inline array send(const array& x, int dst, std::optional<Group> group = std::nullopt,
                  StreamOrDevice s = {}) {
  return heddle::distributed::send(x, dst, detail::in(group), core::detail::in(s));
}
inline array recv(Shape shape, Dtype dtype, int src, std::optional<Group> group = std::nullopt,
                  StreamOrDevice s = {}) {
  return heddle::distributed::recv(core::detail::in(shape), dtype, src, detail::in(group),
                                   core::detail::in(s));
}
inline array recv_like(const array& x, int src, std::optional<Group> group = std::nullopt,
                       StreamOrDevice s = {}) {
  return heddle::distributed::recv_like(x, src, detail::in(group), core::detail::in(s));
}

}  // namespace mlx::core::distributed
