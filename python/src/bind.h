// What the binding files share. Each file binds one family and offers one `bind_...` function,
// which module.cpp calls. Bindings convert arguments and results; they hold no engine logic.
//
// A family also attaches its array methods, beside the module functions:
//   array_class().def("sum", [](const Array& a, ...) { ... }, ...);
// and fills the operator slots that need its ops:
//   array_slots().matmul = [](PyObject* a, PyObject* b) -> PyObject* { ... };
// bind_array runs first, so the class is there for every other family.
//
// The GIL is always released before the engine's lock is waited for, because evaluation may want
// it: evaluate through evaluate() or inside ReleaseGil; GraphLock does it by itself (gil.h).
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "casters.h"
#include "gil.h"
#include "heddle/array.h"
#include "heddle/device.h"
#include "heddle/errors.h"
#include "heddle/export.h"
#include "heddle/io.h"
#include "heddle/memory.h"
#include "heddle/ops/random.h"
#include "heddle/transforms.h"
#include "heddle/type_info.h"
#include "heddle/version.h"

namespace heddle::python {

namespace nb = nanobind;
using namespace nb::literals;

// An array from what MLX takes for one: arrays, Python and numpy scalars, nested lists and tuples,
// buffers, DLPack, objects with __mlx_array__. Throws ValueError or TypeError as mx.array does.
Array to_array(nb::handle value, std::optional<Dtype> dtype = std::nullopt);

// The same for an operand of an op. A Python scalar is weak and takes the dtype of the array
// `beside` where it can (ValueError where the value does not fit), a numpy value is cast to it.
// Lists are refused.
Array to_operand(nb::handle value, std::optional<Dtype> beside = std::nullopt);

// The two operands of a binary op, each beside the other.
std::pair<Array, Array> to_operands(nb::handle a, nb::handle b);

// True for what to_operand takes.
bool is_operand(nb::handle value);

// A number of another class (fractions.Fraction, decimal.Decimal, NumPy scalars, user-made ones) as
// one of Python's own, by the first protocol that it has: __index__, __float__, __complex__. Null
// for what is no number.
nb::object as_number(nb::handle value);

// True for a heddle array; then `array_of` gives it without a conversion.
bool is_array(nb::handle value);
Array& array_of(nb::handle value);

// A new Python array; quicker than nb::cast.
nb::object wrap(Array array);

// True for `random.state`, which stands for the calling thread's key.
bool is_random_state(nb::handle value);

// One step into a nested container. So many are as deep as any tree is: a container that contains
// itself, and one that is deeper, is a RecursionError.
class TreeLevel {
 public:
  TreeLevel() {
    if (++depth > deepest) refuse();
  }
  ~TreeLevel() { --depth; }
  TreeLevel(const TreeLevel&) = delete;
  TreeLevel& operator=(const TreeLevel&) = delete;

  static constexpr int deepest = 1000;
  [[noreturn]] static void fail();  // raises the RecursionError

 private:
  [[noreturn]] static void refuse() {
    --depth;
    fail();
  }
  inline static thread_local int depth = 0;
};

// Calls f(array) for every array in a tree of lists, tuples and dicts; other leaves are passed
// over. `random.state` counts as a list of one array. `f` must not run Python code.
template <class F>
void visit_arrays(nb::handle tree, F&& f) {
  if (is_array(tree)) {
    f(array_of(tree));
  } else if (is_random_state(tree)) {
    f(random::state());
  } else if (PyList_Check(tree.ptr())) {
    TreeLevel level;
    for (Py_ssize_t i = 0; i < PyList_Size(tree.ptr()); i++) {
      visit_arrays(nb::handle(PyList_GetItem(tree.ptr(), i)), f);
    }
  } else if (PyTuple_Check(tree.ptr())) {
    TreeLevel level;
    for (Py_ssize_t i = 0; i < PyTuple_Size(tree.ptr()); i++) {
      visit_arrays(nb::handle(PyTuple_GetItem(tree.ptr(), i)), f);
    }
  } else if (PyDict_Check(tree.ptr())) {
    TreeLevel level;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(tree.ptr(), &at, &key, &value)) visit_arrays(nb::handle(value), f);
  }
}

// Computes with the GIL released.
void evaluate(const Array& array);
void evaluate(const Arrays& arrays);

// A shape from an int or a sequence of ints; OverflowError beyond 2^31 - 1.
Shape to_shape(nb::handle value);
nb::tuple from_shape(const Shape& shape);

// An optional axis or sequence of axes. None: all axes.
using AxisArg = std::variant<std::monostate, int, std::vector<int>>;
std::vector<int> to_axes(const AxisArg& axis, int ndim);

// Text that lives as long as the process: nanobind keeps pointers to signatures and documentation.
inline const char* keep(std::string text) {
  static std::deque<std::string> kept;
  return kept.emplace_back(std::move(text)).c_str();
}

