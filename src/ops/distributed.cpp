#include "heddle/distributed.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "ops/checks.h"

namespace heddle::distributed {

Group Group::split(int, int) const {
  throw std::runtime_error("Cannot split the distributed group further.");
}

bool is_available(const std::string& backend) { return backend == "any" || backend == "ring"; }

Group init(bool strict, const std::string& backend) {
  static constexpr const char* backends[] = {"any", "mpi", "nccl", "jaccl", "ring"};
  if (std::find(std::begin(backends), std::end(backends), backend) == std::end(backends)) {
    refuse("distributed",
           "The only valid values for backend are 'any', 'mpi', 'nccl', 'jaccl' and "
           "'ring' but '{}' was provided.",
           backend);
  }
  if (strict) throw std::runtime_error("[distributed] Couldn't initialize any backend");
  return {};
}

Array all_sum(const Array& x, const std::optional<Group>&, StreamOrDevice) { return x; }
Array all_max(const Array& x, const std::optional<Group>&, StreamOrDevice) { return x; }
Array all_min(const Array& x, const std::optional<Group>&, StreamOrDevice) { return x; }
Array all_gather(const Array& x, const std::optional<Group>&, StreamOrDevice) { return x; }
Array sum_scatter(const Array& x, const std::optional<Group>&, StreamOrDevice) { return x; }

Array send(const Array&, int, const std::optional<Group>&, StreamOrDevice) {
  throw std::invalid_argument("Cannot send to a singleton group");
}
Array recv(const Shape&, Dtype, int, const std::optional<Group>&, StreamOrDevice) {
  throw std::invalid_argument("Cannot recv from a singleton group");
}
Array recv_like(const Array&, int, const std::optional<Group>&, StreamOrDevice) {
  throw std::invalid_argument("Cannot recv from a singleton group");
}

}  // namespace heddle::distributed
