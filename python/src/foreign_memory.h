// Memory of other libraries: numpy and other buffers, DLPack tensors.
#pragma once

#include "bind.h"

namespace heddle::python {

// How an import treats memory.
enum class Copy : uint8_t {
  always,     // the array owns its elements
  if_needed,  // shares the memory where dtype, alignment and strides allow it
  never,      // shares it or throws ValueError
};

// True for objects with the buffer protocol or __dlpack__.
bool is_foreign(nb::handle value);

// An array from such an object, in `dtype` if one is given. float64 becomes float32 and complex128
// becomes complex64 otherwise. Shared memory lives until the last array on it has died; it is never
// donated, so the engine does not write to it. Throws ValueError for formats without a dtype and
// for tensors that lie about their memory.
Array from_foreign(nb::handle value, std::optional<Dtype> dtype, Copy copy);

// As an operand beside an array of dtype `beside`: in that dtype where it holds the elements, else
// in their own, so that both are promoted. Throws ValueError for integers that do not fit.
Array from_foreign_beside(nb::handle value, std::optional<Dtype> beside);

// Through __dlpack__ alone.
Array from_dlpack(nb::handle value, std::optional<Dtype> dtype, Copy copy);

}  // namespace heddle::python
