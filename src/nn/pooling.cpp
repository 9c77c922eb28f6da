// Pools lay their windows out along new axes, as views where they can, and reduce these.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "heddle/nn/functional.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "heddle/type_info.h"
#include "nn/shown.h"
#include "nn/wide.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle::nn {
namespace {

constexpr int most_spatial = 3;

// An array whose windows lie along `axes`.
struct Laid {
  Array windows;
  std::vector<int> axes;
};
// Lays any array with the spatial axes of x out, with a number for what is outside of it.
using Layout = std::function<Laid(const Array&, const Array& outside)>;

void check_rank(const char* name, const Array& x, size_t dims) {
  if (dims < 1 || dims > most_spatial) {
    refuse(name,
           fmt::format("There are 1 to 3 spatial dimensions, but the windows have {}.", dims));
  }
  if (x.ndim() != static_cast<int>(dims) + 2) {
    refuse(name, fmt::format("The input should have {} spatial dimensions ({} in total) but has {} "
                             "dimensions.",
                             dims, dims + 2, x.ndim()));
  }
}

// --- Windows of one kernel -----------------------------------------------------------------------

// One spatial axis of a pool.
struct Along {
  int64_t size, kernel, stride, dilation, before, after;
  int64_t count = 0, beyond = 0;  // windows, and by how much the last one leaves the padding

