#include "ops/index_expression.h"

#include <fmt/format.h>

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/index.h"
#include "ops/util.h"

namespace heddle {
namespace {

using Kind = IndexItem::Kind;

// One item per axis, and the new axes: the ellipsis, and what is missing at the end, written out.
IndexItems written_out(const Array& a, const IndexItems& items) {
  int used = 0;
  bool ellipsis = false;
  for (const IndexItem& item : items) {
    if (item.kind == Kind::ellipsis) {
      if (ellipsis) refuse("index", "An index can only have a single ellipsis (...)");
      ellipsis = true;
    } else if (item.kind != Kind::new_axis) {
      used++;
    }
  }
  if (used > a.ndim()) {
    if (a.ndim() == 0) refuse("index", "too many indices for array: array is 0-dimensional");
    refuse("index", "Too many indices for array with {} dimensions, got {}.", a.ndim(), used);
  }
  IndexItems out;
  auto fill = [&] { out.insert(out.end(), static_cast<size_t>(a.ndim() - used), IndexItem{}); };
  for (const IndexItem& item : items) {
    if (item.kind == Kind::ellipsis) {
      fill();
    } else {
      out.push_back(item);
    }
  }
  if (!ellipsis) fill();
  return out;
}

void check_integer(const Array& a, int axis, int64_t i) {
  int64_t n = a.shape()[static_cast<size_t>(axis)];
  if (i < -n || i >= n) {
    throw std::out_of_range(
        fmt::format("[index] Index {} is out of range for axis {} with size {}.", i, axis, n));
  }
}

// Bounds of the slices that the items name; axes of arrays stay whole.
struct Bounds {
  Shape start, stop, step;
  bool whole = true;

  Bounds(const Array& a, const IndexItems& items) {
    for (const IndexItem& item : items) {
      if (item.kind == Kind::new_axis) continue;
      IndexItem range;
      if (item.kind == Kind::integer) {
        check_integer(a, static_cast<int>(start.size()), item.start);
        range = IndexItem::slice(item.start, item.start == -1 ? slice_end : item.start + 1, 1);
      } else if (item.kind == Kind::slice) {
        range = item;
      }
      whole &= range.start == slice_end && range.stop == slice_end && range.step == 1;
      start.push_back(range.start);
      stop.push_back(range.stop);
      step.push_back(range.step);
    }
  }
};

bool has_arrays(const IndexItems& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const IndexItem& i) { return i.kind == Kind::array; });
}

// Where the axes of the index arrays go among the items: the position of the first "advanced" item,
// or the front if others stand between them.
size_t place_of_arrays(const IndexItems& items, bool integers_count) {
  size_t first = items.size(), last = 0, count = 0;
  for (size_t i = 0; i < items.size(); i++) {
    if (items[i].kind == Kind::array || (integers_count && items[i].kind == Kind::integer)) {
      first = std::min(first, i);
      last = i;
      count++;
    }
  }
  for (size_t i = first; i <= last && i < items.size(); i++) {
    if (!integers_count && items[i].kind == Kind::integer) count++;
  }
  return last - first + 1 == count ? first : 0;
}

// The axes of a result, in order: where index axes, sliced axes and new ones stand.
struct Layout {
  std::vector<int> order;     // axes in the result, of index axes followed by sliced ones
  std::vector<int> new_axes;  // positions in the result
};
Layout layout_of(const IndexItems& items, int index_ndim, bool integers_count) {
  Layout out;
  size_t place = place_of_arrays(items, integers_count);
  int sliced = index_ndim, position = 0;
  for (size_t i = 0; i < items.size(); i++) {
    if (i == place) {
      for (int k = 0; k < index_ndim; k++) out.order.push_back(k);
      position += index_ndim;
    }
    if (items[i].kind == Kind::new_axis) {
      out.new_axes.push_back(position++);
    } else if (items[i].kind == Kind::slice) {
      out.order.push_back(sliced++);
      position++;
    }
  }
  return out;
}

