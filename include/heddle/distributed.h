// Communication between processes, for programs written for several. This build connects none:
// every group is of one process, in which the collective operations give back what they get.
#pragma once

#include <optional>
#include <string>

#include "heddle/array.h"

namespace heddle::distributed {

// The processes that communicate.
class Group {
 public:
  int rank() const { return 0; }
  int size() const { return 1; }
  // Always throws std::runtime_error: one process cannot be divided.
  Group split(int color, int key = -1) const;
};

bool is_available(const std::string& backend = "any");  // "any" and "ring" are

// The group of all processes. With `strict` std::runtime_error, because no backend connects
// processes; std::invalid_argument for a backend that MLX does not know.
Group init(bool strict = false, const std::string& backend = "any");

Array all_sum(const Array& x, const std::optional<Group>& group = {}, StreamOrDevice s = {});
Array all_max(const Array& x, const std::optional<Group>& group = {}, StreamOrDevice s = {});
Array all_min(const Array& x, const std::optional<Group>& group = {}, StreamOrDevice s = {});
// The arrays of the group joined along the first axis; this process's part of the sum.
Array all_gather(const Array& x, const std::optional<Group>& group = {}, StreamOrDevice s = {});
Array sum_scatter(const Array& x, const std::optional<Group>& group = {}, StreamOrDevice s = {});

// To and from another process: std::invalid_argument in a group of one.
Array send(const Array& x, int dst, const std::optional<Group>& group = {}, StreamOrDevice s = {});
Array recv(const Shape& shape, Dtype dtype, int src, const std::optional<Group>& group = {},
           StreamOrDevice s = {});
Array recv_like(const Array& x, int src, const std::optional<Group>& group = {},
                StreamOrDevice s = {});

}  // namespace heddle::distributed
