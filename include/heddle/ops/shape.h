// Operations that change how elements are arranged: most only make a view.
// Axes may be negative; an axis that the array does not have throws AxisError.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "heddle/array.h"

namespace heddle {

// Another shape, the same elements in row-major order.
Array reshape(const Array& a, const Shape& shape, StreamOrDevice s = {});  // one -1 is inferred
Array flatten(const Array& a, int start_axis = 0, int end_axis = -1, StreamOrDevice s = {});
Array unflatten(const Array& a, int axis, const Shape& shape, StreamOrDevice s = {});
Array squeeze(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array squeeze(const Array& a, int axis, StreamOrDevice s = {});
Array squeeze(const Array& a, StreamOrDevice s = {});  // all axes of size one
Array expand_dims(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array expand_dims(const Array& a, int axis, StreamOrDevice s = {});
Array atleast_1d(const Array& a, StreamOrDevice s = {});
Array atleast_2d(const Array& a, StreamOrDevice s = {});
Array atleast_3d(const Array& a, StreamOrDevice s = {});

// Other orders of the axes.
Array transpose(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array transpose(const Array& a, StreamOrDevice s = {});         // reverses all axes
Array matrix_transpose(const Array& a, StreamOrDevice s = {});  // swaps the last two
Array moveaxis(const Array& a, int source, int destination, StreamOrDevice s = {});
Array swapaxes(const Array& a, int axis1, int axis2, StreamOrDevice s = {});

// Repetition without memory.
Array broadcast_to(const Array& a, const Shape& shape, StreamOrDevice s = {});
Arrays broadcast_arrays(const Arrays& arrays, StreamOrDevice s = {});
Shape broadcast_shapes(const std::vector<Shape>& shapes);  // at least one

// Joining and splitting. Dtypes of joined arrays are promoted to one.
Array concatenate(const Arrays& arrays, int axis, StreamOrDevice s = {});
Array concatenate(const Arrays& arrays, StreamOrDevice s = {});  // of flattened arrays
Array stack(const Arrays& arrays, int axis = 0, StreamOrDevice s = {});
Arrays unstack(const Array& a, int axis = 0, StreamOrDevice s = {});
Arrays split(const Array& a, int sections, int axis = 0, StreamOrDevice s = {});  // equal parts
Arrays split(const Array& a, const Shape& indices, int axis = 0, StreamOrDevice s = {});

// Repetition and reordering of elements.
Array repeat(const Array& a, int repeats, int axis, StreamOrDevice s = {});
Array repeat(const Array& a, int repeats, StreamOrDevice s = {});  // of the flattened array
Array tile(const Array& a, const Shape& repetitions, StreamOrDevice s = {});
Array roll(const Array& a, const Shape& shifts, const std::vector<int>& axes,
           StreamOrDevice s = {});
Array roll(const Array& a, int64_t shift, StreamOrDevice s = {});  // of the flattened array
Array flip(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array flip(const Array& a, StreamOrDevice s = {});  // along all axes

// More elements around the array. `widths` has (before, after) for each axis, or one pair for all.
// Modes: constant, edge (repeats the border), reflect (mirrors about the border element), symmetric
// (mirrors about the border).
using PadWidths = std::vector<std::pair<int64_t, int64_t>>;
Array pad(const Array& a, const PadWidths& widths, const Array& value = Array(0),
          const std::string& mode = "constant", StreamOrDevice s = {});

// Any strided view of the elements taken in row-major order; throws std::invalid_argument if it
// would leave the array. Without strides: row-major ones.
Array as_strided(const Array& a, const Shape& shape, const std::optional<Strides>& strides,
                 int64_t offset = 0, StreamOrDevice s = {});
// Row-major in memory (or, if allowed, column-major); copies only where it must.
Array contiguous(const Array& a, bool allow_col_major = false, StreamOrDevice s = {});
// The same bytes read as another dtype; the last axis grows or shrinks where sizes differ.
Array view(const Array& a, Dtype dtype, StreamOrDevice s = {});
Array copy(const Array& a, StreamOrDevice s = {});
// `inputs` that are available only after `dependencies` are.
Arrays depends(const Arrays& inputs, const Arrays& dependencies);

// Diagonals and triangles.
Array diagonal(const Array& a, int offset = 0, int axis1 = 0, int axis2 = 1, StreamOrDevice s = {});
Array diag(const Array& a, int k = 0, StreamOrDevice s = {});
Array trace(const Array& a, int offset = 0, int axis1 = 0, int axis2 = 1,
            std::optional<Dtype> dtype = {}, StreamOrDevice s = {});
Array tri(int n, int m, int k = 0, Dtype dtype = float32, StreamOrDevice s = {});
Array tril(const Array& a, int k = 0, StreamOrDevice s = {});
Array triu(const Array& a, int k = 0, StreamOrDevice s = {});

// Coordinates of a grid from those of its axes.
Arrays meshgrid(const Arrays& arrays, bool sparse = false, const std::string& indexing = "xy",
                StreamOrDevice s = {});
// n-th difference of neighbours along an axis.
Array diff(const Array& a, int n = 1, int axis = -1, StreamOrDevice s = {});

}  // namespace heddle