Array without_leading_ones(const Array& value, size_t ndim, const Stream& s) {
  std::vector<int> ones;
  int extra = value.ndim() - static_cast<int>(ndim);
  for (int i = 0; i < extra && value.shape()[static_cast<size_t>(i)] == 1; i++) ones.push_back(i);
  return squeeze(value, ones, s);
}

// The result's shape before its axes are moved: index axes, then sliced ones.
Shape shape_in_order(const Shape& parts, const Layout& layout) {
  Shape out;
  for (int axis : layout.order) out.push_back(parts[static_cast<size_t>(axis)]);
  for (int axis : layout.new_axes) out.insert(out.begin() + axis, 1);
  return out;
}

// Throws unless a value broadcasts to the part that is assigned to.
void check_assigned(const Array& v, const Shape& part) {
  bool fits = v.shape().size() <= part.size();
  for (size_t i = 0; fits && i < v.shape().size(); i++) {
    const int64_t n = v.shape()[v.shape().size() - 1 - i];
    fits = n == 1 || n == part[part.size() - 1 - i];
  }
  if (!fits) {
    refuse("setitem",
           "A value of shape {} cannot be assigned to a part of shape {}: it has "
           "to broadcast to it.",
           to_string(v.shape()), to_string(part));
  }
}

// To the shape of the part of `a` that the items name.
Array broadcast_to_part(const Array& v, const Shape& part, const Array& a, const IndexItems& items,
                        const Stream& s) {
  const bool indexed = std::any_of(items.begin(), items.end(), [](const IndexItem& i) {
    return i.kind == Kind::array && may_change_size(i.array);
  });
  check_assigned(v, part);
  if (!indexed && !may_change_size(a)) return broadcast_to(v, part, s);
  Array read = get_items(a, items, s);
  // Integers between arrays leave the axes elsewhere when they are read.
  return read.shape() == part ? broadcast_like(v, read, s) : broadcast_to(v, part, s);
}

Array set_slices(const Array& a, const IndexItems& items, const Array& value, Combine combine,
                 const Stream& s) {
  Bounds bounds(a, items);
  Array v = astype(value, a.dtype(), s);
  if (v.ndim() > 0) {
    // From the shape of the part, as reading it would give it, to that of the slice.
    Shape part;
    std::vector<int> new_axes, integers;
    int axis = 0;
    for (const IndexItem& item : items) {
      if (item.kind == Kind::new_axis) {
        new_axes.push_back(static_cast<int>(part.size()));
        part.push_back(1);
        continue;
      }
      size_t i = static_cast<size_t>(axis);
      if (item.kind == Kind::integer) {
        integers.push_back(axis);
      } else {
        part.push_back(
            resolve_slice(bounds.start[i], bounds.stop[i], bounds.step[i], a.shape()[i]).count);
      }
      axis++;
    }
    v = broadcast_to_part(without_leading_ones(v, part.size(), s), part, a, items, s);
    v = expand_dims(squeeze(v, new_axes, s), integers, s);
  }
  if (bounds.whole && combine == Combine::assign) return broadcast_like(v, a, s);
  return slice_update(a, v, bounds.start, bounds.stop, bounds.step, combine, s);
}

