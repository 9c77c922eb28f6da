// take_along_axis and its counterpart; scatter by mask.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/combine.h"
#include "cpu/indexed_update.h"
#include "ops/index.h"

namespace heddle::cpu {
namespace {

template <class F>
void visit_integer(Dtype dtype, F&& f) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) f(tag);
  });
}

// `v` counted from the front; -1 or size if out of range.
template <class I>
int64_t place(I v, int64_t size) {
  if constexpr (std::is_signed_v<I>) {
    if (v < 0) return v < -size ? -1 : static_cast<int64_t>(v) + size;
    return std::min<int64_t>(v, size);
  } else {
    return static_cast<int64_t>(std::min<uint64_t>(v, static_cast<uint64_t>(size)));
  }
}

// Rows of the last dimension of `shape`, in row-major order from `begin` on: calls f(offsets) with
// the element offset of each row's first element for each of the N strides.
template <size_t N, class F>
void each_row(const Shape& shape, const Strides* const (&strides)[N], int64_t begin, int64_t end,
              F&& f) {
  size_t outer = shape.empty() ? 0 : shape.size() - 1;
  for (int64_t r = begin; r < end; r++) {
    int64_t rest = r;
    int64_t offsets[N] = {};
    for (size_t i = outer; i-- > 0;) {
      int64_t at = rest % shape[i];
      rest /= shape[i];
      for (size_t k = 0; k < N; k++) offsets[k] += at * (*strides[k])[i];
    }
    f(offsets);
  }
}

const RegisterKernel<GatherAxis> gather_axis([](const Work& w) {
  size_t axis = static_cast<size_t>(op_of<GatherAxis>(w).axis);
  const Node& in = w.input(0);
  const Node& index = w.input(1);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Shape& shape = out.shape;
  size_t last = shape.size() - 1;
  int64_t columns = shape[last], size = in.shape[axis];
  int64_t along = in.strides[axis];
  // The index replaces the coordinate along the axis.
  Strides source = in.strides;
  source[axis] = 0;
  int64_t in_step = source[last], index_step = index.strides[last];
  visit_integer(index.dtype, [&](auto index_tag) {
    using I = typename decltype(index_tag)::type;
    visit_width(size_of(in.dtype), [&](auto tag) {
      using T = typename decltype(tag)::type;
      int64_t grain = std::max<int64_t>(1, parallel_grain / columns);
      parallel_for(
          shape.empty() ? 1 : out.size() / columns, grain, [&](int64_t begin, int64_t end) {
            each_row(shape, {&source, &index.strides, &out.strides}, begin, end,
                     [&](const int64_t* at) {
                       const T* from = reinterpret_cast<const T*>(in.data) + at[0];
                       const I* which = reinterpret_cast<const I*>(index.data) + at[1];
                       T* to = reinterpret_cast<T*>(out.data) + at[2];
                       for (int64_t j = 0; j < columns; j++) {
                         int64_t p =
                             std::clamp<int64_t>(place(which[j * index_step], size), 0, size - 1);
                         to[j] = from[p * along + j * in_step];
                       }
                     });
          });
    });
  });
});

const RegisterKernel<ScatterAxis> scatter_axis([](const Work& w) {
  const auto& op = op_of<ScatterAxis>(w);
  size_t axis = static_cast<size_t>(op.axis);
  const Node& index = w.input(1);
  const Node& values = w.input(2);
  Node& out = w.output();
  const Shape& shape = index.shape;
  int64_t size = w.input(0).shape[axis];
  if (index.size() == 0) {
    begin_update(w);
    return;
  }
  size_t last = shape.size() - 1;
  int64_t columns = shape[last], rows = index.size() / columns;
  int64_t index_step = index.strides[last], value_step = values.strides[last];
  visit_integer(index.dtype, [&](auto index_tag) {
    using I = typename decltype(index_tag)::type;
    const I* indices = reinterpret_cast<const I*>(index.data);
    if (!op.clamp) {
      each_row(shape, {&index.strides}, 0, rows, [&](const int64_t* at) {
        for (int64_t j = 0; j < columns; j++) {
          I v = indices[at[0] + j * index_step];
          int64_t p = place(v, size);
          if (p < 0 || p >= size) {
            throw std::out_of_range(
                fmt::format("[put_along_axis] Index {} is out of range for axis {} with size {}.",
                            v, axis, size));
          }
        }
      });
    }
    begin_update(w);
    Strides target = out.strides;
    int64_t along = target[axis];
    target[axis] = 0;
    int64_t out_step = target[last];
    visit_combine(out.dtype, op.combine, [&](auto tag, auto how) {
      using T = typename decltype(tag)::type;
      const WideElements<how(), T> wide(out.size());
      combine_all<how()>(reinterpret_cast<T*>(out.data), wide.data(), [&](auto&& update) {
        each_row(
            shape, {&target, &index.strides, &values.strides}, 0, rows, [&](const int64_t* at) {
              const I* which = indices + at[1];
              const T* from = reinterpret_cast<const T*>(values.data) + at[2];
              for (int64_t j = 0; j < columns; j++) {
                int64_t p = std::clamp<int64_t>(place(which[j * index_step], size), 0, size - 1);
                update(at[0] + p * along + j * out_step, from[j * value_step]);
              }
            });
      });
    });
  });
});

const RegisterKernel<MaskedScatter> masked_scatter([](const Work& w) {
  const Node& in = w.input(0);
  Dense mask(w.input(1));
  const Node& values = w.input(2);
  const bool* chosen = mask.as<bool>();
  int64_t rows = in.shape[0], columns = in.shape[1];
  int64_t wanted = std::count(chosen, chosen + rows, true);
  if (columns > 0 && wanted > values.shape[0]) {
    throw std::runtime_error(
        fmt::format("[masked_scatter] The mask chooses {} entries, but there are only {} values.",
                    wanted, values.shape[0]));
  }
  begin_update(w);
  if (columns == 0 || wanted == 0) return;
  Node& out = w.output();
  int64_t row_step = values.strides[0], step = values.strides[1];
  visit_width(size_of(in.dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = reinterpret_cast<T*>(out.data);
    const T* from = reinterpret_cast<const T*>(values.data);
    int64_t next = 0;
    for (int64_t i = 0; i < rows; i++) {
      if (!chosen[i]) continue;
      const T* row = from + next++ * row_step;
      for (int64_t j = 0; j < columns; j++) to[i * columns + j] = row[j * step];
    }
  });
});

}  // namespace
}  // namespace heddle::cpu
