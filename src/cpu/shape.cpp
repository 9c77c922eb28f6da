// Kernels of ops that rearrange: views where strides allow, copies where not.
#include "ops/shape.h"

#include "cpu/kernel.h"
#include "cpu/tile/bytecode.h"
#include "ops/following.h"
#include "ops/pointwise.h"
#include "transforms/custom.h"

namespace heddle::cpu {
namespace {

// Strides of `in` seen as `shape` (same size, row-major order), if no copy is needed.
bool reshaped_strides(const Node& in, const Shape& shape, Strides& out) {
  // Both shapes fall into runs of equal size; a run of the input must be evenly strided.
  out.resize(shape.size(), 0);
  size_t i = 0, j = 0;
  const Shape& from = in.shape;
  while (j < shape.size()) {
    if (shape[j] == 1) {
      out[j++] = 0;
      continue;
    }
    while (i < from.size() && from[i] == 1) i++;
    int64_t have = from[i], want = shape[j];
    int64_t stride = in.strides[i++];
    size_t j0 = j++;
    while (have != want) {
      if (have > want) {
        want *= shape[j++];
      } else if (from[i] == 1) {
        i++;
      } else {
        if (stride != in.strides[i] * from[i]) return false;
        stride = in.strides[i];
        have *= from[i++];
      }
    }
    for (size_t k = j; k-- > j0;) {
      out[k] = stride;
      stride *= shape[k];
    }
  }
  return true;
}

void broadcast(const Work& w) {
  const Node& in = w.input(0);
  Node& out = w.output();
  Strides strides(out.shape.size(), 0);
  size_t skip = out.shape.size() - in.shape.size();
  for (size_t i = 0; i < in.shape.size(); i++) {
    if (in.shape[i] == out.shape[skip + i] && in.shape[i] != 1) strides[skip + i] = in.strides[i];
  }
  out.share(in, strides);
}
const RegisterKernel<Broadcast> broadcast_kernel(broadcast);
const RegisterKernel<BroadcastLike> broadcast_like_kernel(broadcast);

const RegisterKernel<Transpose> transpose([](const Work& w) {
  const Node& in = w.input(0);
  Strides strides;
  for (int a : op_of<Transpose>(w).axes) strides.push_back(in.strides[static_cast<size_t>(a)]);
  w.output().share(in, strides);
});

void same_elements(const Work& w) {
  const Node& in = w.input(0);
  Node& out = w.output();
  Strides strides;
  if (in.row_contiguous() || in.size() == 0) {
    out.share(in, row_major_strides(out.shape));
  } else if (reshaped_strides(in, out.shape, strides)) {
    out.share(in, strides);
  } else {
    out.allocate_dense();
    View dense{out.data, out.dtype, in.shape, row_major_strides(in.shape)};
    tile::copy(in.view(), dense);
  }
}

const RegisterKernel<Reshape> reshape(same_elements);
const RegisterKernel<Flatten> flatten(same_elements);
const RegisterKernel<Unflatten> unflatten(same_elements);

const RegisterKernel<Squeeze> squeeze([](const Work& w) {
  const Node& in = w.input(0);
  const auto& axes = op_of<Squeeze>(w).axes;
  Strides strides = in.strides;
  for (size_t k = axes.size(); k-- > 0;) strides.erase(strides.begin() + axes[k]);
  w.output().share(in, std::move(strides));
});

const RegisterKernel<ExpandDims> expand_dims([](const Work& w) {
  const Node& in = w.input(0);
  Strides strides = in.strides;
  for (int a : op_of<ExpandDims>(w).axes) strides.insert(strides.begin() + a, 0);
  w.output().share(in, std::move(strides));
});

// Ops that pass inputs on: output k is input `first` + k.
void pass_on(const Work& w, size_t first) {
  for (size_t k = 0; k < w.outputs.size(); k++) {
    const Node& in = w.input(first + k);
    w.output(k).share(in, in.strides);
  }
}

const RegisterKernel<StopGradient> stop_gradient([](const Work& w) { pass_on(w, 0); });
const RegisterKernel<Copy> copy([](const Work& w) { pass_on(w, 0); });
const RegisterKernel<CustomTransforms> custom([](const Work& w) {
  pass_on(w, w.inputs.size() - w.outputs.size());
});

}  // namespace
}  // namespace heddle::cpu
