// Gather and scatter. Positions of boxes are computed a block of indices at a time; every index is
// clamped or checked before anything is read or written through it.
#include "ops/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/threads.h"
#include "cpu/combine.h"
#include "cpu/indexed_update.h"

namespace heddle::cpu {
namespace {

constexpr int64_t block_size = 512;

// Turns index arrays into positions (in elements) of the boxes they name.
class Positions {
 public:
  // `array`: the shape and strides that positions refer to; `box`: the sizes of a box.
  Positions(const Work& w, const std::vector<int>& axes, const Shape& index_shape,
            const Shape& shape, const Strides& strides, const Shape& box)
      : count_(element_count(index_shape)) {
    for (size_t k = 0; k < axes.size(); k++) {
      size_t axis = static_cast<size_t>(axes[k]);
      const Node& node = w.input(k + 1);
      View index = node.view();
      Strides spread(index_shape.size(), 0);
      size_t skip = index_shape.size() - index.shape.size();
      for (size_t i = 0; i < index.shape.size(); i++) {
        if (index.shape[i] != 1) spread[skip + i] = index.strides[i];
      }
      index.shape = index_shape;
      index.strides = spread;
      if (!index.row_contiguous()) {
        copies_.push_back(allocate(static_cast<size_t>(count_) * size_of(index.dtype)));
        View dense{copies_.back()->data, index.dtype, index_shape, row_major_strides(index_shape)};
        if (count_ > 0) tile::copy(index, dense);
        index = dense;
      }
      sources_.push_back(
          {index.data, index.dtype, shape[axis], shape[axis] - box[axis], strides[axis], axes[k]});
    }
  }

  int64_t count() const { return count_; }

  // Positions of indices begin .. begin + n - 1, clamped so that the box lies within the array.
  void clamped(int64_t begin, int64_t n, int64_t* out) const {
    fill(begin, n, out, [](int64_t v, auto, const Source& s) {
      return std::clamp<int64_t>(v, 0, std::max<int64_t>(s.highest, 0));
    });
  }
  // Throws std::out_of_range for an index whose box would leave the array.
  void checked(int64_t begin, int64_t n, int64_t* out) const {
    fill(begin, n, out, [](int64_t v, auto given, const Source& s) {
      if (v < 0 || v > s.highest) {
        throw std::out_of_range(fmt::format(
            "[scatter] Index {} is out of range for axis {} with size {}.", given, s.axis, s.size));
      }
      return v;
    });
  }

 private:
  struct Source {
    const void* data;
    Dtype dtype;
    int64_t size;     // of the axis
    int64_t highest;  // valid position
    int64_t stride;
    int axis;
  };

  template <class Limit>
  void fill(int64_t begin, int64_t n, int64_t* out, Limit limit) const {
    std::fill(out, out + n, 0);
    for (const Source& s : sources_) {
      visit_dtype(s.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          const T* index = static_cast<const T*>(s.data) + begin;
          for (int64_t i = 0; i < n; i++) {
            int64_t v = static_cast<int64_t>(index[i]);
            if constexpr (std::is_signed_v<T>) {
              if (v < 0) v = v < -s.size ? -1 : v + s.size;
            } else if constexpr (sizeof(T) == 8) {
              if (v < 0) v = INT64_MAX;
            }
            out[i] += limit(v, index[i], s) * s.stride;
          }
        }
      });
    }
  }

  int64_t count_;
  std::vector<Source> sources_;
  std::vector<BufferRef> copies_;
};

// ---------------------------------------------------------------------------------------------
// gather

// How many axes in front of the result's boxes belong before the indices, where numpy puts the
// result of indices on neighbouring axes: memory is laid out so, to make that transposition dense.
size_t axes_in_front(const std::vector<int>& axes) {
  int low = *std::min_element(axes.begin(), axes.end());
  int high = *std::max_element(axes.begin(), axes.end());
  return high - low + 1 == static_cast<int>(axes.size()) ? static_cast<size_t>(low) : 0;
}

template <class T>
void gather_elements(const T* from, const int64_t* positions, T* to, int64_t to_step, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i * to_step] = from[positions[i]];
}

