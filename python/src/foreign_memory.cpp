#include "foreign_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <complex>
#include <cstring>
#include <memory>
#include <utility>

#include "core/node.h"
#include "dlpack.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/type_info.h"

namespace heddle::python {
namespace {

// What the elements of foreign memory are: a dtype, or complex128, which has none.
struct Element {
  Dtype dtype = Dtype::float32;
  bool complex128 = false;
  int64_t size() const { return complex128 ? 16 : static_cast<int64_t>(size_of(dtype)); }
};

// A lease on foreign memory, given back by `release`.
struct Foreign {
  char* data = nullptr;
  Element element;
  Shape shape;
  Strides strides;  // in bytes
  bool writable = false;
  std::unique_ptr<void, void (*)(void*)> lease{nullptr, nullptr};
};

// Strides of dimensions without a second element mean nothing, and those of no elements neither.
// What is left has to lie in the address space: a tensor that does not is refused unseen.
void check_extent(Foreign& f) {
  check_shape("convert", f.shape, static_cast<size_t>(f.element.size()));
  const bool empty = std::find(f.shape.begin(), f.shape.end(), 0) != f.shape.end();
  const auto address = static_cast<__int128>(reinterpret_cast<uintptr_t>(f.data));
  __int128 first = address, last = address + f.element.size();
  for (size_t i = 0; i < f.shape.size(); i++) {
    if (empty || f.shape[i] == 1) f.strides[i] = 0;
    // Below 2^31 steps of at most 2^63 bytes, in at most 64 dimensions.
    const __int128 reach = static_cast<__int128>(f.shape[i] - 1) * f.strides[i];
    if (!empty) (reach < 0 ? first : last) += reach;
  }
  if (empty) return;
  if (!f.data) throw std::invalid_argument("[convert] The tensor has elements, but no memory.");
  if (first < 0 || last > static_cast<__int128>(UINTPTR_MAX)) {
    throw std::invalid_argument("[convert] The tensor leaves the address space.");
  }
}

[[noreturn]] void refuse_format(const std::string& format) {
  throw std::invalid_argument(
      fmt::format("[convert] No dtype stands for elements of the format {}.", format));
}

// ---------------------------------------------------------------------------------------------
// The buffer protocol.

void release_buffer(void* context) {
  release_to_python([&] {
    auto* view = static_cast<Py_buffer*>(context);
    PyBuffer_Release(view);
    delete view;
  });
}

// PEP 3118 formats of one number.
Element element_of(const Py_buffer& view) {
  std::string format = view.format ? view.format : "B";
  if (format == "bfloat16") return {bfloat16};
  size_t at = 0;
  if (std::strchr("@=<>!", format[0])) {
    if ((format[0] == '>' || format[0] == '!') && view.itemsize > 1) {
      throw std::invalid_argument(
          "[convert] The elements are not in the byte order of this machine; convert them first.");
    }
    at = 1;
  }
  std::string kind = format.substr(at);
  Py_ssize_t size = view.itemsize;
  auto integer = [&](Dtype one) {
    int width = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
    return Element{static_cast<Dtype>(static_cast<int>(one) + width)};
  };
  if (kind == "?") return {bool_};
  if (kind.size() == 1 && std::strchr("bhilqn", kind[0])) return integer(int8);
  if (kind.size() == 1 && std::strchr("BHILQN", kind[0])) return integer(uint8);
  if (kind == "e") return {float16};
  if (kind == "f") return {float32};
  if (kind == "d") return {float64};
  if (kind == "Zf") return {complex64};
  if (kind == "Zd") return {complex64, true};
  refuse_format(format);
}

std::optional<Foreign> lease_buffer(nb::handle value) {
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(value.ptr(), view.get(), PyBUF_STRIDES | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    return std::nullopt;
  }
  Foreign f;
  Py_buffer* v = view.release();
  f.lease = {v, release_buffer};
  f.element = element_of(*v);
  if (v->itemsize != f.element.size()) {
    throw std::invalid_argument(
        fmt::format("[convert] The buffer has elements of {} bytes, its format says {}.",
                    v->itemsize, f.element.size()));
  }
  f.data = static_cast<char*>(v->buf);
  f.shape = Shape(v->shape, v->shape + v->ndim);
  f.strides = Strides(v->strides, v->strides + v->ndim);
  f.writable = !v->readonly;
  check_extent(f);
  return f;
}

// numpy exports no buffer of extension types; ml_dtypes' bfloat16 is read through its bits.
std::optional<Foreign> lease_numpy_bfloat16(nb::handle value) {
  nb::object dtype = nb::getattr(value, "dtype", nb::none());
  nb::object name = nb::getattr(dtype, "name", nb::none());
  if (!nb::isinstance<nb::str>(name) || nb::cast<std::string>(name) != "bfloat16" ||
      !PyObject_HasAttrString(value.ptr(), "view")) {
    return std::nullopt;
  }
  auto f = lease_buffer(value.attr("view")("uint16"));
  if (f) f->element = {bfloat16};
  return f;
}

// ---------------------------------------------------------------------------------------------
// DLPack.

// More than any library makes; a larger number is a broken tensor.
constexpr int max_imported_dimensions = 64;

template <class M>
void release_managed(void* context) {
  release_to_python([&] {
    auto* managed = static_cast<M*>(context);
    if (managed->deleter) managed->deleter(managed);
  });
}

template <class M>
Foreign take_managed(PyObject* capsule, const char* name, const char* used_name) {
  auto* managed = static_cast<M*>(PyCapsule_GetPointer(capsule, name));
  if (!managed || PyCapsule_SetName(capsule, used_name) != 0) nb::raise_python_error();
  Foreign f;
  f.lease = {managed, release_managed<M>};
  if constexpr (std::is_same_v<M, dlpack::ManagedVersioned>) {
    if (managed->major > 1) {
      throw std::invalid_argument(
          fmt::format("[convert] DLPack of version {} is not known.", managed->major));
    }
  }
  const dlpack::Tensor& t = managed->tensor;
  uintptr_t address = 0;
  if (t.ndim < 0 || t.ndim > max_imported_dimensions || (t.ndim > 0 && !t.shape)) {
    throw std::invalid_argument(
        fmt::format("[convert] A tensor of {} dimensions cannot be imported.", t.ndim));
  }
  if (t.device.type != dlpack::cpu) {
    throw std::invalid_argument("[convert] Only tensors in the memory of the CPU can be imported.");
  }
  if (t.dtype.code == dlpack::complex && t.dtype.bits == 128 && t.dtype.lanes == 1) {
    f.element = {complex64, true};
  } else if (auto dtype = dlpack::dtype_of(t.dtype)) {
    f.element = {*dtype};
  } else {
    refuse_format(fmt::format("DLPack {} with {} bits", t.dtype.code, t.dtype.bits));
  }
  if (__builtin_add_overflow(reinterpret_cast<uintptr_t>(t.data), t.byte_offset, &address)) {
    throw std::invalid_argument("[convert] The byte_offset leaves the address space.");
  }
  f.data = t.data ? reinterpret_cast<char*>(address) : nullptr;
  f.shape = Shape(t.shape, t.shape + t.ndim);
  check_shape("convert", f.shape, static_cast<size_t>(f.element.size()));
  f.strides = t.strides ? Strides(t.strides, t.strides + t.ndim) : row_major_strides(f.shape);
  const bool any = std::find(f.shape.begin(), f.shape.end(), 0) == f.shape.end();
  for (size_t i = 0; i < f.shape.size(); i++) {
    if (any && f.shape[i] > 1 &&
        __builtin_mul_overflow(f.strides[i], f.element.size(), &f.strides[i])) {
      throw std::invalid_argument("[convert] The tensor leaves the address space.");
    }
  }
  check_extent(f);
  if constexpr (std::is_same_v<M, dlpack::ManagedVersioned>) {
    f.writable = !(managed->flags & dlpack::read_only);
  } else {
    f.writable = true;
  }
  return f;
}

Foreign lease_dlpack(nb::handle value) {
  nb::object give = value.attr("__dlpack__");
  nb::object capsule;
  try {
    try {
      capsule = give("max_version"_a = nb::make_tuple(1, 0));
    } catch (nb::python_error& e) {
      if (!e.matches(PyExc_TypeError)) throw;  // producers before version 1 know no max_version
      capsule = give();
    }
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_BufferError)) throw;
    throw std::invalid_argument(
        fmt::format("[convert] The tensor cannot be exported: {}", nb::str(e.value()).c_str()));
  }
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    return take_managed<dlpack::ManagedVersioned>(capsule.ptr(), "dltensor_versioned",
                                                  "used_dltensor_versioned");
  }
  return take_managed<dlpack::Managed>(capsule.ptr(), "dltensor", "used_dltensor");
}

