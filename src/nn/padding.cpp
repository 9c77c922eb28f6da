#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "heddle/nn/functional.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "nn/shown.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {
namespace {

constexpr std::array<std::pair<const char*, PadMode>, 6> names{{
    {"constant", PadMode::constant},
    {"replicate", PadMode::replicate},
    {"edge", PadMode::replicate},
    {"reflect", PadMode::reflect},
    {"symmetric", PadMode::symmetric},
    {"circular", PadMode::circular},
}};

Array wrapped(const Array& x, int axis, int64_t before, int64_t after) {
  const int64_t n = x.shape(axis);
  std::vector<int32_t> places;
  for (int64_t i = -before; i < n + after; i++) {
    places.push_back(static_cast<int32_t>((i % n + n) % n));
  }
  return take(x, Array(places.begin(), Shape{static_cast<int64_t>(places.size())}), axis);
}

}  // namespace

PadMode pad_mode_from(const std::string& name) {
  for (const auto& [known, mode] : names) {
    if (name == known) return mode;
  }
  refuse("pad", fmt::format("The mode must be constant, replicate, reflect, symmetric or circular, "
                            "not '{}'.",
                            name));
}

Array pad(const Array& x, const PadWidths& widths, PadMode mode, const Array& value) {
  const auto ndim = static_cast<size_t>(x.ndim());
  if (widths.size() != ndim && widths.size() != 1) {
    refuse("pad", fmt::format("An array of shape {} takes {} pairs of widths, or one for all, but "
                              "got {}.",
                              shown(x.shape()), ndim, widths.size()));
  }
  Shape start(ndim, slice_end), stop(ndim, slice_end);
  PadWidths more(ndim);
  for (size_t axis = 0; axis < ndim; axis++) {
    const auto [before, after] = widths.size() == 1 ? widths[0] : widths[axis];
    const int64_t n = x.shape(static_cast<int>(axis));
    if (before < -n || after < -n || before + after < -n) {
      refuse("pad", fmt::format("The widths ({}, {}) take more than the {} elements of axis {}.",
                                before, after, n, axis));
    }
    if (before < 0) start[axis] = -before;
    if (after < 0) stop[axis] = after;
    more[axis] = {std::max<int64_t>(before, 0), std::max<int64_t>(after, 0)};
  }
  Array y = slice(x, start, stop);
  if (mode != PadMode::circular) {
    constexpr const char* of_core[] = {"constant", "edge", "reflect", "symmetric"};
    return heddle::pad(y, more, value, of_core[static_cast<size_t>(mode)]);
  }
  size_read(x);
  for (size_t axis = 0; axis < ndim; axis++) {
    const auto [before, after] = more[axis];
    if (before == 0 && after == 0) continue;
    const int at = static_cast<int>(axis);
    if (y.shape(at) == 0) {
      refuse("pad", fmt::format("Axis {} of shape {} has no element to go on with.", axis,
                                shown(y.shape())));
    }
    if (std::max(before, after) > max_dimension) {
      refuse("pad", fmt::format("The widths ({}, {}) are too large.", before, after));
    }
    y = wrapped(y, at, before, after);
  }
  return y;
}

}  // namespace heddle::nn
