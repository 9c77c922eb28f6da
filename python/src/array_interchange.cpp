// Arrays for other libraries: the buffer protocol, DLPack, numpy, pickle, the array API namespace.
#include <fmt/format.h>

#include <cstring>

#include "array_type.h"
#include "bind.h"
#include "core/node.h"
#include "dlpack.h"
#include "foreign_memory.h"
#include "heddle/ops/arithmetic.h"

namespace heddle::python {
namespace {

// PEP 3118 formats. bfloat16 has none: its name makes every consumer refuse it, as MLX has it.
const char* buffer_format(Dtype t) {
  static constexpr const char* formats[dtype_count] = {"?", "B", "H", "I", "Q", "b",        "h",
                                                       "i", "q", "e", "f", "d", "bfloat16", "Zf"};
  return formats[static_cast<int>(t)];
}

// New memory with the same elements, row-major.
Array copy_of(const Array& a) {
  const Node& n = *a.node();
  Array copy = Array::adopt(new Node(n.shape, n.dtype));
  Node& to = *copy.node();
  to.allocate_dense();
  visit_width(size_of(n.dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = reinterpret_cast<T*>(to.data);
    if (n.row_contiguous()) {
      std::memcpy(out, n.data, n.nbytes());
      return;
    }
    auto walk = [&](auto& self, const T* in, size_t depth) -> void {
      if (depth == n.shape.size()) {
        *out++ = *in;
        return;
      }
      for (int64_t i = 0; i < n.shape[depth]; i++) self(self, in + i * n.strides[depth], depth + 1);
    };
    walk(walk, reinterpret_cast<const T*>(n.data), 0);
  });
  to.finish();
  return copy;
}

// Evaluates an array whose memory is about to be seen by others. A constant, of which heddle keeps
// one element, gets memory of its own first: others take zeros(...) to be dense, and may write.
void settle(Array& a) {
  evaluate(a);
  const Node& n = *a.node();
  bool repeats_one = n.size() > 1 && !n.tracer;  // a copy would not be part of the trace
  for (size_t d = 0; d < n.shape.size(); d++) repeats_one &= n.shape[d] == 1 || n.strides[d] == 0;
  if (repeats_one) a.overwrite(copy_of(a));
}

// What a buffer view points to, for as long as it lives. The array keeps the memory from being
// donated.
struct Export {
  Array array;
  std::vector<Py_ssize_t> shape, strides;
};

bool column_contiguous(const Node& n) {
  Shape shape(n.shape.rbegin(), n.shape.rend());
  return is_row_contiguous(shape, Strides(n.strides.rbegin(), n.strides.rend()));
}

// The order of elements that a request of the buffer protocol insists on and the array has not;
// null if it has. A consumer may go by it without looking at strides.
const char* missing_order(const Node& n, int flags) {
  auto wants = [&](int request) { return (flags & request) == request; };
  const bool rows = n.row_contiguous();
  if (!wants(PyBUF_STRIDES)) return rows ? nullptr : "contiguous";
  if (wants(PyBUF_C_CONTIGUOUS)) return rows ? nullptr : "contiguous";
  if (wants(PyBUF_F_CONTIGUOUS)) return column_contiguous(n) ? nullptr : "column-contiguous";
  if (wants(PyBUF_ANY_CONTIGUOUS)) return rows || column_contiguous(n) ? nullptr : "contiguous";
  return nullptr;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  try {
    if (!view) throw nb::buffer_error("A view is wanted.");
    std::memset(view, 0, sizeof *view);
    settle(array_of(self));
    auto held = std::make_unique<Export>(Export{array_of(self), {}, {}});
    const Array& a = held->array;
    const Node& n = *a.node();
    bool writable = n.buffer->writable;
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE && !writable) {
      PyErr_SetString(PyExc_BufferError, "The memory behind this array is read-only.");
      return -1;
    }
    if (const char* wanted = missing_order(n, flags)) {
      PyErr_Format(PyExc_BufferError,
                   "The array is not %s in memory; ask for strides, or export contiguous(a).",
                   wanted);
      return -1;
    }
    Py_ssize_t itemsize = static_cast<Py_ssize_t>(a.itemsize());
    held->shape.assign(n.shape.begin(), n.shape.end());
    for (int64_t s : n.strides) held->strides.push_back(s * itemsize);
    view->buf = n.data;
    view->len = static_cast<Py_ssize_t>(a.nbytes());
    view->itemsize = itemsize;
    view->readonly = !writable;
    view->ndim = a.ndim();
    view->format = flags & PyBUF_FORMAT ? const_cast<char*>(buffer_format(a.dtype())) : nullptr;
    view->shape = flags & PyBUF_ND ? held->shape.data() : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? held->strides.data() : nullptr;
    view->internal = held.release();
    Py_INCREF(self);
    view->obj = self;
    return 0;
  } catch (...) {
    set_python_error();
    return -1;
  }
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Export*>(view->internal); }

// ---------------------------------------------------------------------------------------------
// DLPack.

template <class M>
struct Capsule {
  M managed{};
  Array array;
  Shape shape;
  Strides strides;
};

template <class M>
nb::object make_capsule(const Array& a, uint64_t flags) {
  constexpr bool versioned = std::is_same_v<M, dlpack::ManagedVersioned>;
  constexpr const char* name = versioned ? "dltensor_versioned" : "dltensor";
  auto* c = new Capsule<M>{{}, a, a.shape(), a.strides()};
  c->managed.context = c;
  c->managed.deleter = [](M* m) { delete static_cast<Capsule<M>*>(m->context); };
  c->managed.tensor = {a.node()->data,  {dlpack::cpu, 0},  a.ndim(), dlpack::type_of(a.dtype()),
                       c->shape.data(), c->strides.data(), 0};
  if constexpr (versioned) {
    c->managed.major = 1;
    c->managed.minor = 0;
    c->managed.flags = flags;
  }
  PyObject* capsule = PyCapsule_New(&c->managed, name, [](PyObject* o) {
    // Nobody took it over: its name would have been changed.
    if (!PyCapsule_IsValid(o, name)) return;
    auto* m = static_cast<M*>(PyCapsule_GetPointer(o, name));
    m->deleter(m);
  });
  if (!capsule) {
    delete c;
    nb::raise_python_error();
  }
  return nb::steal(capsule);
}

// Consumers may not know what to do with steps backwards: torch ends the process.
bool steps_back(const Node& n) {
  for (size_t i = 0; i < n.shape.size(); i++) {
    if (n.shape[i] > 1 && n.strides[i] < 0) return true;
  }
  return false;
}

nb::object to_dlpack(Array& self, nb::handle stream, nb::handle max_version,
                     std::optional<std::pair<int, int>> device, std::optional<bool> copy) {
  // -1: the consumer wants no synchronization. The memory of the CPU has no streams.
  if (!stream.is_none() && !stream.equal(nb::int_(-1))) {
    throw nb::buffer_error("[__dlpack__] On the CPU, stream has to be None.");
  }
  if (device && device->first != dlpack::cpu) {
    throw nb::buffer_error("Arrays can only be exported to the memory of the CPU: (1, 0).");
  }
  settle(self);
  Array a = self;
  int version = 0;
  if (!max_version.is_none() && !nb::try_cast(max_version[0], version)) {
    throw nb::type_error("[__dlpack__] max_version has to be a tuple of two ints or None.");
  }
  bool versioned = version >= 1;
  bool read_only = !a.node()->buffer->writable;
  bool must_copy = copy.value_or(false);
  if (steps_back(*a.node()) && !must_copy) {
    if (copy) {
      throw nb::buffer_error(
          "[__dlpack__] An array with negative strides cannot be exported without a copy.");
    }
    must_copy = true;
  }
  if (read_only && !versioned && !must_copy) {
    // The old capsule cannot say read-only.
    if (copy) throw nb::buffer_error("A read-only array needs max_version=(1, 0) or a copy.");
    must_copy = true;
  }
  if (must_copy) {
    a = copy_of(a);
    read_only = false;
  }
  if (!versioned) return make_capsule<dlpack::Managed>(a, 0);
  return make_capsule<dlpack::ManagedVersioned>(
      a, (read_only ? dlpack::read_only : 0) | (must_copy ? dlpack::is_copied : 0));
}

// ---------------------------------------------------------------------------------------------
// numpy and pickle.

nb::object numpy() { return nb::module_::import_("numpy"); }

// A numpy array on the same memory.
nb::object numpy_view(nb::handle self) {
  PyObject* view = PyMemoryView_FromObject(self.ptr());
  if (!view) nb::raise_python_error();
  return numpy().attr("asarray")(nb::steal(view));
}

nb::object to_numpy(nb::handle self, nb::handle dtype, nb::handle copy) {
  if (!is_array(self)) throw nb::type_error("array.__array__ is a method of arrays.");
  const Array& a = array_of(self);
  if (a.dtype() == bfloat16) {
    throw nb::type_error("bfloat16 arrays cannot be converted to NumPy; use astype(mx.float32).");
  }
  nb::object view = numpy_view(self);
  bool cast = !dtype.is_none() && !view.attr("dtype").equal(numpy().attr("dtype")(dtype));
  bool never = !copy.is_none() && !nb::cast<bool>(copy);
  if (cast && never) {
    throw std::invalid_argument(
        "Unable to avoid copy while creating an array as requested: the dtype has to change.");
  }
  if (cast) return view.attr("astype")(dtype);
  return !copy.is_none() && nb::cast<bool>(copy) ? view.attr("copy")() : view;
}

// numpy has no bfloat16: its bits travel as uint16.
nb::tuple get_state(nb::handle self) {
  const Array& a = array_of(self);
  int number = static_cast<int>(a.dtype());
  if (a.dtype() != bfloat16) return nb::make_tuple(numpy_view(self).attr("copy")(), number);
  evaluate(a);
  Array copy = copy_of(a);
  auto* bits = new Node(copy.shape(), uint16);
  Array view = Array::adopt(bits);
  bits->set_data(copy.node()->buffer);
  bits->finish();
  return nb::make_tuple(numpy_view(wrap(view)), number);
}

void set_state(Array& self, const nb::tuple& state) {
  if (nb::len(state) != 2) throw std::invalid_argument("[array] The state of an array is a pair.");
  int number = nb::cast<int>(state[1]);
  if (number < 0 || number >= dtype_count) {
    throw std::invalid_argument(fmt::format("[array] There is no dtype number {}.", number));
  }
  Dtype dtype = static_cast<Dtype>(number);
  if (dtype != bfloat16) {
    new (&self) Array(to_array(state[0], dtype));
    return;
  }
  Array bits = to_array(state[0], uint16);
  auto* node = new Node(bits.shape(), bfloat16);
  Array a = Array::adopt(node);
  node->set_data(bits.node()->buffer);
  node->finish();
  new (&self) Array(std::move(a));
}

nb::bytes to_bytes(const Array& a) {
  evaluate(a);
  Array dense = copy_of(a);
  return nb::bytes(dense.raw_data(), dense.nbytes());
}

// ---------------------------------------------------------------------------------------------
// Import.

Copy copy_policy(std::optional<bool> copy) {
  return !copy ? Copy::if_needed : *copy ? Copy::always : Copy::never;
}

Array as_array(nb::handle a, std::optional<Dtype> dtype, std::optional<bool> copy) {
  if (is_array(a)) {
    const Array& x = array_of(a);
    bool cast = dtype && *dtype != x.dtype();
    if (cast && copy == false) {
      throw std::invalid_argument(
          "Unable to avoid copy while creating an array as requested: the dtype has to change.");
    }
    if (cast) return astype(x, *dtype);
    // Arrays never change under their holders, unless their memory is shared with someone else.
    return copy == true && x.is_available() ? copy_of(x) : x;
  }
  bool shares = is_foreign(a) && !PyFloat_Check(a.ptr()) && !PyComplex_Check(a.ptr());
  if (shares) return from_foreign(a, dtype, copy_policy(copy));
  if (copy == false) {
    throw std::invalid_argument(
        "Unable to avoid copy while creating an array as requested: only buffers, DLPack tensors "
        "and "
        "arrays can be shared.");
  }
  return to_array(a, dtype);
}

Array import_dlpack(nb::handle x, std::optional<bool> copy) {
  if (is_array(x)) return as_array(x, std::nullopt, copy);
  if (!PyObject_HasAttrString(x.ptr(), "__dlpack__")) {
    throw nb::type_error("from_dlpack(): an object with a method __dlpack__ is wanted.");
  }
  return from_dlpack(x, std::nullopt, copy_policy(copy));
}

// ---------------------------------------------------------------------------------------------
// The array API's inspection object.

struct NamespaceInfo {};

nb::dict namespace_dtypes(const NamespaceInfo&, nb::handle /*device*/, nb::handle kind) {
  static constexpr Dtype listed[] = {bool_,  int8,   int16,  int32,   int64,     uint8,
                                     uint16, uint32, uint64, float32, complex64, float64};
  nb::object is_dtype = nb::module_::import_("heddle.core").attr("isdtype");
  nb::dict result;
  for (Dtype t : listed) {
    if (kind.is_none() || nb::cast<bool>(is_dtype(dtype_object(t), kind))) {
      result[std::string(name_of(t)).c_str()] = dtype_object(t);
    }
  }
  return result;
}

void bind_namespace(nb::module_& m) {
  nb::class_<NamespaceInfo>(m, "ArrayNamespaceInfo",
                            "What the array API standard wants to know of this namespace.")
      .def(
          "capabilities",
          [](const NamespaceInfo&) {
            nb::dict d;
            d["boolean indexing"] = false;
            d["data-dependent shapes"] = false;
            d["max dimensions"] = 10;
            return d;
          },
          "What may depend on the data, and how many dimensions are promised.")
      .def(
          "default_device", [](const NamespaceInfo&) { return default_device(); },
          "The default device.")
      .def(
          "devices", [](const NamespaceInfo&) { return nb::make_tuple(Device{}); },
          "The devices of this machine.")
      .def(
          "default_dtypes",
          [](const NamespaceInfo&, nb::handle) {
            nb::dict d;
            d["real floating"] = dtype_object(float32);
            d["complex floating"] = dtype_object(complex64);
            d["integral"] = dtype_object(int32);
            d["indexing"] = dtype_object(int32);
            return d;
          },
          nb::kw_only(), "device"_a = nb::none(), "The dtypes that are used where none is given.")
      .def("dtypes", &namespace_dtypes, nb::kw_only(), "device"_a = nb::none(),
           "kind"_a = nb::none(), R"(
The dtypes by name, of one kind or of a tuple of kinds as :func:`isdtype` knows them.)");
  m.def(
      "__array_namespace_info__", [] { return NamespaceInfo{}; },
      "The inspection object of the array API standard.");
}

}  // namespace

