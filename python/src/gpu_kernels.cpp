// Kernels written in the languages of GPUs. They can be described, as programs do when they are
// imported, and say at the call that there is no GPU to run them.
#include "heddle/gpu_kernels.h"

#include "bind.h"
#include "nn.h"

namespace heddle::python {
namespace {

using Names = std::vector<std::string>;

void check_outputs(const char* op, const Names& output_names) {
  if (output_names.empty()) {
    throw std::invalid_argument(std::string("[") + op + "] Must specify at least one output.");
  }
}

void check_compile_options(nb::handle options) {
  if (options.is_none()) return;
  if (!PyDict_Check(options.ptr())) {
    throw std::invalid_argument("[metal_kernel] Expected `compile_options` to be a dict.");
  }
  for (auto [key, value] : nb::borrow<nb::dict>(options)) {
    std::string name = nb::str(key).c_str();
    if (name != "math_mode") {
      throw std::invalid_argument("[metal_kernel] Unknown compile option `" + name + "`.");
    }
    std::string mode = nb::str(value).c_str();
    if (mode != "safe" && mode != "relaxed" && mode != "fast") {
      throw std::invalid_argument(
          "[metal_kernel] Expected math_mode to be 'safe', 'relaxed', or 'fast'.");
    }
  }
}

// A function with the parameters of a kernel, which raises RuntimeError.
nb::object refusing_kernel(const char* message) {
  return nb::cpp_function(
      [message](nb::handle, nb::handle, nb::handle, nb::handle, nb::handle, nb::handle, nb::handle,
                bool, const StreamOrDevice&) -> nb::object { throw std::runtime_error(message); },
      nb::kw_only(), "inputs"_a, "output_shapes"_a, "output_dtypes"_a, "grid"_a, "threadgroup"_a,
      "template"_a = nb::none(), "init_value"_a = nb::none(), "verbose"_a = false,
      "stream"_a = nb::none(), nb::name("kernel"), "Raises RuntimeError: there is no GPU.");
}

}  // namespace

void bind_gpu_kernels(nb::module_& fast) {
  fast.def(
      "metal_kernel",
      [](const std::string&, const Names&, const Names& output_names, const std::string&,
         const std::string&, bool, bool, nb::handle compile_options) {
        check_outputs("metal_kernel", output_names);
        check_compile_options(compile_options);
        return refusing_kernel(heddle::fast::metal_source_refused);
      },
      "name"_a, "input_names"_a, "output_names"_a, "source"_a, "header"_a = "",
      "ensure_row_contiguous"_a = true, "atomic_outputs"_a = false,
      "compile_options"_a = nb::none(), R"(
Describes a kernel in Metal's language. Calling it raises RuntimeError: it cannot run on a CPU.)");
  fast.def(
      "cuda_kernel",
      [](const std::string&, const Names&, const Names& output_names, const std::string&,
         const std::string&, bool, int) {
        check_outputs("cuda_kernel", output_names);
        return refusing_kernel(heddle::fast::cuda_source_refused);
      },
      "name"_a, "input_names"_a, "output_names"_a, "source"_a, "header"_a = "",
      "ensure_row_contiguous"_a = true, "shared_memory"_a = 0, R"(
Describes a kernel in CUDA's language. Calling it raises RuntimeError: it cannot run on a CPU.)");
  fast.def(
      "precompiled_cuda_kernel",
      [](const std::string&, nb::bytes, nb::handle, nb::handle, nb::handle, nb::handle, nb::handle,
         nb::handle, int, nb::handle, bool, const StreamOrDevice&) -> nb::object {
        throw std::runtime_error(heddle::fast::cuda_binary_refused);
      },
      nb::kw_only(), "name"_a, "compiled_source"_a, "inputs"_a, "output_shapes"_a,
      "output_dtypes"_a, "scalars"_a, "grid"_a, "threadgroup"_a, "shared_memory"_a = 0,
      "init_value"_a = nb::none(), "ensure_row_contiguous"_a = false, "stream"_a = nb::none(), R"(
Runs a kernel compiled for CUDA. Raises RuntimeError: it cannot run on a CPU.)");
}

}  // namespace heddle::python
