// Sorting, searching, scans.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heddle/ops/scan.h"
#include "heddle/ops/sort.h"
#include "mlx/ops/pointwise.h"
#include "mlx/ops/shape.h"

namespace mlx::core {

inline array sort(const array& a, StreamOrDevice s = {}) { return heddle::sort(a, detail::in(s)); }
inline array sort(const array& a, int axis, StreamOrDevice s = {}) {
  return heddle::sort(a, axis, detail::in(s));
}
inline array argsort(const array& a, StreamOrDevice s = {}) {
  return heddle::argsort(a, detail::in(s));
}
inline array argsort(const array& a, int axis, StreamOrDevice s = {}) {
  return heddle::argsort(a, axis, detail::in(s));
}
inline array partition(const array& a, int kth, StreamOrDevice s = {}) {
  return heddle::partition(a, kth, detail::in(s));
}
inline array partition(const array& a, int kth, int axis, StreamOrDevice s = {}) {
  return heddle::partition(a, kth, axis, detail::in(s));
}
inline array argpartition(const array& a, int kth, StreamOrDevice s = {}) {
  return heddle::argpartition(a, kth, detail::in(s));
}
inline array argpartition(const array& a, int kth, int axis, StreamOrDevice s = {}) {
  return heddle::argpartition(a, kth, axis, detail::in(s));
}
inline array searchsorted(const array& sorted_sequence, const array& values,
                          const std::string& side = "left", StreamOrDevice s = {}) {
  return heddle::searchsorted(sorted_sequence, values, side, detail::in(s));
}
inline array topk(const array& a, int k, StreamOrDevice s = {}) {
  return heddle::topk(a, k, detail::in(s));
}
inline array topk(const array& a, int k, int axis, StreamOrDevice s = {}) {
  return heddle::topk(a, k, axis, detail::in(s));
}
inline std::vector<array> unique(const array& a, int size, bool return_index = false,
                                 bool return_inverse = false, bool return_counts = false,
                                 const std::optional<array>& fill_value = {},
                                 StreamOrDevice s = {}) {
  heddle::Unique found = heddle::unique(a, size, detail::in(fill_value), detail::in(s));
  std::vector<array> results{array(found.values)};
  if (return_index) results.push_back(found.index);
  if (return_inverse) results.push_back(found.inverse);
  if (return_counts) results.push_back(found.counts);
  return results;
}
inline array cumsum(const array& a, int axis, bool reverse = false, bool inclusive = true,
                    std::optional<Dtype> dtype = {}, StreamOrDevice s = {}) {
  return heddle::cumsum(dtype ? astype(a, *dtype, s) : a, axis, reverse, inclusive, detail::in(s));
}
inline array cumsum(const array& a, bool reverse = false, bool inclusive = true,
                    std::optional<Dtype> dtype = {}, StreamOrDevice s = {}) {
  return cumsum(flatten(a, s), 0, reverse, inclusive, dtype, s);
}
inline array cumsum(const array& a, bool reverse, bool inclusive, StreamOrDevice s) {
  return cumsum(a, reverse, inclusive, std::nullopt, s);
}
inline array cumsum(const array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return cumsum(a, axis, reverse, inclusive, std::nullopt, s);
}
inline array cumprod(const array& a, int axis, bool reverse = false, bool inclusive = true,
                     std::optional<Dtype> dtype = {}, StreamOrDevice s = {}) {
  return heddle::cumprod(dtype ? astype(a, *dtype, s) : a, axis, reverse, inclusive, detail::in(s));
}
inline array cumprod(const array& a, bool reverse = false, bool inclusive = true,
                     std::optional<Dtype> dtype = {}, StreamOrDevice s = {}) {
  return cumprod(flatten(a, s), 0, reverse, inclusive, dtype, s);
}
inline array cumprod(const array& a, bool reverse, bool inclusive, StreamOrDevice s) {
  return cumprod(a, reverse, inclusive, std::nullopt, s);
}
inline array cumprod(const array& a, int axis, bool reverse, bool inclusive, StreamOrDevice s) {
  return cumprod(a, axis, reverse, inclusive, std::nullopt, s);
}
inline array cummax(const array& a, int axis, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return heddle::cummax(a, axis, reverse, inclusive, detail::in(s));
}
inline array cummax(const array& a, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return cummax(flatten(a, s), 0, reverse, inclusive, s);
}
inline array cummin(const array& a, int axis, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return heddle::cummin(a, axis, reverse, inclusive, detail::in(s));
}
inline array cummin(const array& a, bool reverse = false, bool inclusive = true,
                    StreamOrDevice s = {}) {
  return cummin(flatten(a, s), 0, reverse, inclusive, s);
}
inline array logcumsumexp(const array& a, int axis, bool reverse = false, bool inclusive = true,
                          StreamOrDevice s = {}) {
  return heddle::logcumsumexp(a, axis, reverse, inclusive, detail::in(s));
}
inline array logcumsumexp(const array& a, bool reverse = false, bool inclusive = true,
                          StreamOrDevice s = {}) {
  return logcumsumexp(flatten(a, s), 0, reverse, inclusive, s);
}

}  // namespace mlx::core