void add_buffer_slots(std::vector<PyType_Slot>& slots) {
  slots.push_back({Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)});
  slots.push_back({Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)});
}

void bind_interchange(nb::module_& m) {
  array_class()
      .def("__dlpack__", &to_dlpack, nb::kw_only(), "stream"_a = nb::none(),
           "max_version"_a = nb::none(), "dl_device"_a = nb::none(), "copy"_a = nb::none(),
           nb::sig("def __dlpack__(self, *, stream: object | None = None, "
                   "max_version: tuple[int, int] | None = None, "
                   "dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> object"),
           R"(
A DLPack capsule on the array's memory, or on a copy if `copy` is true or a stride is negative.

A consumer that knows version 1 gets a versioned capsule, with the read-only flag where it applies.
Raises BufferError for a device other than the CPU, for a stream, which the CPU has not, and where a copy
is needed and `copy` is false: for negative strides, and for read-only memory and a consumer before version 1.)")
      .def(
          "__dlpack_device__", [](const Array&) { return nb::make_tuple(dlpack::cpu, 0); },
          nb::sig("def __dlpack_device__(self) -> tuple[int, int]"))
      .def("__array__", &to_numpy, "dtype"_a = nb::none(), "copy"_a = nb::none(),
           nb::sig("def __array__(self, dtype: object | None = None, copy: bool | None = None) -> "
                   "object"),
           "A NumPy array, on the same memory where that is possible and `copy` is not true.")
      .def(
          "__array_namespace__",
          [](const Array&, nb::handle api_version) {
            if (!api_version.is_none()) {
              throw std::invalid_argument(
                  "Explicitly specifying api_version is not yet implemented.");
            }
            return nb::module_::import_("heddle.core");
          },
          "api_version"_a = nb::none(),
          nb::sig("def __array_namespace__(self, api_version: str | None = None) -> object"))
      .def("__getstate__", &get_state, nb::sig("def __getstate__(self) -> tuple"))
      .def("__setstate__", &set_state)
      .def("__bytes__", &to_bytes);
  m.def("asarray", &as_array, "a"_a, "dtype"_a = nb::none(), nb::kw_only(), "copy"_a = nb::none(),
        nb::sig("def asarray(a: bool | int | float | complex | list | tuple | array | object, "
                "dtype: Dtype | None = None, *, copy: bool | None = None) -> array"),
        R"(
An array of numbers, nested lists, a buffer, a DLPack tensor or another array.

With ``copy=None`` the memory of a buffer or tensor is shared if its dtype, alignment and strides allow
it, else copied; ``copy=True`` always copies; ``copy=False`` shares or raises ValueError. Shared memory is
kept alive and is never written to by heddle.)");
  m.def("from_dlpack", &import_dlpack, "x"_a, nb::kw_only(), "copy"_a = nb::none(),
        nb::sig("def from_dlpack(x: object, *, copy: bool | None = None) -> array"), R"(
An array of an object with a method ``__dlpack__``; `copy` as in :func:`asarray`.

Raises TypeError for other objects, ValueError for memory that is not the CPU's.)");
  bind_namespace(m);
}

}  // namespace heddle::python
