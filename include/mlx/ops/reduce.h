// Reductions.
#pragma once

#include <tuple>
#include <vector>

#include "heddle/ops/reduce.h"
#include "mlx/utils.h"

namespace mlx::core {

inline array all(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::all(a, keepdims, detail::in(s));
}
inline array all(const array& a, const std::vector<int>& axes, bool keepdims = false,
                 StreamOrDevice s = {}) {
  return heddle::all(a, axes, keepdims, detail::in(s));
}
inline array all(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::all(a, axis, keepdims, detail::in(s));
}
inline array all(const array& a, StreamOrDevice s = {}) { return all(a, false, s); }
inline array any(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::any(a, keepdims, detail::in(s));
}
inline array any(const array& a, const std::vector<int>& axes, bool keepdims = false,
                 StreamOrDevice s = {}) {
  return heddle::any(a, axes, keepdims, detail::in(s));
}
inline array any(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::any(a, axis, keepdims, detail::in(s));
}
inline array any(const array& a, StreamOrDevice s = {}) { return any(a, false, s); }
inline array sum(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::sum(a, keepdims, detail::in(s));
}
inline array sum(const array& a, const std::vector<int>& axes, bool keepdims = false,
                 StreamOrDevice s = {}) {
  return heddle::sum(a, axes, keepdims, detail::in(s));
}
inline array sum(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::sum(a, axis, keepdims, detail::in(s));
}
inline array sum(const array& a, StreamOrDevice s = {}) { return sum(a, false, s); }
inline array prod(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::prod(a, keepdims, detail::in(s));
}
inline array prod(const array& a, const std::vector<int>& axes, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return heddle::prod(a, axes, keepdims, detail::in(s));
}
inline array prod(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::prod(a, axis, keepdims, detail::in(s));
}
inline array prod(const array& a, StreamOrDevice s = {}) { return prod(a, false, s); }
inline array max(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::max(a, keepdims, detail::in(s));
}
inline array max(const array& a, const std::vector<int>& axes, bool keepdims = false,
                 StreamOrDevice s = {}) {
  return heddle::max(a, axes, keepdims, detail::in(s));
}
inline array max(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::max(a, axis, keepdims, detail::in(s));
}
inline array max(const array& a, StreamOrDevice s = {}) { return max(a, false, s); }
inline array min(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::min(a, keepdims, detail::in(s));
}
inline array min(const array& a, const std::vector<int>& axes, bool keepdims = false,
                 StreamOrDevice s = {}) {
  return heddle::min(a, axes, keepdims, detail::in(s));
}
inline array min(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::min(a, axis, keepdims, detail::in(s));
}
inline array min(const array& a, StreamOrDevice s = {}) { return min(a, false, s); }
inline std::tuple<array, array> minmax(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return detail::out(heddle::minmax(a, keepdims, detail::in(s)));
}
inline std::tuple<array, array> minmax(const array& a, const std::vector<int>& axes,
                                       bool keepdims = false, StreamOrDevice s = {}) {
  return detail::out(heddle::minmax(a, axes, keepdims, detail::in(s)));
}
inline std::tuple<array, array> minmax(const array& a, int axis, bool keepdims = false,
                                       StreamOrDevice s = {}) {
  return detail::out(heddle::minmax(a, axis, keepdims, detail::in(s)));
}
inline std::tuple<array, array> minmax(const array& a, StreamOrDevice s = {}) {
  return minmax(a, false, s);
}
inline array mean(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::mean(a, keepdims, detail::in(s));
}
inline array mean(const array& a, const std::vector<int>& axes, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return heddle::mean(a, axes, keepdims, detail::in(s));
}
inline array mean(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::mean(a, axis, keepdims, detail::in(s));
}
inline array mean(const array& a, StreamOrDevice s = {}) { return mean(a, false, s); }
inline array median(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::median(a, keepdims, detail::in(s));
}
inline array median(const array& a, const std::vector<int>& axes, bool keepdims = false,
                    StreamOrDevice s = {}) {
  return heddle::median(a, axes, keepdims, detail::in(s));
}
inline array median(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::median(a, axis, keepdims, detail::in(s));
}
inline array median(const array& a, StreamOrDevice s = {}) { return median(a, false, s); }
inline array var(const array& a, bool keepdims, int ddof = 0, StreamOrDevice s = {}) {
  return heddle::var(a, keepdims, ddof, detail::in(s));
}
inline array var(const array& a, const std::vector<int>& axes, bool keepdims = false, int ddof = 0,
                 StreamOrDevice s = {}) {
  return heddle::var(a, axes, keepdims, ddof, detail::in(s));
}
inline array var(const array& a, int axis, bool keepdims = false, int ddof = 0,
                 StreamOrDevice s = {}) {
  return heddle::var(a, axis, keepdims, ddof, detail::in(s));
}
inline array var(const array& a, StreamOrDevice s = {}) { return var(a, false, 0, s); }
inline array std(const array& a, bool keepdims, int ddof = 0, StreamOrDevice s = {}) {
  return heddle::std(a, keepdims, ddof, detail::in(s));
}
inline array std(const array& a, const std::vector<int>& axes, bool keepdims = false, int ddof = 0,
                 StreamOrDevice s = {}) {
  return heddle::std(a, axes, keepdims, ddof, detail::in(s));
}
inline array std(const array& a, int axis, bool keepdims = false, int ddof = 0,
                 StreamOrDevice s = {}) {
  return heddle::std(a, axis, keepdims, ddof, detail::in(s));
}
inline array std(const array& a, StreamOrDevice s = {}) { return std(a, false, 0, s); }
inline array count_nonzero(const array& a, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::count_nonzero(a, keepdims, detail::in(s));
}
inline array count_nonzero(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::count_nonzero(a, axis, keepdims, detail::in(s));
}
inline array count_nonzero(const array& a, const std::vector<int>& axes, bool keepdims = false,
                           StreamOrDevice s = {}) {
  return heddle::count_nonzero(a, axes, keepdims, detail::in(s));
}
inline array argmin(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::argmin(a, keepdims, detail::in(s));
}
inline array argmin(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::argmin(a, axis, keepdims, detail::in(s));
}
inline array argmin(const array& a, StreamOrDevice s = {}) { return argmin(a, false, s); }
inline array argmax(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::argmax(a, keepdims, detail::in(s));
}
inline array argmax(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::argmax(a, axis, keepdims, detail::in(s));
}
inline array argmax(const array& a, StreamOrDevice s = {}) { return argmax(a, false, s); }
inline array logsumexp(const array& a, bool keepdims, StreamOrDevice s = {}) {
  return heddle::logsumexp(a, keepdims, detail::in(s));
}
inline array logsumexp(const array& a, const std::vector<int>& axes, bool keepdims = false,
                       StreamOrDevice s = {}) {
  return heddle::logsumexp(a, axes, keepdims, detail::in(s));
}
inline array logsumexp(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::logsumexp(a, axis, keepdims, detail::in(s));
}
inline array logsumexp(const array& a, StreamOrDevice s = {}) { return logsumexp(a, false, s); }
inline array softmax(const array& a, const std::vector<int>& axes, bool precise = false,
                     StreamOrDevice s = {}) {
  return heddle::softmax(a, axes, precise, detail::in(s));
}
inline array softmax(const array& a, bool precise = false, StreamOrDevice s = {}) {
  return heddle::softmax(a, precise, detail::in(s));
}
inline array softmax(const array& a, int axis, bool precise = false, StreamOrDevice s = {}) {
  return heddle::softmax(a, axis, precise, detail::in(s));
}
inline array array_equal(const array& a, const array& b, bool equal_nan, StreamOrDevice s = {}) {
  return heddle::array_equal(a, b, equal_nan, detail::in(s));
}
inline array array_equal(const array& a, const array& b, StreamOrDevice s = {}) {
  return array_equal(a, b, false, s);
}
inline array allclose(const array& a, const array& b, double rtol = 1e-5, double atol = 1e-8,
                      bool equal_nan = false, StreamOrDevice s = {}) {
  return heddle::allclose(a, b, rtol, atol, equal_nan, detail::in(s));
}

}  // namespace mlx::core
