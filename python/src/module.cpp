// The extension heddle.core: calls the binding of every family. The classes come first, because
// signatures name them.
#include <string>

#include "bind.h"
#include "heddle/version.h"
#include "nn.h"

namespace nb = nanobind;

namespace {

// The classes of the engine are made once, for one interpreter. nanobind has given this module the
// other interpreter's by now: it gets back its own.
void refuse_subinterpreters() {
  static auto* own = nb::detail::internals;
  if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0) {
    own = nb::detail::internals;
    return;
  }
  nb::detail::internals = own;
  throw std::runtime_error(
      "heddle.core works in the main interpreter of a process; import it there, or in a process of "
      "its own.");
}

}  // namespace

NB_MODULE(core, m) {
  using namespace heddle::python;
  refuse_subinterpreters();
  m.doc() =
      "heddle.core: arrays, operations on them and transformations of functions, as in mlx.core.";
  m.attr("__version__") = std::string(heddle::version()).c_str();
  // The dtype objects live as long as the process.
  nb::set_leak_warnings(false);
  bind_errors(m);
  bind_dtype(m);
  bind_device(m);
  bind_array(m);
  bind_printing(m);
  bind_interchange(m);
  bind_evaluation(m);
  bind_memory(m);
  bind_distributed(m);
  bind_pointwise(m);
  bind_shape(m);
  bind_creation(m);
  bind_index(m);
  bind_reduce(m);
  bind_scan(m);
  bind_sort(m);
  bind_random(m);
  bind_fast(m);
  bind_wrapper(m);
  bind_gradients(m);
  bind_vmap(m);
  bind_custom_function(m);
  bind_primitive(m);
  bind_compile(m);
  bind_products(m);
  bind_quantized(m);
  bind_block_products(m);
  bind_convolution(m);
  bind_linalg(m);
  bind_fft(m);
  bind_io(m);
  bind_export(m);
  bind_program(m);
  bind_nn(m);
  bind_optim(m);
  bind_introspection(m);
  explain_calls(m);
}
