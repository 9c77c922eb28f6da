// Index expressions as numpy writes them: x[1, ..., None, ::2, array]. Built of slices, gathers and
// scatters, so they take part in every transformation.
//
// An integer out of range throws std::out_of_range; indices in arrays follow heddle/ops/index.h.
// More indices than axes, two ellipses, or a mask where none is possible throw
// std::invalid_argument.
#pragma once

#include <vector>

#include "heddle/ops/index.h"

namespace heddle {

struct IndexItem {
  enum class Kind : uint8_t { new_axis, ellipsis, integer, slice, array };
  Kind kind = Kind::slice;
  int64_t start = slice_end;  // of a slice; the integer
  int64_t stop = slice_end;
  int64_t step = 1;
  Array array;  // integers, or a mask

  static IndexItem new_axis() { return {Kind::new_axis, 0, 0, 1, {}}; }
  static IndexItem ellipsis() { return {Kind::ellipsis, 0, 0, 1, {}}; }
  static IndexItem integer(int64_t i) { return {Kind::integer, i, 0, 1, {}}; }
  static IndexItem slice(int64_t start, int64_t stop, int64_t step) {
    return {Kind::slice, start, stop, step, {}};
  }
  static IndexItem of(Array a) { return {Kind::array, 0, 0, 1, std::move(a)}; }
};
using IndexItems = std::vector<IndexItem>;

// x[items]. The axes of index arrays come where the indices stand, or first if slices or new axes
// stand between them (integers count as arrays here, as in numpy).
Array get_items(const Array& a, const IndexItems& items, StreamOrDevice s = {});

// `a` after x[items] = value. The value broadcasts to the shape of the part (of which leading ones
// are dropped) and is cast to the dtype of `a`. A mask may be the only item, and is only assigned
// to. The place of the axes of index arrays is found without regard to integers, as MLX does it.
Array set_items(const Array& a, const IndexItems& items, const Array& value,
                Combine combine = Combine::assign, StreamOrDevice s = {});

}  // namespace heddle
