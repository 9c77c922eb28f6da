// Sorting ops on their kernels.
#include "cpu/kernel.h"
#include "cpu/sort.h"
#include "ops/sort.h"

namespace heddle::cpu {
namespace {

// `view` with dimension `axis` last.
View with_axis_last(const View& view, int axis) {
  View out = view;
  auto move = [axis](auto& v) {
    auto value = v[static_cast<size_t>(axis)];
    v.erase(v.begin() + axis);
    v.push_back(value);
  };
  move(out.shape);
  move(out.strides);
  return out;
}

// Gives the result memory in which rows along `axis` are dense, and runs the kernel on rows.
template <class F>
void along_axis(const Work& w, int axis, bool may_donate, F&& kernel) {
  const View in = w.input(0).view();
  Node& out = w.output();
  const int last = in.ndim() - 1;
  if (axis == last && may_donate) {
    allocate_or_donate(w, 0, 0);
  } else {
    Shape moved = out.shape;
    moved.erase(moved.begin() + axis);
    moved.push_back(out.shape[static_cast<size_t>(axis)]);
    Strides strides = row_major_strides(moved);
    const int64_t step = strides.back();
    strides.pop_back();
    strides.insert(strides.begin() + axis, step);
    out.set_data(allocate(out.nbytes()), strides);
  }
  if (out.size() > 0) kernel(with_axis_last(in, axis), with_axis_last(out.view(), axis));
}

const RegisterKernel<Sort> sort_kernel([](const Work& w) {
  along_axis(w, op_of<Sort>(w).axis, true, [](const View& in, const View& out) { sort(in, out); });
});

const RegisterKernel<ArgSort> argsort_kernel([](const Work& w) {
  along_axis(w, op_of<ArgSort>(w).axis, false,
             [](const View& in, const View& out) { argsort(in, out); });
});

const RegisterKernel<Partition> partition_kernel([](const Work& w) {
  along_axis(w, op_of<Partition>(w).axis, true,
             [](const View& in, const View& out) { sort(in, out); });
});

const RegisterKernel<ArgPartition> argpartition_kernel([](const Work& w) {
  along_axis(w, op_of<ArgPartition>(w).axis, false,
             [](const View& in, const View& out) { argsort(in, out); });
});

const RegisterKernel<SearchSorted> searchsorted_kernel([](const Work& w) {
  const SearchSorted& op = op_of<SearchSorted>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Dense sorted(w.input(0)), values(w.input(1));
  const int64_t n = sorted.view().shape.back();
  int64_t rows = 1;
  for (int i = 0; i < op.batch; i++) rows *= out.shape[static_cast<size_t>(i)];
  const int64_t m = out.size() / rows;
  const auto matrix = [rows](const View& v, int64_t columns) {
    return View{v.data, v.dtype, {rows, columns}, {columns, 1}};
  };
  searchsorted(matrix(sorted.view(), n), matrix(values.view(), m),
               op.right ? Side::right : Side::left, matrix(out.view(), m));
});

}  // namespace
}  // namespace heddle::cpu
