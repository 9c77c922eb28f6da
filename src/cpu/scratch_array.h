// Scratch memory in the place of a local array.
#pragma once

#include "cpu/scratch.h"

namespace heddle::cpu {

// n elements, uninitialised. Frames stay below some KB, so that
// kernels run on threads with small stacks (OMP_STACKSIZE, a caller's own).
template <class T>
class ScratchArray {
 public:
  explicit ScratchArray(size_t n) : memory_(n * sizeof(T)) {}
  operator T*() const { return memory_.as<T>(); }

 private:
  Scratch memory_;
};

}  // namespace heddle::cpu