  int64_t padded() const { return size + before + after; }
  int64_t reach() const { return dilation * (kernel - 1) + 1; }
  // How many elements of window i lie in [low, high) of the padded axis.
  int64_t inside(int64_t i, int64_t low, int64_t high) const {
    int64_t n = 0;
    for (int64_t k = 0; k < kernel; k++) {
      const int64_t at = i * stride + k * dilation;
      n += at >= low && at < high;
    }
    return n;
  }
};

std::vector<Along> resolved(const char* name, const Array& x, const Windows& w) {
  const size_t dims = w.kernel.size();
  check_rank(name, x, dims);
  auto require = [&](const char* what, const Shape& sizes) {
    if (!sizes.empty() && (sizes.size() != dims || *std::ranges::min_element(sizes) < 1)) {
      refuse(name, fmt::format("The {} takes {} positive number{} but is {}.", what, dims,
                               dims > 1 ? "s" : "", shown(sizes)));
    }
  };
  require("kernel", w.kernel);
  require("stride", w.stride);
  require("dilation", w.dilation);
  if (!w.padding.empty() && w.padding.size() != dims) {
    refuse(name, fmt::format("The padding takes {} pairs but has {}.", dims, w.padding.size()));
  }
  std::vector<Along> out;
  for (size_t i = 0; i < dims; i++) {
    const auto [before, after] = w.padding.empty() ? std::pair<int64_t, int64_t>() : w.padding[i];
    if (before < 0 || after < 0) {
      refuse(name, fmt::format("The padding must not be negative but is ({}, {}).", before, after));
    }
    if (std::max({before, after, w.kernel[i]}) > max_dimension) {
      refuse(name, fmt::format("The kernel {} with the padding ({}, {}) is too large.", w.kernel[i],
                               before, after));
    }
    Along a{x.shape(static_cast<int>(i) + 1),
            w.kernel[i],
            w.stride.empty() ? w.kernel[i] : w.stride[i],
            w.dilation.empty() ? 1 : w.dilation[i],
            before,
            after};
    if (a.dilation > max_dimension || a.stride > max_dimension ||
        (a.kernel > 1 && a.dilation > max_dimension / a.kernel) || a.padded() < a.reach()) {
      refuse(name, fmt::format("A window of size {} does not fit into an input of shape {}.",
                               shown(w.kernel), shown(x.shape())));
    }
    const int64_t left = a.padded() - a.reach();
    a.count = left / a.stride + 1;
    if (w.ceil_mode && left % a.stride != 0 && a.count * a.stride < a.size + a.before) a.count++;
    a.beyond = std::max<int64_t>((a.count - 1) * a.stride - left, 0);
    out.push_back(a);
  }
  return out;
}

// Windows that lie side by side: every spatial axis is split in two.
Laid side_by_side(Array x, const std::vector<Along>& along) {
  Laid out;
  for (size_t i = along.size(); i-- > 0;) {
    const int axis = static_cast<int>(i) + 1;
    const int64_t used = along[i].count * along[i].kernel;
    if (used < x.shape(axis)) {
      Shape start(x.shape().size(), slice_end), stop = start;
      stop[static_cast<size_t>(axis)] = used;
      x = slice(x, start, stop);
    }
    x = unflatten(x, axis, {-1, along[i].kernel});
  }
  for (size_t i = 0; i < along.size(); i++) out.axes.push_back(2 + 2 * static_cast<int>(i));
  out.windows = x;
  return out;
}

// Windows of any stride: a view of the input, which is dense in row-major order.
Laid overlapping(const Array& x, const std::vector<Along>& along) {
  const Strides steps = row_major_strides(x.shape());
  Laid out;
  Shape shape{x.shape(0)};
  Strides strides{steps[0]};
  for (size_t i = 0; i < along.size(); i++) {
    shape.push_back(along[i].count);
    strides.push_back(steps[i + 1] * along[i].stride);
  }
  for (size_t i = 0; i < along.size(); i++) {
    out.axes.push_back(static_cast<int>(shape.size()));
    shape.push_back(along[i].kernel);
    strides.push_back(steps[i + 1] * along[i].dilation);
  }
  shape.push_back(x.shape(-1));
  strides.push_back(1);
  out.windows = as_strided(x, shape, strides, 0);
  return out;
}

Layout layout_of(const std::vector<Along>& along) {
  return [&along](const Array& x, const Array& outside) {
    PadWidths widths{{0, 0}};
    bool tiles = true;
    for (const Along& a : along) {
      widths.emplace_back(a.before, a.after + a.beyond);
      tiles = tiles && a.kernel == a.stride && a.dilation == 1;
    }
    widths.emplace_back(0, 0);
    const Array padded = pad(x, widths, outside);
    return tiles ? side_by_side(padded, along) : overlapping(padded, along);
  };
}

// Whether some window holds nothing but padding.
bool some_are_empty(const std::vector<Along>& along) {
  return std::ranges::any_of(along, [](const Along& a) {
    if (a.before < a.reach() && a.after < a.reach() && a.dilation == 1) return false;
    for (int64_t i = 0; i < a.count; i++) {
      if (a.inside(i, a.before, a.before + a.size) == 0) return true;
    }
    return false;
  });
}

// --- Windows of given numbers --------------------------------------------------------------------

struct Adaptive {
  int64_t size, count;
  int64_t start(int64_t i) const { return i * size / count; }
  int64_t stop(int64_t i) const { return ((i + 1) * size + count - 1) / count; }
  bool even() const { return size % count == 0; }
};

std::vector<Adaptive> adaptive(const char* name, const Array& x, const Shape& sizes) {
  check_rank(name, x, sizes.size());
  std::vector<Adaptive> out;
  for (size_t i = 0; i < sizes.size(); i++) {
    const int64_t n = x.shape(static_cast<int>(i) + 1), count = sizes[i] == -1 ? n : sizes[i];
    if (count < 1 || count > max_dimension || n < 1) {
      refuse(name, fmt::format("The output {} takes positive sizes, and the input of shape {} at "
                               "least one element along each spatial axis.",
                               shown(sizes), shown(x.shape())));
    }
    out.push_back({n, count});
  }
  return out;
}

// All windows of one size, which is the stride, too.
std::optional<Windows> as_even(const std::vector<Adaptive>& along) {
  Windows w;
  for (const Adaptive& a : along) {
    if (!a.even()) return std::nullopt;
    w.kernel.push_back(a.size / a.count);
  }
  return w;
}

// Gathers the windows of each axis, filled up to the longest.
Layout layout_of(const std::vector<Adaptive>& along) {
  return [&along](const Array& x, const Array& outside) {
    Laid out{x, {}};
    for (size_t axis = 0; axis < along.size(); axis++) {
      const Adaptive& a = along[axis];
      int64_t longest = 0;
      for (int64_t i = 0; i < a.count; i++) longest = std::max(longest, a.stop(i) - a.start(i));
      std::vector<uint32_t> places;
      std::vector<uint8_t> belongs;
      for (int64_t i = 0; i < a.count; i++) {
        for (int64_t k = a.start(i); k < a.start(i) + longest; k++) {
          places.push_back(static_cast<uint32_t>(std::min(k, a.size - 1)));
          belongs.push_back(k < a.stop(i));
        }
      }
      const int at = 2 * static_cast<int>(axis) + 1;
      const Shape grid{a.count, longest};
      Array taken = take(out.windows, Array(places.begin(), grid), at);
      if (std::ranges::find(belongs, 0) != belongs.end()) {
        Shape column(static_cast<size_t>(taken.ndim() - at), 1);
        column[0] = a.count;
        column[1] = longest;
        taken = where(Array(belongs.begin(), column, bool_), taken, outside);
      }
      out.windows = taken;
      out.axes.push_back(at + 1);
    }
    return out;
  };
}

// --- What is made of windows ---------------------------------------------------------------------

// A number that is not above any of the dtype.
Array lowest(Dtype dtype) {
  if (is_inexact(dtype)) return Array(-std::numeric_limits<double>::infinity(), dtype);
  if (is_bool(dtype)) return Array(false);
  return Array(iinfo(dtype).min, dtype);
}

MaxPooled with_indices(const char* name, const Array& x, const Laid& laid, const Layout& lay) {
  constexpr uint32_t nowhere = std::numeric_limits<uint32_t>::max();
  Shape plane = x.shape();
  plane.front() = plane.back() = 1;
  const int64_t count = element_count(plane);
  if (count > std::numeric_limits<int32_t>::max()) {
    refuse(name, fmt::format("Places among {} elements are not counted.", count));
  }
  const Array values = max(laid.windows, laid.axes, true);
  const Array places =
      lay(reshape(arange(0.0, static_cast<double>(count), 1.0, uint32), plane), Array(nowhere))
          .windows;
  Array found = equal(laid.windows, values);
  if (is_inexact(x.dtype())) found = logical_or(found, isnan(laid.windows));
  return {squeeze(values, laid.axes), min(where(found, places, Array(nowhere)), laid.axes)};
}

// How many elements count in each window, from the numbers along each axis: an array that
// broadcasts with the pool.
Array counts_of(const std::vector<std::vector<float>>& along) {
  Array all(1.f);
  for (size_t axis = 0; axis < along.size(); axis++) {
    Shape column(along.size() + 1 - axis, 1);
    column[0] = static_cast<int64_t>(along[axis].size());
    all = all * Array(along[axis].begin(), column);
  }
  return all;
}

Array counts_of(const std::vector<Along>& along, bool with_padding) {
  std::vector<std::vector<float>> counts(along.size());
  for (size_t axis = 0; axis < along.size(); axis++) {
    const Along& a = along[axis];
    const int64_t low = with_padding ? 0 : a.before;
    const int64_t high = with_padding ? a.padded() : a.before + a.size;
    for (int64_t i = 0; i < a.count; i++) {
      counts[axis].push_back(static_cast<float>(a.inside(i, low, high)));
    }
  }
  return counts_of(counts);
}

Array counts_of(const std::vector<Adaptive>& along) {
  std::vector<std::vector<float>> counts(along.size());
  for (size_t axis = 0; axis < along.size(); axis++) {
    const Adaptive& a = along[axis];
    for (int64_t i = 0; i < a.count; i++) {
      counts[axis].push_back(static_cast<float>(a.stop(i) - a.start(i)));
    }
  }
  return counts_of(counts);
}

// The average over windows some of whose elements do not count, which are zeros.
Array averaged(const Array& x, const Layout& lay, const Array& divisor) {
  const Array wide = widened_to_float(x);
  const Laid laid = lay(wide, Array(0, wide.dtype()));
  return rounded(sum(laid.windows, laid.axes) / divisor, x.dtype());
}

}  // namespace

