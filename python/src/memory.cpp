// Memory statistics and limits, and the modules `metal` and `cuda`, which exist on every platform.
#include <cstdio>

#include "bind.h"

namespace heddle::python {
namespace {

size_t array_buffer_size(const nb::args& trees) {
  Arrays arrays;
  visit_arrays(trees, [&](const Array& a) { arrays.push_back(a); });
  return get_array_buffer_size(arrays);
}

// MLX keeps its former names in `metal`, each with a note on stderr.
template <class F>
void deprecated(nb::module_& m, const char* name, F f) {
  auto forward = [name, f](auto... args) {
    std::fprintf(stderr,
                 "mx.metal.%s is deprecated and will be removed in a future version. Use mx.%s "
                 "instead.\n",
                 name, name);
    return f(args...);
  };
  std::string doc = std::string("Deprecated: use ``mx.") + name + "``.";
  if constexpr (std::is_invocable_v<F, size_t>) {
    m.def(
        name, [forward](size_t limit) { return forward(limit); }, "limit"_a, doc.c_str());
  } else {
    m.def(
        name, [forward]() { return forward(); }, doc.c_str());
  }
}

void bind_metal(nb::module_& m) {
  nb::module_ metal = m.def_submodule("metal", "Metal is not part of this build.");
  metal.def(
      "is_available", [] { return false; }, "False: this build has no Metal.");
  deprecated(metal, "get_active_memory", &get_active_memory);
  deprecated(metal, "get_peak_memory", &get_peak_memory);
  deprecated(metal, "reset_peak_memory", &reset_peak_memory);
  deprecated(metal, "get_cache_memory", &get_cache_memory);
  deprecated(metal, "set_memory_limit", &set_memory_limit);
  deprecated(metal, "set_cache_limit", &set_cache_limit);
  deprecated(metal, "set_wired_limit", &set_wired_limit);
  deprecated(metal, "clear_cache", &clear_cache);
  deprecated(metal, "device_info", [] { return nb::dict(); });
  metal.def(
      "start_capture", [](const std::string&) {}, "path"_a, "Does nothing without Metal.");
  metal.def(
      "stop_capture", [] {}, "Does nothing without Metal.");
}

}  // namespace

void bind_memory(nb::module_& m) {
  m.def("get_active_memory", &get_active_memory, "Bytes that living arrays asked for.");
  m.def("get_peak_memory", &get_peak_memory,
        "The most bytes in use at any allocation since the start or the last reset.");
  m.def("reset_peak_memory", &reset_peak_memory, "Sets the peak to 0.");
  m.def("get_cache_memory", &get_cache_memory, "Bytes of freed buffers kept for reuse.");
  m.def("get_memory_limit", &get_memory_limit, "The memory limit in bytes.");
  m.def("set_memory_limit", &set_memory_limit, "limit"_a, R"(
Sets the memory limit in bytes and returns the former one.

An allocation beyond the limit first empties the cache.)");
  m.def("set_cache_limit", &set_cache_limit, "limit"_a, R"(
Sets how many bytes of freed buffers may be kept and returns the former limit; 0 keeps none.)");
  m.def("set_wired_limit", &set_wired_limit, "limit"_a,
        "A CPU wires no memory: accepts any limit and returns 0.");
  m.def("clear_cache", &clear_cache, "Gives the kept buffers back to the system.");
  m.def("get_array_buffer_size", &array_buffer_size,
        nb::sig("def get_array_buffer_size(*args: object) -> int"), R"(
The bytes of the buffers behind the arrays in trees of lists, tuples and dicts.

A buffer shared by several arrays counts once; leaves that are not arrays count nothing.
Raises ValueError if an array is not evaluated.)");

  bind_metal(m);
  nb::module_ cuda = m.def_submodule("cuda", "CUDA is not part of this build.");
  cuda.def(
      "is_available", [] { return false; }, "False: this build has no CUDA.");
}

}  // namespace heddle::python
