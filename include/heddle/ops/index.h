// Reading and writing parts of arrays.
//
// Negative indices count from the end. Whatever the value of an index, nothing is read or written
// outside of the array: indices of reads are clamped to it; a write with an index out of range
// throws std::out_of_range and writes nothing, at evaluation where the indices are arrays.
#pragma once

#include <climits>
#include <concepts>

#include "heddle/array.h"

namespace heddle {

// The start or stop of a slice that is not given: the end of the axis that the step begins or ends
// at.
inline constexpr int64_t slice_end = INT64_MIN;

// Elements start, start + step, ... before stop along each axis, by Python's rules. A view.
Array slice(const Array& a, const Shape& start, const Shape& stop, const Shape& step,
            StreamOrDevice s = {});
Array slice(const Array& a, const Shape& start, const Shape& stop, StreamOrDevice s = {});
// A box of `size` whose corner along `axes` is known at evaluation; moved to lie within the array.
Array dynamic_slice(const Array& a, const Array& start, const std::vector<int>& axes,
                    const Shape& size, StreamOrDevice s = {});
// MLX's name for it; a template, so that bounds in braces mean the slice above.
template <std::same_as<Array> Start>
Array slice(const Array& a, const Start& start, const std::vector<int>& axes, const Shape& size,
            StreamOrDevice s = {}) {
  return dynamic_slice(a, start, axes, size, s);
}

// How new values combine with those in place.
enum class Combine : uint8_t { assign, sum, prod, max, min };

// `a` with a slice changed; `update` broadcasts to the slice and is cast to the dtype of `a`.
Array slice_update(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                   const Shape& step, Combine combine = Combine::assign, StreamOrDevice s = {});
Array slice_update(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                   StreamOrDevice s = {});
Array dynamic_slice_update(const Array& a, const Array& update, const Array& start,
                           const std::vector<int>& axes, StreamOrDevice s = {});
template <std::same_as<Array> Start>
Array slice_update(const Array& a, const Array& update, const Start& start,
                   const std::vector<int>& axes, StreamOrDevice s = {}) {
  return dynamic_slice_update(a, update, start, axes, s);
}
Array slice_update_add(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step, StreamOrDevice s = {});
Array slice_update_prod(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                        const Shape& step, StreamOrDevice s = {});
Array slice_update_max(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step, StreamOrDevice s = {});
Array slice_update_min(const Array& a, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step, StreamOrDevice s = {});

// Boxes of `slice_sizes` (one per axis of `a`) whose corners along `axes` are given by the arrays
// `indices`, which broadcast; the result has the shape of the indices followed by slice_sizes.
Array gather(const Array& a, const Arrays& indices, const std::vector<int>& axes,
             const Shape& slice_sizes, StreamOrDevice s = {});
// The other direction: `updates` has the shape of the indices followed by that of a box. Duplicates
// combine in row-major order of the indices; with `assign` the last one stays.
Array scatter(const Array& a, const Arrays& indices, const Array& updates,
              const std::vector<int>& axes, Combine combine = Combine::assign,
              StreamOrDevice s = {});
Array scatter_add(const Array& a, const Arrays& indices, const Array& updates,
                  const std::vector<int>& axes, StreamOrDevice s = {});
Array scatter_prod(const Array& a, const Arrays& indices, const Array& updates,
                   const std::vector<int>& axes, StreamOrDevice s = {});
Array scatter_max(const Array& a, const Arrays& indices, const Array& updates,
                  const std::vector<int>& axes, StreamOrDevice s = {});
Array scatter_min(const Array& a, const Arrays& indices, const Array& updates,
                  const std::vector<int>& axes, StreamOrDevice s = {});

// Elements along one axis; without an axis, of the flattened array.
Array take(const Array& a, const Array& indices, int axis, StreamOrDevice s = {});
Array take(const Array& a, const Array& indices, StreamOrDevice s = {});
Array take(const Array& a, int64_t index, int axis, StreamOrDevice s = {});
Array take(const Array& a, int64_t index, StreamOrDevice s = {});

// One index for each element of the result; `indices` has the dimensions of `a` and broadcasts with
// it but for `axis`.
Array take_along_axis(const Array& a, const Array& indices, int axis, StreamOrDevice s = {});
Array put_along_axis(const Array& a, const Array& indices, const Array& values, int axis,
                     StreamOrDevice s = {});
Array scatter_add_axis(const Array& a, const Array& indices, const Array& values, int axis,
                       StreamOrDevice s = {});

// Replaces, in order, the elements (or sub-arrays) of `a` where `mask`, which has the shape of the
// leading axes of `a`, is true. `values` has one entry for each of them, or broadcasts to one of
// them. Too few values throw std::runtime_error at evaluation.
Array masked_scatter(const Array& a, const Array& mask, const Array& values, StreamOrDevice s = {});

}  // namespace heddle
