// Reductions. Without axes they reduce over all; an empty list of axes reduces nothing.
// `keepdims` leaves reduced dimensions as size one. An axis that the array does not have throws
// AxisError, a repeated one std::invalid_argument.
#pragma once

#include <utility>

#include "heddle/array.h"

namespace heddle {

// Sums and products of bool and of integers narrower than 32 bits are int32 (uint32 of unsigned);
// halves are summed in float32 and then rounded.
Array sum(const Array& a, const std::vector<int>& axes, bool keepdims = false,
          StreamOrDevice s = {});
Array sum(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array nansum(const Array& a, const std::vector<int>& axes, bool keepdims = false,
             StreamOrDevice s = {});  // of what is not NaN
Array nansum(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array prod(const Array& a, const std::vector<int>& axes, bool keepdims = false,
           StreamOrDevice s = {});
Array prod(const Array& a, bool keepdims = false, StreamOrDevice s = {});
// NaN if there is one. Refuse empty dimensions.
Array min(const Array& a, const std::vector<int>& axes, bool keepdims = false,
          StreamOrDevice s = {});
Array min(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array max(const Array& a, const std::vector<int>& axes, bool keepdims = false,
          StreamOrDevice s = {});
Array max(const Array& a, bool keepdims = false, StreamOrDevice s = {});
std::pair<Array, Array> minmax(const Array& a, const std::vector<int>& axes, bool keepdims = false,
                               StreamOrDevice s = {});
std::pair<Array, Array> minmax(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array all(const Array& a, const std::vector<int>& axes, bool keepdims = false,
          StreamOrDevice s = {});
Array all(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array any(const Array& a, const std::vector<int>& axes, bool keepdims = false,
          StreamOrDevice s = {});
Array any(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array count_nonzero(const Array& a, const std::vector<int>& axes, bool keepdims = false,
                    StreamOrDevice s = {});  // int32
Array count_nonzero(const Array& a, bool keepdims = false, StreamOrDevice s = {});

// Position, uint32, of the first extreme or of the first NaN. Without an axis: in the flattened
// array. Refuse empty arrays.
Array argmin(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {});
Array argmin(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array argmax(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {});
Array argmax(const Array& a, bool keepdims = false, StreamOrDevice s = {});

// Integers and bools are taken as float32; halves are computed in float32 and rounded at the end.
// The mean of nothing is NaN. The variance is divided by max(n - ddof, 0), and real for complex
// numbers.
Array mean(const Array& a, const std::vector<int>& axes, bool keepdims = false,
           StreamOrDevice s = {});
Array mean(const Array& a, bool keepdims = false, StreamOrDevice s = {});
Array var(const Array& a, const std::vector<int>& axes, bool keepdims = false, int ddof = 0,
          StreamOrDevice s = {});
Array var(const Array& a, bool keepdims = false, int ddof = 0, StreamOrDevice s = {});
Array std(const Array& a, const std::vector<int>& axes, bool keepdims = false, int ddof = 0,
          StreamOrDevice s = {});
Array std(const Array& a, bool keepdims = false, int ddof = 0, StreamOrDevice s = {});
// The middle of the sorted values, or the mean of the middle two; NaN if there is one.
Array median(const Array& a, const std::vector<int>& axes, bool keepdims = false,
             StreamOrDevice s = {});
Array median(const Array& a, bool keepdims = false, StreamOrDevice s = {});

// exp(a) / sum(exp(a)) and log(sum(exp(a))) without overflow. Integers are taken as float32; halves
// are computed in float32. `precise` is what MLX has for that and changes nothing here. logsumexp
// refuses empty arrays.
Array softmax(const Array& a, const std::vector<int>& axes, bool precise = false,
              StreamOrDevice s = {});
Array softmax(const Array& a, int axis, bool precise = false, StreamOrDevice s = {});
Array softmax(const Array& a, bool precise = false, StreamOrDevice s = {});
Array logsumexp(const Array& a, const std::vector<int>& axes, bool keepdims = false,
                StreamOrDevice s = {});
Array logsumexp(const Array& a, bool keepdims = false, StreamOrDevice s = {});

// One axis.
inline Array sum(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return sum(a, std::vector<int>{axis}, keepdims, s);
}
inline Array prod(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return prod(a, std::vector<int>{axis}, keepdims, s);
}
inline Array min(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return min(a, std::vector<int>{axis}, keepdims, s);
}
inline Array max(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return max(a, std::vector<int>{axis}, keepdims, s);
}
inline std::pair<Array, Array> minmax(const Array& a, int axis, bool keepdims = false,
                                      StreamOrDevice s = {}) {
  return minmax(a, std::vector<int>{axis}, keepdims, s);
}
inline Array nansum(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return nansum(a, std::vector<int>{axis}, keepdims, s);
}
inline Array all(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return all(a, std::vector<int>{axis}, keepdims, s);
}
inline Array any(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return any(a, std::vector<int>{axis}, keepdims, s);
}
inline Array count_nonzero(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return count_nonzero(a, std::vector<int>{axis}, keepdims, s);
}
inline Array mean(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return mean(a, std::vector<int>{axis}, keepdims, s);
}
inline Array var(const Array& a, int axis, bool keepdims = false, int ddof = 0,
                 StreamOrDevice s = {}) {
  return var(a, std::vector<int>{axis}, keepdims, ddof, s);
}
inline Array std(const Array& a, int axis, bool keepdims = false, int ddof = 0,
                 StreamOrDevice s = {}) {
  return std(a, std::vector<int>{axis}, keepdims, ddof, s);
}
inline Array median(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return median(a, std::vector<int>{axis}, keepdims, s);
}
inline Array logsumexp(const Array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return logsumexp(a, std::vector<int>{axis}, keepdims, s);
}

// One bool: equal shapes and elements; elements that are close by isclose, broadcast.
Array array_equal(const Array& a, const Array& b, bool equal_nan = false, StreamOrDevice s = {});
Array allclose(const Array& a, const Array& b, double rtol = 1e-5, double atol = 1e-8,
               bool equal_nan = false, StreamOrDevice s = {});

}  // namespace heddle