// Copies one box whose loops are `loops` (a: source, b: destination).
void copy_box(const std::vector<BoxLoop>& loops, size_t width, const char* from, char* to) {
  const BoxLoop inner = loops.back();
  int64_t w = static_cast<int64_t>(width);
  for_each_row(loops, [&](int64_t a, int64_t b) {
    const char* source = from + a * w;
    char* target = to + b * w;
    if (inner.a == 1 && inner.b == 1) {
      std::memcpy(target, source, static_cast<size_t>(inner.count * w));
      return;
    }
    visit_width(width, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (int64_t i = 0; i < inner.count; i++) {
        reinterpret_cast<T*>(target)[i * inner.b] = reinterpret_cast<const T*>(source)[i * inner.a];
      }
    });
  });
}

// The boxes of a gather, as loops over source and result: the axes in front lie before the indices
// in the result's memory, the others behind them.
struct Boxes {
  Strides strides;  // of the result
  int64_t index_step;
  std::vector<BoxLoop> front, rest;
  int64_t fronts, box;  // elements of each
  size_t width;         // of an element
};

// sizes: of a box.
Boxes boxes_of(const Node& in, const Shape& out, const Shape& sizes, size_t front) {
  const size_t n = in.shape.size(), index_ndim = out.size() - n;
  Boxes b;
  b.strides = Strides(out.size(), 0);
  int64_t step = 1;
  auto lay = [&](size_t first, size_t last) {
    for (size_t i = last; i-- > first;) {
      b.strides[i] = step;
      step *= out[i];
    }
  };
  lay(index_ndim + front, out.size());
  b.index_step = step;
  lay(0, index_ndim);
  lay(index_ndim, index_ndim + front);

  auto loops = [&](size_t first, size_t last, int64_t& elements) {
    const auto part = [&](const auto& all, size_t skip) {
      return std::decay_t<decltype(all)>(all.begin() + static_cast<long>(skip + first),
                                         all.begin() + static_cast<long>(skip + last));
    };
    const Shape shape = part(sizes, 0);
    elements = element_count(shape);
    return collapse_box(shape, part(in.strides, 0), part(b.strides, index_ndim));
  };
  b.front = loops(0, front, b.fronts);
  b.rest = loops(front, n, b.box);
  b.width = size_of(in.dtype);
  return b;
}

// Copies the boxes at these offsets of the source, one behind the other in the result.
void gather_boxes(const Boxes& b, const int64_t* offsets, int64_t count, const char* source,
                  char* target) {
  const auto bytes = static_cast<int64_t>(b.width);
  if (b.box == 1) {
    visit_width(b.width, [&](auto tag) {
      using T = typename decltype(tag)::type;
      gather_elements(reinterpret_cast<const T*>(source), offsets, reinterpret_cast<T*>(target),
                      b.index_step, count);
    });
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    copy_box(b.rest, b.width, source + offsets[i] * bytes, target + i * b.index_step * bytes);
  }
}

const RegisterKernel<Gather> gather([](const Work& w) {
  const auto& op = op_of<Gather>(w);
  const Node& in = w.input(0);
  Node& out = w.output();
  size_t index_ndim = out.shape.size() - in.shape.size();
  Shape index_shape(out.shape.begin(), out.shape.begin() + static_cast<long>(index_ndim));
  if (out.size() == 0) {
    out.allocate_dense();
    return;
  }
  // The op may say -1 for a whole axis.
  const Shape sizes(out.shape.begin() + static_cast<long>(index_ndim), out.shape.end());
  Positions positions(w, op.axes, index_shape, in.shape, in.strides, sizes);
  int64_t count = positions.count();
  if (count == 1) {
    // One box is a view.
    int64_t offset = 0;
    positions.clamped(0, 1, &offset);
    Strides strides(index_ndim, 0);
    for (int64_t s : in.strides) strides.push_back(s);
    out.share(in, strides, offset);
    return;
  }
  const Boxes b = boxes_of(in, out.shape, sizes, op.axes.empty() ? 0 : axes_in_front(op.axes));
  out.set_data(allocate(out.nbytes()), b.strides);

  const auto bytes = static_cast<int64_t>(b.width);
  int64_t blocks = (count + block_size - 1) / block_size;
  int64_t grain = std::max<int64_t>(1, parallel_grain / (std::min(count, block_size) * b.box));
  parallel_for(b.fronts * blocks, grain, [&](int64_t begin, int64_t end) {
    int64_t offsets[block_size];
    for (int64_t t = begin; t < end; t++) {
      int64_t first = t % blocks * block_size, many = std::min(block_size, count - first);
      positions.clamped(first, many, offsets);
      int64_t from = 0, to = first * b.index_step, rest = t / blocks;
      for (size_t i = b.front.size(); i-- > 0;) {
        from += rest % b.front[i].count * b.front[i].a;
        to += rest % b.front[i].count * b.front[i].b;
        rest /= b.front[i].count;
      }
      gather_boxes(b, offsets, many, in.data + from * bytes, out.data + to * bytes);
    }
  });
});