Array max_pool(const Array& x, const Windows& windows) {
  const std::vector<Along> along = resolved("max_pool", x, windows);
  size_read(x);  // windows are counted
  const Laid laid = layout_of(along)(x, lowest(x.dtype()));
  return max(laid.windows, laid.axes);
}

MaxPooled max_pool_with_indices(const Array& x, const Windows& windows) {
  constexpr const char* name = "max_pool_with_indices";
  const std::vector<Along> along = resolved(name, x, windows);
  if (some_are_empty(along)) refuse(name, "A window holds padding alone, which has no place in x.");
  size_read(x);
  const Layout lay = layout_of(along);
  return with_indices(name, x, lay(x, lowest(x.dtype())), lay);
}

Array average_pool(const Array& x, const Windows& windows, const AverageOptions& options) {
  constexpr const char* name = "average_pool";
  const std::vector<Along> along = resolved(name, x, windows);
  if (options.divisor && *options.divisor == 0) refuse(name, "The divisor must not be zero.");
  if (!options.count_include_pad && !options.divisor && some_are_empty(along)) {
    refuse(name, "A window holds padding alone, of which there is no average.");
  }
  size_read(x);
  const bool all_count = std::ranges::all_of(along, [&](const Along& a) {
    return a.beyond == 0 && (options.count_include_pad || (a.before == 0 && a.after == 0));
  });
  const Layout lay = layout_of(along);
  if (all_count && !options.divisor) {
    const Laid laid = lay(x, Array(0, x.dtype()));
    return mean(laid.windows, laid.axes);
  }
  return averaged(x, lay,
                  options.divisor ? Array(static_cast<double>(*options.divisor), float32)
                                  : counts_of(along, options.count_include_pad));
}

Array adaptive_max_pool(const Array& x, const Shape& sizes) {
  const std::vector<Adaptive> along = adaptive("adaptive_max_pool", x, sizes);
  if (auto even = as_even(along)) return max_pool(x, *even);
  size_read(x);
  const Laid laid = layout_of(along)(x, lowest(x.dtype()));
  return max(laid.windows, laid.axes);
}

MaxPooled adaptive_max_pool_with_indices(const Array& x, const Shape& sizes) {
  constexpr const char* name = "adaptive_max_pool_with_indices";
  const std::vector<Adaptive> along = adaptive(name, x, sizes);
  if (auto even = as_even(along)) return max_pool_with_indices(x, *even);
  size_read(x);
  const Layout lay = layout_of(along);
  return with_indices(name, x, lay(x, lowest(x.dtype())), lay);
}

Array adaptive_average_pool(const Array& x, const Shape& sizes) {
  const std::vector<Adaptive> along = adaptive("adaptive_average_pool", x, sizes);
  if (auto even = as_even(along)) return average_pool(x, *even);
  size_read(x);
  return averaged(x, layout_of(along), counts_of(along));
}

}  // namespace heddle::nn
