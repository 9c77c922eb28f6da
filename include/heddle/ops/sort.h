// Sorting and searching. The order: ascending, NaN after everything else; complex numbers by real,
// then imaginary part. Sorts are stable. An axis that the array does not have throws AxisError.
#pragma once

#include <optional>
#include <string>

#include "heddle/array.h"

namespace heddle {

Array sort(const Array& a, int axis, StreamOrDevice s = {});
Array sort(const Array& a, StreamOrDevice s = {});               // of the flattened array
Array argsort(const Array& a, int axis, StreamOrDevice s = {});  // uint32
Array argsort(const Array& a, StreamOrDevice s = {});

// The kth smallest element in its place, all smaller ones before it. Negative kth count from the
// end.
Array partition(const Array& a, int kth, int axis, StreamOrDevice s = {});
Array partition(const Array& a, int kth, StreamOrDevice s = {});
Array argpartition(const Array& a, int kth, int axis, StreamOrDevice s = {});
Array argpartition(const Array& a, int kth, StreamOrDevice s = {});
// The k largest elements.
Array topk(const Array& a, int k, int axis, StreamOrDevice s = {});
Array topk(const Array& a, int k, StreamOrDevice s = {});

// Where to put `values` into the sorted sequence (one dimension) so that it stays sorted, uint32:
// before equal elements (side "left") or after them ("right").
Array searchsorted(const Array& sorted_sequence, const Array& values,
                   const std::string& side = "left", StreamOrDevice s = {});

// The sorted distinct elements of the flattened array, `size` of them: the smallest if there are
// more, padded with `fill_value` (none: the first of them) if there are fewer. Each NaN counts as
// distinct.
struct Unique {
  Array values;
  Array index;    // of the first occurrence, uint32; padded as the values are
  Array inverse;  // positions in `values` that rebuild `a`, in its shape, uint32; at most size - 1
  Array counts;   // int32; padded with 0
};
Unique unique(const Array& a, int size, const std::optional<Array>& fill_value = {},
              StreamOrDevice s = {});

}  // namespace heddle
