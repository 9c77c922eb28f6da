// The bindings that heddle.nn and heddle.optimizers stand on: recurrent layers and GPU kernels in
// the submodule `fast`, and the private submodules `_nn` and `_optim`.
#pragma once

#include "bind.h"

namespace heddle::python {

void bind_recurrent(nb::module_& fast);
void bind_gpu_kernels(nb::module_& fast);
void bind_nn(nb::module_& m);
void bind_nn_functions(nb::module_& nn);  // what layers compute from their parameters
void bind_optim(nb::module_& m);

}  // namespace heddle::python
