// Kernels of ops about memory layout, of padding, joining and splitting.
#include "ops/layout.h"

#include <cstring>

#include "core/threads.h"
#include "cpu/kernel.h"
#include "cpu/tile/bytecode.h"
#include "ops/diagonal.h"
#include "ops/join.h"
#include "ops/pad.h"

namespace heddle::cpu {
namespace {

void copy_dense(const Node& in, Node& out) {
  out.allocate_dense();
  View dense{out.data, out.dtype, in.shape, row_major_strides(in.shape)};
  tile::copy(in.view(), dense);
}

const RegisterKernel<AsStrided> as_strided([](const Work& w) {
  const auto& op = op_of<AsStrided>(w);
  const Node& in = w.input(0);
  Node& out = w.output();
  if (in.row_contiguous()) {
    out.share(in, op.strides, out.size() == 0 ? 0 : op.offset);
    return;
  }
  Node dense(in.shape, in.dtype);
  copy_dense(in, dense);
  out.share(dense, op.strides, out.size() == 0 ? 0 : op.offset);
});

const RegisterKernel<Contiguous> contiguous([](const Work& w) {
  const Node& in = w.input(0);
  bool column_major = false;
  if (op_of<Contiguous>(w).allow_col_major) {
    Shape shape(in.shape.rbegin(), in.shape.rend());
    Strides strides(in.strides.rbegin(), in.strides.rend());
    column_major = is_row_contiguous(shape, strides);
  }
  if (in.row_contiguous() || column_major) {
    w.output().share(in, in.strides);
  } else {
    copy_dense(in, w.output());
  }
});

const RegisterKernel<ViewAs> view([](const Work& w) {
  const Node& in = w.input(0);
  Node& out = w.output();
  if (out.dtype == Dtype::bool_) {
    // A bool that is neither 0 nor 1 is none in C++.
    View bytes = in.view();
    bytes.dtype = Dtype::uint8;
    if (size_of(in.dtype) == 1) {
      out.allocate_dense();
      tile::copy(bytes, out.view());
      return;
    }
    Dense dense(in);
    out.allocate_dense();
    const auto* from = dense.as<uint8_t>();
    for (int64_t i = 0; i < out.size(); i++) out.data[i] = from[i] != 0;
    return;
  }
  if (size_of(in.dtype) == size_of(out.dtype)) {
    out.share(in, in.strides);
    return;
  }
  if (in.row_contiguous()) {
    out.share(in, row_major_strides(out.shape));
    return;
  }
  Node dense(in.shape, in.dtype);
  copy_dense(in, dense);
  out.share(dense, row_major_strides(out.shape));
});

const RegisterKernel<Depends> depends([](const Work& w) {
  for (size_t k = 0; k < w.outputs.size(); k++) w.output(k).share(w.input(k), w.input(k).strides);
});

const RegisterKernel<Pad> pad([](const Work& w) {
  const auto& op = op_of<Pad>(w);
  const Node& in = w.input(0);
  Node& out = w.output();
  out.allocate_dense();
  View value = w.input(1).view();
  value.shape = out.shape;
  value.strides = Strides(out.shape.size(), 0);
  tile::copy(value, out.view());
  View inner = out.view();
  int64_t offset = 0;
  for (size_t i = 0; i < inner.shape.size(); i++) offset += op.before[i] * inner.strides[i];
  inner.data = out.data + offset * static_cast<int64_t>(size_of(out.dtype));
  inner.shape = in.shape;
  if (in.size() > 0) tile::copy(in.view(), inner);
});

const RegisterKernel<BorderPad> border_pad([](const Work& w) {
  const auto& op = op_of<BorderPad>(w);
  const Node& in = w.input(0);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  size_t last = out.shape.size() - 1;
  std::vector<std::vector<int32_t>> sources;
  for (size_t i = 0; i <= last; i++) sources.push_back(op.sources(i, in.shape[i]));
  int64_t columns = out.shape[last], step = in.strides[last];
  visit_width(size_of(out.dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    int64_t grain = std::max<int64_t>(1, parallel_grain / columns);
    parallel_for(out.size() / columns, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        int64_t rest = r, from = 0;
        for (size_t i = last; i-- > 0;) {
          from += sources[i][static_cast<size_t>(rest % out.shape[i])] * in.strides[i];
          rest /= out.shape[i];
        }
        const T* row = reinterpret_cast<const T*>(in.data) + from;
        T* to = reinterpret_cast<T*>(out.data) + r * columns;
        for (int64_t j = 0; j < columns; j++)
          to[j] = row[sources[last][static_cast<size_t>(j)] * step];
      }
    });
  });
});

const RegisterKernel<Diagonal> diagonal([](const Work& w) {
  const auto& op = op_of<Diagonal>(w);
  const Node& in = w.input(0);
  auto line = op.line(in.shape);
  int64_t down = in.strides[static_cast<size_t>(op.axis1)];
  int64_t right = in.strides[static_cast<size_t>(op.axis2)];
  Strides strides;
  for (int i = 0; i < static_cast<int>(in.shape.size()); i++) {
    if (i != op.axis1 && i != op.axis2) strides.push_back(in.strides[static_cast<size_t>(i)]);
  }
  strides.push_back(down + right);
  w.output().share(in, strides, line.count == 0 ? 0 : line.row * down + line.column * right);
});

const RegisterKernel<Concatenate> concatenate([](const Work& w) {
  size_t axis = static_cast<size_t>(op_of<Concatenate>(w).axis);
  Node& out = w.output();
  out.allocate_dense();
  int64_t width = static_cast<int64_t>(size_of(out.dtype));
  int64_t outer = 1, inner = width;
  for (size_t i = 0; i < axis; i++) outer *= out.shape[i];
  for (size_t i = axis + 1; i < out.shape.size(); i++) inner *= out.shape[i];
  int64_t row = out.shape[axis] * inner;  // bytes
  int64_t first = 0;
  for (size_t k = 0; k < w.inputs.size(); k++) {
    const Node& in = w.input(k);
    int64_t block = in.shape[axis] * inner;
    if (block == 0 || outer == 0) continue;
    // Long blocks of rows are moved as they are; all else is the general copy into a window.
    if (in.row_contiguous() && (outer == 1 || block >= 256)) {
      constexpr int64_t piece = 1 << 18;
      int64_t pieces = (block + piece - 1) / piece;
      parallel_for(outer * pieces, std::max<int64_t>(1, piece / block), [&](int64_t b, int64_t e) {
        for (int64_t i = b; i < e; i++) {
          int64_t o = i / pieces, at = i % pieces * piece;
          std::memcpy(out.data + o * row + first + at, in.data + o * block + at,
                      static_cast<size_t>(std::min(piece, block - at)));
        }
      });
    } else {
      View window = out.view();
      window.data = out.data + first;
      window.shape = in.shape;
      tile::copy(in.view(), window);
    }
    first += block;
  }
});

const RegisterKernel<Split> split([](const Work& w) {
  const auto& op = op_of<Split>(w);
  const Node& in = w.input(0);
  size_t axis = static_cast<size_t>(op.axis);
  auto parts = op.parts(in.shape[axis]);
  for (size_t k = 0; k < w.outputs.size(); k++) {
    w.output(k).share(in, in.strides, parts[k].second == 0 ? 0 : parts[k].first * in.strides[axis]);
  }
});

}  // namespace
}  // namespace heddle::cpu
