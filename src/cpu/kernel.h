// How a kernel file hooks its kernels to ops:
//   const RegisterKernel<Softmax> softmax_kernel([](const Work& w) { ... });
// A kernel finds its op in `work.op`, its inputs evaluated in `work.inputs`, and gives every output
// its memory. It may run on several threads at once.
#pragma once

#include "eval/backend.h"

namespace heddle::cpu {

using Kernel = void (*)(const Work& work);

void register_kernel(const OpInfo& op, Kernel kernel, bool takes_prologue);

template <class OpType>
struct RegisterKernel {
  // takes_prologue: the kernel reads input 0 through source_of(work), so that a pointwise
  // expression before it need not be stored.
  explicit RegisterKernel(Kernel kernel, bool takes_prologue = false) {
    register_kernel(OpOf<OpType>::type(), kernel, takes_prologue);
  }
};

template <class OpType>
const OpType& op_of(const Work& work) {
  return op_as<OpType>(work.op);
}

// The input's view, row-major: copied if it is not.
class Dense {
 public:
  explicit Dense(const Node& node);
  const View& view() const { return view_; }
  template <class T>
  const T* as() const {
    return view_.as<T>();
  }

 private:
  BufferRef copy_;
  View view_;
};

// Gives output `o` the memory of input `i` if nobody else wants it and sizes and dense layouts fit,
// else new memory; row-major either way.
void allocate_or_donate(const Work& work, size_t o, size_t i);

}  // namespace heddle::cpu
