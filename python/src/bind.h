// What the binding files share. Each file binds one family and offers one `bind_...` function, which
// module.cpp calls. Bindings convert arguments and results; they hold no engine logic.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/heddle.h"

namespace heddle::python {

namespace nb = nanobind;
using namespace nb::literals;

// An array from what MLX takes for one: arrays, Python and numpy scalars, nested lists and tuples,
// buffers, DLPack, objects with __mlx_array__. Throws ValueError or TypeError as mx.array does.
Array to_array(nb::handle value, std::optional<Dtype> dtype = std::nullopt);

// The two operands of a binary op: a Python scalar is weak and takes the dtype of the array beside it
// (mlx-like rules), a numpy value is cast to the array's dtype.
std::pair<Array, Array> to_operands(nb::handle a, nb::handle b);

// True for a heddle array; then `array_of` gives it without a conversion.
bool is_array(nb::handle value);
const Array& array_of(nb::handle value);

// A shape from an int or a sequence of ints; OverflowError beyond 2^31 - 1.
Shape to_shape(nb::handle value);

// An optional axis or sequence of axes. None: all axes.
using AxisArg = std::variant<std::monostate, int, std::vector<int>>;
std::vector<int> to_axes(const AxisArg& axis, int ndim);

// Last parameter of nearly every op: None, Stream, ThreadLocalStream, Device or DeviceType.
// A nanobind caster for StreamOrDevice stands below, so functions simply take one.

void bind_dtype(nb::module_& m);
void bind_device(nb::module_& m);
void bind_memory(nb::module_& m);
void bind_array(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_shape(nb::module_& m);
void bind_creation(nb::module_& m);
void bind_reduce(nb::module_& m);
void bind_wrapper(nb::module_& m);
void bind_gradients(nb::module_& m);
void bind_vmap(nb::module_& m);
void bind_custom_function(nb::module_& m);
void bind_compile(nb::module_& m);

}  // namespace heddle::python
