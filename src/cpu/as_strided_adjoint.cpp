// The adjoint of strided views: the elements of a view go back to where they came from, and what
// was seen several times adds up. Pooling over windows that overlap lives on it.
#include <cstdlib>
#include <cstring>

#include "core/threads.h"
#include "cpu/kernel.h"
#include "cpu/reduce_kernels.h"
#include "cpu/tile/bytecode.h"
#include "ops/layout.h"

namespace heddle::cpu {
namespace {

// What sums run in: halves in float32, integers in 64 bits.
Dtype sum_dtype(Dtype t) {
  if (is_inexact(t)) return is_half(t) ? float32 : t;
  return int64;
}

// The dimension whose steps lead out of everything that the others reach, so that threads may share
// it; -1 if there is none.
int disjoint_dimension(const Shape& shape, const Strides& strides) {
  for (size_t d = 0; d + 1 < shape.size(); d++) {
    int64_t reach = 0;
    for (size_t i = 0; i < shape.size(); i++) {
      if (i != d) reach += (shape[i] - 1) * std::llabs(strides[i]);
    }
    if (shape[d] > 1 && std::llabs(strides[d]) > reach) return static_cast<int>(d);
  }
  return -1;
}

class Adjoint {
 public:
  Adjoint(const View& gradient, const Strides& strides, char* target)
      : gradient_(gradient),
        strides_(strides),
        target_(target),
        item_(static_cast<int64_t>(size_of(gradient.dtype))),
        kernels_(reduce_kernels(Reduction::sum, tile::lane_of(gradient.dtype))) {}

  void run() const {
    const int split = disjoint_dimension(gradient_.shape, strides_);
    if (split < 0) return add(0, gradient_.data, target_, -1);
    const size_t d = static_cast<size_t>(split);
    const int64_t extent = gradient_.shape[d], part = gradient_.size() / extent;
    parallel_for(extent, std::max<int64_t>(1, parallel_grain / part),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; i++) {
                     add(0, gradient_.as<char>() + i * gradient_.strides[d] * item_,
                         target_ + i * strides_[d] * item_, split);
                   }
                 });
  }

 private:
  // Adds the elements over the dimensions from `dim` on but `fixed`, the last along a row.
  void add(int dim, const void* from, char* to, int fixed) const {
    if (dim == fixed) return add(dim + 1, from, to, fixed);
    const int last = gradient_.ndim() - 1;
    if (dim > last) return kernels_.columns(to, from, 1, 1, 1);
    const size_t d = static_cast<size_t>(dim);
    const int64_t n = gradient_.shape[d];
    if (dim == last && gradient_.strides[d] == 1 && strides_[d] == 1) {
      kernels_.columns(to, from, n, 1, n);
      return;
    }
    for (int64_t i = 0; i < n; i++) {
      add(dim + 1, static_cast<const char*>(from) + i * gradient_.strides[d] * item_,
          to + i * strides_[d] * item_, fixed);
    }
  }

  const View& gradient_;
  const Strides& strides_;
  char* target_;
  const int64_t item_;
  const ReduceKernels& kernels_;
};

const RegisterKernel<AsStridedAdjoint> as_strided_adjoint([](const Work& w) {
  const auto& op = op_of<AsStridedAdjoint>(w);
  Node& out = w.output();
  out.allocate_dense();
  const Dtype wide = sum_dtype(out.dtype);
  View gradient = w.input(0).view(), target = out.view();
  BufferRef converted, sums;
  if (wide != out.dtype) {
    converted = allocate(static_cast<size_t>(gradient.size()) * size_of(wide));
    View copy{converted->data, wide, gradient.shape, row_major_strides(gradient.shape)};
    tile::copy(gradient, copy);
    gradient = copy;
    sums = allocate(static_cast<size_t>(target.size()) * size_of(wide));
    target.data = sums->data;
    target.dtype = wide;
  }
  const size_t bytes = static_cast<size_t>(target.size()) * size_of(wide);
  if (bytes > 0) std::memset(target.data, 0, bytes);
  if (gradient.size() > 0) {
    char* start = target.as<char>() + op.offset * static_cast<int64_t>(size_of(wide));
    Adjoint(gradient, op.strides, start).run();
  }
  if (wide != out.dtype) tile::copy(target, out.view());
});

}  // namespace
}  // namespace heddle::cpu
