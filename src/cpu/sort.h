// Sorting along the last axis, and searching in what is sorted.
//
// The order: ascending; NaN after everything else (all NaNs are equal); complex numbers by real,
// then imaginary part, those with a NaN in either part last. Zeros of both signs are equal.
// A partition is what a sort gives: partition and argpartition have no kernels of their own.
// Time O(n log n) for a row of n. Parallel over rows, within a row if it is long; results do not
// depend on the number of threads. Rows have at most 2^32 elements.
#pragma once

#include "core/view.h"

namespace heddle::cpu {

// out = the rows of `in`, each sorted. in: any strides, or the memory of out; out: row-contiguous,
// of one dtype and shape with `in`. Equal elements are indistinguishable, except that zeros of both
// signs may come in any order and every NaN becomes the positive quiet NaN.
void sort(const View& in, const View& out);

// out = the positions in each row, uint32, that sort it; equal elements keep their order.
// out: row-contiguous, of in's shape.
void argsort(const View& in, const View& out);

enum class Side : uint8_t { left, right };

// For each of values[r, :] the first position (left) or the position after the last (right) where
// it keeps sorted[r, :] sorted. sorted: (rows, n), values: (rows, m) of the same dtype, any
// strides; out: row-contiguous uint32 (rows, m).
void searchsorted(const View& sorted, const View& values, Side side, const View& out);

}  // namespace heddle::cpu
