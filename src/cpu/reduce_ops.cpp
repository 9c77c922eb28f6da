// Reducing ops on their kernels.
#include "cpu/arg_reduce.h"
#include "cpu/kernel.h"
#include "cpu/pointwise.h"
#include "cpu/reduce.h"
#include "cpu/softmax.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

namespace heddle::cpu {
namespace {

// `view` without the dimensions `axes`, which have size one.
View without(const View& view, const std::vector<int>& axes) {
  View out{view.data, view.dtype, {}, {}};
  size_t next = 0;
  for (int i = 0; i < view.ndim(); i++) {
    if (next < axes.size() && axes[next] == i) {
      next++;
    } else {
      out.shape.push_back(view.shape[static_cast<size_t>(i)]);
      out.strides.push_back(view.strides[static_cast<size_t>(i)]);
    }
  }
  return out;
}

// An array is read in the order of its memory, an expression in that of the array that it would be,
// so that both add up in one order.
void reduce_input(const Work& w, Reduction reduction, const std::vector<int>& axes,
                  const View& out) {
  const Axes reduced(axes.begin(), axes.end());
  if (!w.prologue) return reduce(reduction, w.input(0).view(), reduced, without(out, axes));
  const Order order = memory_order(w.prologue->shape, strides_of(w));
  const Reduced target = reordered(order, reduced, without(out, axes));
  reduce(reduction, source_of(w, order), target.axes, target.out);
}

const RegisterKernel<Reduce> reduce_kernel(
    [](const Work& w) {
      const Reduce& op = op_of<Reduce>(w);
      w.output().allocate_dense();
      reduce_input(w, op.reduction, op.axes, w.output().view());
    },
    true);

const RegisterKernel<Mean> mean_kernel(
    [](const Work& w) {
      const Mean& op = op_of<Mean>(w);
      Node& out = w.output();
      out.allocate_dense();
      const Dtype wide = is_half(out.dtype) ? float32 : out.dtype;
      View total = out.view();
      BufferRef sums;
      if (wide != out.dtype) {
        sums = allocate(static_cast<size_t>(out.size()) * size_of(wide));
        total.data = sums->data;
        total.dtype = wide;
      }
      reduce_input(w, Reduction::sum, op.axes, total);

      const Shape& shape = w.inputs[0].shape();
      const Array divisor(op.divisor(shape), wide);
      View divisors = divisor.node()->view();
      divisors.shape = total.shape;
      divisors.strides = Strides(total.shape.size(), 0);
      tile::Bytecode divide;
      divide.inputs = {wide, wide};
      divide.code = {{Code::divide, wide, wide, 2, 0, 1}, {Code::copy, wide, out.dtype, 3, 2}};
      divide.outputs = {{3, out.dtype}};
      divide.registers = 4;
      const View inputs[] = {total, divisors};
      const View outputs[] = {out.view()};
      tile::run(divide, out.shape, inputs, outputs);
    },
    true);

// The order in which an extreme along `axis` is looked for: that of memory, but for short runs (a
// few channels that come last), which cost more than strided reads do.
Order order_for(const Work& w, int axis) {
  const Shape& shape = w.inputs[0].shape();
  const Order order = memory_order(shape, strides_of(w));
  const auto size = [&](int i) { return shape[static_cast<size_t>(i)]; };
  int64_t inner = 1;
  for (size_t i = order.size(); order[--i] != axis;) inner *= size(order[i]);
  if (inner > 1 ? inner >= 16 : size(axis) >= 64) return order;
  return shape_order(shape.size());
}

const RegisterKernel<ArgReduce> arg_reduce_kernel(
    [](const Work& w) {
      const ArgReduce& op = op_of<ArgReduce>(w);
      w.output().allocate_dense();
      const Order order = order_for(w, op.axis);
      const Reduced target = reordered(order, {op.axis}, without(w.output().view(), {op.axis}));
      arg_reduce(op.reduction, source_of(w, order), target.axes[0], target.out);
    },
    true);

const RegisterKernel<Softmax> softmax_kernel(
    [](const Work& w) {
      if (w.prologue) {
        w.output().allocate_dense();
      } else {
        allocate_or_donate(w, 0, 0);
      }
      softmax(source_of(w), w.output().view());
    },
    true);

const RegisterKernel<LogSumExp> logsumexp_kernel(
    [](const Work& w) {
      w.output().allocate_dense();
      logsumexp(source_of(w), w.output().view());
    },
    true);

}  // namespace
}  // namespace heddle::cpu
