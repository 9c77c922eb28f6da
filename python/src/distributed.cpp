// The module `distributed` for one process: MLX programs written for several find a group of size
// 1, in which the collective operations give back what they get.
#include "heddle/distributed.h"

#include "bind.h"

namespace heddle::python {
namespace {

using distributed::Group;

std::optional<Group> given(const Group* group) {
  return group ? std::optional(*group) : std::nullopt;
}

using Collective = Array (*)(const Array&, const std::optional<Group>&, StreamOrDevice);

void bind_collective(nb::module_& m, const char* name, Collective collective, const char* doc) {
  m.def(
      name,
      [collective](nb::handle x, const Group* group, const StreamOrDevice& s) {
        return collective(to_operand(x), given(group), s);
      },
      "x"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(), doc);
}

}  // namespace

void bind_distributed(nb::module_& parent) {
  nb::module_ m = parent.def_submodule(
      "distributed", "Communication between processes; this build knows groups of one process.");
  nb::class_<Group>(m, "Group", "A set of processes that communicate.")
      .def("rank", &Group::rank, "The number of this process in the group.")
      .def("size", &Group::size, "The number of processes.")
      .def("split", &Group::split, "color"_a, "key"_a = -1,
           "A group of one cannot be split: raises RuntimeError.");
  m.def("is_available", &distributed::is_available, "backend"_a = "any",
        "Whether a backend exists; ``\"any\"`` and ``\"ring\"`` do.");
  m.def(
      "init",
      [](bool strict, const std::string& backend, nb::handle) {
        return distributed::init(strict, backend);
      },
      "strict"_a = false, "backend"_a = "any", nb::kw_only(), "all_gather_factory"_a = nb::none(),
      R"(
The group of all processes, which is this one.

Raises RuntimeError if `strict` is true, because no backend connects processes, and ValueError for an
unknown backend.)");
  bind_collective(m, "all_sum", &distributed::all_sum, "The sum over the group.");
  bind_collective(m, "all_max", &distributed::all_max, "The maximum over the group.");
  bind_collective(m, "all_min", &distributed::all_min, "The minimum over the group.");
  bind_collective(m, "all_gather", &distributed::all_gather,
                  "The arrays of the group joined along the first axis.");
  bind_collective(m, "sum_scatter", &distributed::sum_scatter,
                  "This process's part of the sum over the group.");
  m.def(
      "send",
      [](const Array& x, int dst, const Group* group, const StreamOrDevice& s) {
        return distributed::send(x, dst, given(group), s);
      },
      "x"_a, "dst"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(),
      "Sends to another process. Raises ValueError in a group of one.");
  m.def(
      "recv",
      [](const std::vector<int64_t>& shape, Dtype dtype, int src, const Group* group,
         const StreamOrDevice& s) {
        return distributed::recv(Shape(shape), dtype, src, given(group), s);
      },
      "shape"_a, "dtype"_a, "src"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(),
      "Receives from another process. Raises ValueError in a group of one.");
  m.def(
      "recv_like",
      [](const Array& x, int src, const Group* group, const StreamOrDevice& s) {
        return distributed::recv_like(x, src, given(group), s);
      },
      "x"_a, "src"_a, nb::kw_only(), "group"_a = nb::none(), "stream"_a = nb::none(),
      "Receives an array like `x`. Raises ValueError in a group of one.");
}

}  // namespace heddle::python
