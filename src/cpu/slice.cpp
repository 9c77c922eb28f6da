// Slices as views, and arrays with a slice changed.
#include "ops/slice.h"

#include <algorithm>

#include "cpu/combine.h"
#include "cpu/indexed_update.h"

namespace heddle::cpu {

void begin_update(const Work& w) {
  const Node& in = w.input(0);
  Node& out = w.output();
  allocate_or_donate(w, 0, 0);
  if (out.data != in.data && out.size() > 0) tile::copy(in.view(), out.view());
}

std::vector<BoxLoop> collapse_box(const Shape& shape, const Strides& a, const Strides& b) {
  std::vector<BoxLoop> loops;
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i] == 1) continue;
    if (!loops.empty() && loops.back().a == shape[i] * a[i] && loops.back().b == shape[i] * b[i]) {
      loops.back() = {loops.back().count * shape[i], a[i], b[i]};
    } else {
      loops.push_back({shape[i], a[i], b[i]});
    }
  }
  if (loops.empty()) loops.push_back({1, 1, 1});
  return loops;
}

namespace {

// The part of `array` that the slice names.
View slice_view(const View& array, const Shape& start, const Shape& stop, const Shape& step) {
  View out = array;
  int64_t offset = 0;
  bool empty = false;
  for (size_t i = 0; i < array.shape.size(); i++) {
    SliceRange r = resolve_slice(start[i], stop[i], step[i], array.shape[i]);
    out.shape[i] = r.count;
    out.strides[i] = array.strides[i] * r.step;
    offset += array.strides[i] * r.first;
    empty |= r.count == 0;
  }
  if (!empty) {
    out.data = static_cast<char*>(array.data) + offset * static_cast<int64_t>(size_of(array.dtype));
  }
  return out;
}

const RegisterKernel<Slice> slice([](const Work& w) {
  const auto& op = op_of<Slice>(w);
  const Node& in = w.input(0);
  View part = slice_view(in.view(), op.start, op.stop, op.step);
  int64_t offset =
      (static_cast<char*>(part.data) - in.data) / static_cast<int64_t>(size_of(in.dtype));
  w.output().share(in, part.strides, offset);
});

const RegisterKernel<SliceUpdate> slice_update([](const Work& w) {
  const auto& op = op_of<SliceUpdate>(w);
  begin_update(w);
  View part = slice_view(w.output().view(), op.start, op.stop, op.step);
  View update = w.input(1).view();
  if (part.size() == 0) return;
  if (op.combine == Combine::assign) {
    tile::copy(update, part);
    return;
  }
  auto loops = collapse_box(part.shape, part.strides, update.strides);
  const BoxLoop inner = loops.back();
  visit_combine(part.dtype, op.combine, [&](auto tag, auto how) {
    using T = typename decltype(tag)::type;
    for_each_row(loops, [&](int64_t a, int64_t b) {
      T* to = part.as<T>() + a;
      const T* from = update.as<T>() + b;
      for (int64_t i = 0; i < inner.count; i++) {
        to[i * inner.a] = combined<how()>(to[i * inner.a], from[i * inner.b]);
      }
    });
  });
});

}  // namespace
}  // namespace heddle::cpu
