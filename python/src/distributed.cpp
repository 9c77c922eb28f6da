// The module `distributed` for one process: MLX programs written for several find a group of size
// 1, in which the collective operations give back what they get.
#include <fmt/format.h>

#include <algorithm>

#include "bind.h"

namespace heddle::python {
namespace {

// The only process of its group.
struct Group {};

Group init(bool strict, const std::string& backend, nb::handle /*all_gather_factory*/) {
  static constexpr const char* backends[] = {"any", "mpi", "nccl", "jaccl", "ring"};
  if (std::find(std::begin(backends), std::end(backends), backend) == std::end(backends)) {
    throw std::invalid_argument(fmt::format(
        "[distributed] The only valid values for backend are 'any', 'mpi', 'nccl', 'jaccl' "
        "and 'ring' but '{}' was provided.",
        backend));
  }
  if (strict) throw std::runtime_error("[distributed] Couldn't initialize any backend");
  return {};
}

// What every collective operation is in a group of one.
Array same(nb::handle x, const Group*, const StreamOrDevice&) { return to_operand(x); }

void bind_collective(nb::module_& m, const char* name, const char* doc) {
  m.def(name, &same, "x"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(), doc);
}

}  // namespace

void bind_distributed(nb::module_& parent) {
  nb::module_ m = parent.def_submodule(
      "distributed", "Communication between processes; this build knows groups of one process.");
  nb::class_<Group>(m, "Group", "A set of processes that communicate.")
      .def(
          "rank", [](const Group&) { return 0; }, "The number of this process in the group.")
      .def(
          "size", [](const Group&) { return 1; }, "The number of processes.")
      .def(
          "split",
          [](const Group&, int, int) -> Group {
            throw std::runtime_error("Cannot split the distributed group further.");
          },
          "color"_a, "key"_a = -1, "A group of one cannot be split: raises RuntimeError.");
  m.def(
      "is_available",
      [](const std::string& backend) { return backend == "any" || backend == "ring"; },
      "backend"_a = "any", "Whether a backend exists; ``\"any\"`` and ``\"ring\"`` do.");
  m.def("init", &init, "strict"_a = false, "backend"_a = "any", nb::kw_only(),
        "all_gather_factory"_a = nb::none(), R"(
The group of all processes, which is this one.

Raises RuntimeError if `strict` is true, because no backend connects processes, and ValueError for an
unknown backend.)");
  bind_collective(m, "all_sum", "The sum over the group.");
  bind_collective(m, "all_max", "The maximum over the group.");
  bind_collective(m, "all_min", "The minimum over the group.");
  bind_collective(m, "all_gather", "The arrays of the group joined along the first axis.");
  bind_collective(m, "sum_scatter", "This process's part of the sum over the group.");
  m.def(
      "send",
      [](const Array&, int, const Group*, const StreamOrDevice&) -> Array {
        throw std::invalid_argument("Cannot send to a singleton group");
      },
      "x"_a, "dst"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(),
      "Sends to another process. Raises ValueError in a group of one.");
  m.def(
      "recv",
      [](nb::handle, Dtype, int, const Group*, const StreamOrDevice&) -> Array {
        throw std::invalid_argument("Cannot recv from a singleton group");
      },
      "shape"_a, "dtype"_a, "src"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(),
      "Receives from another process. Raises ValueError in a group of one.");
  m.def(
      "recv_like",
      [](const Array&, int, const Group*, const StreamOrDevice&) -> Array {
        throw std::invalid_argument("Cannot recv from a singleton group");
      },
      "x"_a, "src"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(),
      "Receives an array like `x`. Raises ValueError in a group of one.");
}

}  // namespace heddle::python