// ---------------------------------------------------------------------------------------------
// scatter

template <class T, class Update>
void update_box(const std::vector<BoxLoop>& loops, int64_t at, const T* from, Update&& update) {
  const BoxLoop inner = loops.back();
  for_each_row(loops, [&](int64_t a, int64_t b) {
    for (int64_t i = 0; i < inner.count; i++) update(at + a + i * inner.a, from[b + i * inner.b]);
  });
}

const RegisterKernel<Scatter> scatter([](const Work& w) {
  const auto& op = op_of<Scatter>(w);
  const Node& in = w.input(0);
  const Node& updates = w.input(w.inputs.size() - 1);
  Node& out = w.output();
  size_t index_ndim = updates.shape.size() - in.shape.size();
  Shape index_shape(updates.shape.begin(), updates.shape.begin() + static_cast<long>(index_ndim));
  Shape box(updates.shape.begin() + static_cast<long>(index_ndim), updates.shape.end());
  Strides strides = row_major_strides(in.shape);

  // All positions before the first write.
  Positions positions(w, op.axes, index_shape, in.shape, strides, box);
  int64_t count = updates.size() == 0 ? 0 : positions.count();
  auto offsets = std::make_unique<int64_t[]>(static_cast<size_t>(count));
  parallel_for(count, parallel_grain, [&](int64_t begin, int64_t end) {
    if (op.clamp) {
      positions.clamped(begin, end - begin, offsets.get() + begin);
    } else {
      positions.checked(begin, end - begin, offsets.get() + begin);
    }
  });
  begin_update(w);
  if (count == 0) return;

  Dense dense(updates);
  int64_t elements = element_count(box);
  auto loops = collapse_box(box, strides, row_major_strides(box));
  bool disjoint = true;  // boxes at different positions
  for (int axis : op.axes) disjoint &= box[static_cast<size_t>(axis)] == 1;
  // Each position belongs to one part, and a part takes its updates in order: any number of threads
  // gives the same result.
  int64_t parts = disjoint && count * elements > 4 * parallel_grain ? num_threads() : 1;
  visit_combine(in.dtype, op.combine, [&](auto tag, auto how) {
    using T = typename decltype(tag)::type;
    T* to = reinterpret_cast<T*>(out.data);
    const T* from = dense.as<T>();
    const WideElements<how(), T> wide(count > 1 ? out.size() : 0);
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      combine_all<how()>(to, wide.data(), [&](auto&& update) {
        for (int64_t i = 0; i < count; i++) {
          int64_t at = offsets[static_cast<size_t>(i)];
          if (parts > 1) {
            uint64_t hash = static_cast<uint64_t>(at) * 0x9e3779b97f4a7c15u >> 32;
            int64_t part = static_cast<int64_t>(hash % static_cast<uint64_t>(parts));
            if (part < begin || part >= end) continue;
          }
          if (elements == 1) {
            update(at, from[i]);
          } else {
            update_box(loops, at, from + i * elements, update);
          }
        }
      });
    });
  });
});

}  // namespace
}  // namespace heddle::cpu