// ---------------------------------------------------------------------------------------------
// From leased memory to an array.

void copy_elements(const char* from, const Foreign& f, size_t depth, char*& to) {
  int64_t size = f.element.size();
  if (depth == f.shape.size()) {
    std::memcpy(to, from, static_cast<size_t>(size));
    to += size;
    return;
  }
  int64_t n = f.shape[depth], step = f.strides[depth];
  if (depth + 1 == f.shape.size()) {
    visit_width(static_cast<size_t>(std::min<int64_t>(size, 8)), [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (int64_t i = 0; i < n; i++, from += step, to += size) {
        std::memcpy(to, from, sizeof(T));
        if (size == 16) std::memcpy(to + 8, from + 8, 8);
      }
    });
    return;
  }
  for (int64_t i = 0; i < n; i++, from += step) copy_elements(from, f, depth + 1, to);
}

bool dense(const Foreign& f) {
  Strides strides = f.strides;
  for (auto& s : strides) {
    if (s % f.element.size()) return false;
    s /= f.element.size();
  }
  return is_row_contiguous(f.shape, strides);
}

Array copy_of(const Foreign& f, Dtype dtype) {
  size_t n = static_cast<size_t>(element_count(f.shape));
  const char* elements = f.data;
  std::unique_ptr<char[]> gathered;
  if (!dense(f)) {
    gathered.reset(new char[n * static_cast<size_t>(f.element.size())]);
    char* to = gathered.get();
    if (n) copy_elements(f.data, f, 0, to);
    elements = gathered.get();
  }
  if (f.element.complex128) {
    std::unique_ptr<complex64_t[]> narrow(new complex64_t[n]);
    for (size_t i = 0; i < n; i++) {
      std::complex<double> z;
      std::memcpy(&z, elements + 16 * i, 16);
      narrow[i] = complex64_t(static_cast<float>(z.real()), static_cast<float>(z.imag()));
    }
    return Array::from_memory(narrow.get(), complex64, f.shape, dtype);
  }
  return Array::from_memory(elements, f.element.dtype, f.shape, dtype);
}