// A submodule that `import heddle.core.name` finds as well.
inline nb::module_ add_submodule(nb::module_& m, const char* name, const char* doc) {
  nb::module_ sub = m.def_submodule(name, doc);
  nb::module_::import_("sys").attr("modules")[sub.attr("__name__")] = sub;
  return sub;
}

// The class `array`, for attaching methods to it.
nb::class_<Array> array_class();
// The class `ArrayAt`: what `x.at[index]` gives. Its methods (add, ...) belong to indexing.
struct ArrayAt {
  Array array;
  nb::object index;
};
nb::class_<ArrayAt> array_at_class();

// Slots that families fill. An empty one makes Python report the operation as unsupported.
// They follow the C API: a new reference, or null with an error set; errors thrown in C++ become
// Python errors through guarded().
struct ArraySlots {
  binaryfunc matmul = nullptr;  // either operand may be the array
  binaryfunc getitem = nullptr;
  objobjargproc setitem = nullptr;
};
ArraySlots& array_slots();

// Turns the exception in flight into the Python error that stands for it.
void set_python_error() noexcept;

// Runs f, which gives an nb::object, for a slot of the C API.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f().release().ptr();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

// The Python object of a dtype: one for each, a borrowed reference.
nb::handle dtype_object(Dtype dtype);
std::optional<Dtype> dtype_from(nb::handle object);  // nothing if it is not a Dtype

void bind_errors(nb::module_& m);
void bind_dtype(nb::module_& m);
void bind_device(nb::module_& m);
void bind_memory(nb::module_& m);
void bind_distributed(nb::module_& m);
void bind_printing(nb::module_& m);
void bind_array(nb::module_& m);
void bind_interchange(nb::module_& m);
void bind_evaluation(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_shape(nb::module_& m);
void bind_creation(nb::module_& m);
void bind_index(nb::module_& m);
void bind_reduce(nb::module_& m);
void bind_scan(nb::module_& m);
void bind_sort(nb::module_& m);
void bind_random(nb::module_& m);
void bind_fast(nb::module_& m);
void bind_wrapper(nb::module_& m);
void bind_gradients(nb::module_& m);
void bind_vmap(nb::module_& m);
void bind_custom_function(nb::module_& m);
void bind_compile(nb::module_& m);
void bind_products(nb::module_& m);
void bind_quantized(nb::module_& m);
void bind_block_products(nb::module_& m);
void bind_convolution(nb::module_& m);
void bind_linalg(nb::module_& m);
void bind_fft(nb::module_& m);
void bind_attention(nb::module_& fast);
void bind_io(nb::module_& m);
void bind_export(nb::module_& m);
void bind_program(nb::module_& m);
void bind_introspection(nb::module_& m);
void bind_primitive(nb::module_& m);
// Last, when all functions are there: a call that none of their signatures takes is answered by one
// line instead of a page (call_errors.cpp).
void explain_calls(nb::module_& m);

}  // namespace heddle::python

namespace nanobind::detail {

template <>
struct type_caster<heddle::Dtype> {
  NB_TYPE_CASTER(heddle::Dtype, const_name("heddle.core.Dtype"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    auto dtype = heddle::python::dtype_from(src);
    if (dtype) value = *dtype;
    return dtype.has_value();
  }
  static handle from_cpp(heddle::Dtype dtype, rv_policy, cleanup_list*) noexcept {
    return heddle::python::dtype_object(dtype).inc_ref();
  }
};

// The last parameter of nearly every op: None, Stream, ThreadLocalStream, Device or DeviceType.
template <>
struct type_caster<heddle::StreamOrDevice> {
  NB_TYPE_CASTER(heddle::StreamOrDevice, make_caster<heddle::Stream>::Name + const_name(" | ") +
                                             make_caster<heddle::ThreadLocalStream>::Name +
                                             const_name(" | ") + make_caster<heddle::Device>::Name +
                                             const_name(" | ") +
                                             make_caster<heddle::Device::Type>::Name)
  bool from_python(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    return src.is_none() || take<heddle::Stream>(src, flags, cleanup) ||
           take<heddle::Device::Type>(src, flags, cleanup) ||
           take<heddle::Device>(src, flags, cleanup) ||
           take<heddle::ThreadLocalStream>(src, flags, cleanup);
  }
  static handle from_cpp(const heddle::StreamOrDevice&, rv_policy, cleanup_list*) noexcept {
    return none().release();  // only a default: no function gives one
  }

 private:
  template <class T>
  bool take(handle src, uint32_t flags, cleanup_list* cleanup) noexcept {
    make_caster<T> caster;
    if (!caster.from_python(src, flags & ~static_cast<uint32_t>(cast_flags::convert), cleanup)) {
      return false;
    }
    value = heddle::StreamOrDevice(caster.operator cast_t<T>());
    return true;
  }
};

}  // namespace nanobind::detail