// Writes into the part that the slices and integers leave, and puts that back: so the positions
// that slices mean follow the size of the array, and only the arrays become indices of a scatter.
Array set_gathered(const Array& a, const IndexItems& items, const Array& value, Combine combine,
                   const Stream& s) {
  Bounds bounds(a, items);
  Array sliced = slice(a, bounds.start, bounds.stop, bounds.step, s);
  Arrays indices;
  std::vector<int> array_axes, lifted;  // lifted: axes of size 1 in the updates
  Shape arrays, slices;
  int axis = 0;
  for (const IndexItem& item : items) {
    if (item.kind == Kind::new_axis) continue;
    if (item.kind == Kind::array) {
      if (is_bool(item.array.dtype())) {
        refuse("index",
               "boolean indices are not yet supported together with other indices or in at[]. "
               "Use where(mask, a, b), or an array of positions.");
      }
      indices.push_back(item.array);
      array_axes.push_back(axis);
      arrays = broadcast_shapes(arrays, item.array.shape());
    }
    if (item.kind == Kind::slice) {
      slices.push_back(sliced.shape()[static_cast<size_t>(axis)]);
    } else {
      lifted.push_back(axis);
    }
    axis++;
  }
  int index_ndim = static_cast<int>(arrays.size());
  for (int& k : lifted) k += index_ndim;

  Layout layout = layout_of(items, index_ndim, false);
  Shape parts = arrays;
  for (int64_t n : slices) parts.push_back(n);
  Shape part = shape_in_order(parts, layout);
  Array v = astype(value, a.dtype(), s);
  v = broadcast_to_part(without_leading_ones(v, part.size(), s), part, a, items, s);
  v = squeeze(v, layout.new_axes, s);
  // To the order of the scatter: index axes, then sliced ones.
  std::vector<int> from(layout.order.size());
  for (size_t k = 0; k < layout.order.size(); k++) {
    from[static_cast<size_t>(layout.order[k])] = static_cast<int>(k);
  }
  v = expand_dims(transpose(v, from, s), lifted, s);
  Array written = scatter(sliced, indices, v, array_axes, combine, s);
  if (bounds.whole) return written;
  return slice_update(a, written, bounds.start, bounds.stop, bounds.step, Combine::assign, s);
}

}  // namespace

Array get_items(const Array& a, const IndexItems& items, StreamOrDevice where) {
  Stream s = to_stream(where);
  IndexItems full = written_out(a, items);
  bool arrays = has_arrays(full);
  std::vector<int> dropped;  // axes of integers, and of arrays
  std::vector<int> array_axes;
  Arrays indices;
  Shape index_shape;
  int axis = 0;
  for (const IndexItem& item : full) {
    if (item.kind == Kind::new_axis) continue;
    int64_t n = a.shape()[static_cast<size_t>(axis)];
    bool empty_read = n == 0 && (item.kind == Kind::integer ||
                                 (item.kind == Kind::array && item.array.size() > 0));
    if (empty_read) {
      refuse("take", "Cannot do a non-empty take from an empty axis.");
    }
    if (item.kind == Kind::array) {
      if (is_bool(item.array.dtype())) {
        refuse("index",
               "boolean indices are not yet supported where elements are read: the size of "
               "the "
               "result would depend on values. Use where(mask, a, b), or an array of positions.");
      }
      indices.push_back(item.array);
      array_axes.push_back(axis);
      index_shape = broadcast_shapes(index_shape, item.array.shape());
    }
    if (item.kind != Kind::slice) dropped.push_back(axis);
    axis++;
  }
  Bounds bounds(a, full);
  Array out = slice(a, bounds.start, bounds.stop, bounds.step, s);
  int index_ndim = static_cast<int>(index_shape.size());
  if (arrays) {
    Shape sizes = whole_sizes(out);
    for (int k : array_axes) sizes[static_cast<size_t>(k)] = 1;
    out = gather(out, indices, array_axes, sizes, s);
    for (int& k : dropped) k += index_ndim;
  }
  out = squeeze(out, dropped, s);
  Layout layout = layout_of(full, index_ndim, true);
  if (arrays) out = transpose(out, layout.order, s);
  return expand_dims(out, layout.new_axes, s);
}

Array set_items(const Array& a, const IndexItems& items, const Array& value, Combine combine,
                StreamOrDevice where) {
  Stream s = to_stream(where);
  if (combine == Combine::assign && items.size() == 1 && items[0].kind == Kind::array &&
      is_bool(items[0].array.dtype())) {
    return masked_scatter(a, items[0].array, value, s);
  }
  IndexItems full = written_out(a, items);
  return has_arrays(full) ? set_gathered(a, full, value, combine, s)
                          : set_slices(a, full, value, combine, s);
}

}  // namespace heddle