// Why the memory cannot be used as it is; null if it can.
const char* obstacle(const Foreign& f, Dtype dtype) {
  if (f.element.complex128 || f.element.dtype != dtype) return "the dtype has to change";
  auto size = static_cast<uintptr_t>(f.element.size());
  if (reinterpret_cast<uintptr_t>(f.data) % size)
    return "the memory is not aligned to its elements";
  for (int64_t stride : f.strides) {
    if (stride % static_cast<int64_t>(size)) {
      return "the strides are not multiples of the element size";
    }
    if (stride < 0) return "a stride is negative";
  }
  return nullptr;
}

Array share(Foreign f) {
  size_t bytes = static_cast<size_t>(f.element.size());
  for (size_t i = 0; i < f.shape.size(); i++) {
    if (f.shape[i] == 0) bytes = 0;
    if (bytes) bytes += static_cast<size_t>((f.shape[i] - 1) * f.strides[i]);
    f.strides[i] /= f.element.size();
  }
  auto* node = new Node(f.shape, f.element.dtype);
  Array a = Array::adopt(node);
  void (*release)(void*) = f.lease.get_deleter();
  node->set_data(wrap_memory(f.data, bytes, f.writable, release, f.lease.release()), f.strides);
  node->finish();
  return a;
}

// The lease on what another library holds.
Foreign lease(nb::handle value) {
  if (PyObject_CheckBuffer(value.ptr())) {
    if (auto f = lease_buffer(value)) return std::move(*f);
    if (auto f = lease_numpy_bfloat16(value)) return std::move(*f);
    nb::object type = nb::getattr(value, "dtype", nb::none());
    if (!PyObject_HasAttrString(value.ptr(), "__dlpack__") || nb::hasattr(type, "str")) {
      refuse_format(nb::str(type).c_str());
    }
  }
  return lease_dlpack(value);
}

Array import(Foreign f, std::optional<Dtype> wanted, Copy copy) {
  // MLX makes float32 of float64 unless it is asked for; a shared array keeps what is there.
  Dtype natural = f.element.dtype == float64 && copy != Copy::never ? float32 : f.element.dtype;
  Dtype dtype = wanted.value_or(natural);
  if (copy != Copy::always) {
    const char* reason = obstacle(f, dtype);
    if (!reason) return share(std::move(f));
    if (copy == Copy::never) {
      throw std::invalid_argument(
          fmt::format("[convert] Unable to avoid a copy as requested: {}.", reason));
    }
  }
  return copy_of(f, dtype);
}

// Throws ValueError unless all elements of an evaluated array of integers fit an integer dtype.
void check_range(const Array& a, Dtype t) {
  const iinfo limits(t);
  visit_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      const T* values = a.data<T>();
      for (int64_t i = 0; i < a.size(); i++) {
        if (std::cmp_less(values[i], limits.min) || std::cmp_greater(values[i], limits.max)) {
          throw std::invalid_argument(fmt::format(
              "[convert] Converting {} to {} would result in overflow: it holds {} to {}.",
              values[i], name_of(t), limits.min, limits.max));
        }
      }
    }
  });
}

}  // namespace

bool is_foreign(nb::handle value) {
  return PyObject_CheckBuffer(value.ptr()) || PyObject_HasAttrString(value.ptr(), "__dlpack__");
}

Array from_dlpack(nb::handle value, std::optional<Dtype> dtype, Copy copy) {
  return import(lease_dlpack(value), dtype, copy);
}

Array from_foreign(nb::handle value, std::optional<Dtype> dtype, Copy copy) {
  return import(lease(value), dtype, copy);
}

Array from_foreign_beside(nb::handle value, std::optional<Dtype> beside) {
  Foreign f = lease(value);
  if (!beside) return import(std::move(f), beside, Copy::always);
  const Dtype own = f.element.dtype;
  const bool narrows = is_complex(own)    ? !is_complex(*beside)
                       : is_floating(own) ? !is_inexact(*beside)
                                          : is_bool(*beside);
  if (narrows) return import(std::move(f), std::nullopt, Copy::always);
  if (!is_integer(own) || !is_integer(*beside)) return import(std::move(f), beside, Copy::always);
  Array a = import(std::move(f), std::nullopt, Copy::always);
  if (promote_types(own, *beside) != *beside) check_range(a, *beside);
  return astype(a, *beside);
}

}  // namespace heddle::python
