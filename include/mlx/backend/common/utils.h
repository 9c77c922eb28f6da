// Places of elements in memory, for loops over arrays of any strides.
#pragma once

#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "mlx/array.h"

namespace mlx::core {

// Where element `elem`, counted in row-major order, lies.
inline int64_t elem_to_loc(int64_t elem, const Shape& shape, const Strides& strides) {
  int64_t place = 0;
  for (size_t i = shape.size(); i-- > 0;) {
    place += elem % shape[i] * strides[i];
    elem /= shape[i];
  }
  return place;
}
inline int64_t elem_to_loc(int64_t elem, const array& a) {
  return a.flags().row_contiguous ? elem : elem_to_loc(elem, a.shape(), a.strides());
}

inline Strides make_contiguous_strides(const Shape& shape) {
  Strides strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// The same elements in the same order with as few dimensions as there are: neighbours become one,
// of at most `size_cap`, where every array's strides allow it; those of size 1 go.
inline std::tuple<Shape, std::vector<Strides>> collapse_contiguous_dims(
    const Shape& shape, const std::vector<Strides>& strides,
    int64_t size_cap = std::numeric_limits<int32_t>::max()) {
  Shape sizes;
  std::vector<Strides> steps(strides.size());
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i] == 1) continue;
    bool joins = !sizes.empty() && int64_t{sizes.back()} * shape[i] <= size_cap;
    for (size_t k = 0; joins && k < strides.size(); k++) {
      joins = steps[k].back() == strides[k][i] * shape[i];
    }
    if (joins) {
      sizes.back() *= shape[i];
    } else {
      sizes.push_back(shape[i]);
    }
    for (size_t k = 0; k < strides.size(); k++) {
      if (joins) steps[k].pop_back();
      steps[k].push_back(strides[k][i]);
    }
  }
  if (sizes.empty() && !shape.empty()) {
    sizes.push_back(1);
    for (Strides& s : steps) s.push_back(0);
  }
  return {std::move(sizes), std::move(steps)};
}
inline std::tuple<Shape, std::vector<Strides>> collapse_contiguous_dims(
    const std::vector<array>& arrays, size_t size_cap = std::numeric_limits<int32_t>::max()) {
  std::vector<Strides> strides;
  for (const array& a : arrays) strides.push_back(a.strides());
  return collapse_contiguous_dims(arrays[0].shape(), strides, static_cast<int64_t>(size_cap));
}
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
auto collapse_contiguous_dims(Arrays&&... arrays) {
  return collapse_contiguous_dims(std::vector<array>{std::forward<Arrays>(arrays)...});
}
inline std::pair<Shape, Strides> collapse_contiguous_dims(
    const Shape& shape, const Strides& strides,
    int64_t size_cap = std::numeric_limits<int32_t>::max()) {
  auto [sizes, steps] = collapse_contiguous_dims(shape, std::vector<Strides>{strides}, size_cap);
  return {std::move(sizes), std::move(steps[0])};
}
inline std::pair<Shape, Strides> collapse_contiguous_dims(
    const array& a, int64_t size_cap = std::numeric_limits<int32_t>::max()) {
  return collapse_contiguous_dims(a.shape(), a.strides(), size_cap);
}

// Walks over the elements in row-major order; `loc` is where the present one lies.
struct ContiguousIterator {
 public:
  ContiguousIterator() = default;
  explicit ContiguousIterator(const array& a)
      : ContiguousIterator(a.shape(), a.strides(), static_cast<int>(a.ndim())) {}
  // Over the first `dims` dimensions.
  explicit ContiguousIterator(const Shape& shape, const Strides& strides, int dims) {
    std::tie(shape_, strides_) =
        collapse_contiguous_dims(Shape(shape.begin(), shape.begin() + dims),
                                 Strides(strides.begin(), strides.begin() + dims));
    position_ = Shape(shape_.size(), 0);
  }

  void step() {
    for (size_t i = shape_.size(); i-- > 0;) {
      loc += strides_[i];
      if (++position_[i] < shape_[i] || i == 0) return;
      loc -= strides_[i] * shape_[i];
      position_[i] = 0;
    }
  }
  void step(int64_t count) {
    while (count-- > 0) step();
  }
  void seek(int64_t elem) {
    loc = 0;
    for (size_t i = shape_.size(); i-- > 0;) {
      position_[i] = static_cast<ShapeElem>(elem % shape_[i]);
      loc += position_[i] * strides_[i];
      elem /= shape_[i];
    }
  }
  void reset() { seek(0); }
  // How many elements from a whole row on lie side by side.
  int64_t contiguous_suffix() const {
    return !shape_.empty() && strides_.back() == 1 ? shape_.back() : 0;
  }

  int64_t loc{0};

 private:
  Shape shape_, position_;
  Strides strides_;
};

// Elements in memory, repeated ones not counted, and whether they lie in row-major and column-major
// order.
inline std::tuple<size_t, bool, bool> check_contiguity(const Shape& shape, const Strides& strides) {
  size_t count = 1;
  bool rows = true, columns = true;
  int64_t row_step = 1, column_step = 1;
  for (size_t i = 0; i < shape.size(); i++) {
    const size_t from_end = shape.size() - 1 - i;
    columns &= strides[i] == column_step || shape[i] == 1;
    rows &= strides[from_end] == row_step || shape[from_end] == 1;
    column_step *= shape[i];
    row_step *= shape[from_end];
    if (strides[i] > 0) count *= static_cast<size_t>(shape[i]);
  }
  return {count, rows, columns};
}

// Whether `out` may take over the memory of `in`: of elements as large, and not much more of them.
inline bool is_donatable(const array& in, const array& out) {
  constexpr size_t most_left_over = 16384;
  return in.is_donatable() && in.itemsize() == out.itemsize() &&
         in.buffer_size() <= out.nbytes() + most_left_over;
}

template <class T>
SmallVector<T> remove_index(SmallVector<T> values, size_t index) {
  values.erase(values.begin() + static_cast<std::ptrdiff_t>(index));
  return values;
}

}  // namespace mlx::core
