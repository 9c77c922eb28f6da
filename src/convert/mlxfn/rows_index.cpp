#include <limits>

#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/index.h"

namespace heddle::convert::mlxfn {
namespace {

// MLX's numbers for the ways to combine.
constexpr Combine combines[] = {Combine::max, Combine::min, Combine::sum, Combine::prod,
                                Combine::assign};
int64_t number_of(Combine c) {
  int64_t i = 0;
  while (combines[i] != c) i++;
  return i;
}

struct Bounds {
  Shape start, stop, step;
};

constexpr int64_t far = std::numeric_limits<int32_t>::max();  // a bound that no array reaches

// In .mlxfn files the bounds of an update are those of the traced size, since MLX's kernel counts
// none from the end; in shapeless ones the last is as it was given.
Bounds update_bounds(const Writing& w, const SliceUpdate& op) {
  const Shape& from = w.to.aval(w.in[0]).shape;
  Bounds out;
  for (size_t i = 0; i < op.start.size(); i++) {
    SliceRange range = resolve_slice(op.start[i], op.stop[i], op.step[i], from[i]);
    const bool forward = op.step[i] > 0;
    int64_t last = range.first + range.step * range.count;
    int64_t end = forward ? std::max<int64_t>(last, 0) : (last < 0 ? -from[i] - 1 : last);
    if (w.to.shapeless()) {
      end = op.stop[i] == slice_end ? (forward ? far : -far) : std::clamp(op.stop[i], -far, far);
    }
    out.start.push_back(std::max<int64_t>(range.first, 0));
    out.stop.push_back(end);
    out.step.push_back(range.step);
  }
  return out;
}

// Those of a slice, too; but in shapeless files, whose slices only heddle takes, what counts from
// the end does so at any size.
Bounds slice_bounds(const Writing& w, const Slice& op) {
  const Shape& from = w.to.aval(w.in[0]).shape;
  Bounds out;
  for (size_t i = 0; i < op.start.size(); i++) {
    const bool forward = op.step[i] > 0;
    if (w.to.shapeless()) {
      auto bound = [&](int64_t given, int64_t missing) {
        return given == slice_end ? missing : std::clamp(given, -far, far);
      };
      out.start.push_back(bound(op.start[i], forward ? 0 : far));
      out.stop.push_back(bound(op.stop[i], forward ? far : -far));
      out.step.push_back(std::clamp(op.step[i], -far, far));
      continue;
    }
    SliceRange range = resolve_slice(op.start[i], op.stop[i], op.step[i], from[i]);
    int64_t last = range.first + range.step * range.count;
    out.start.push_back(std::max<int64_t>(range.first, 0));
    out.stop.push_back(forward ? std::max<int64_t>(last, 0) : (last < 0 ? -from[i] - 1 : last));
    out.step.push_back(range.step);
  }
  return out;
}

// .heddle files hold a missing bound as the same number as the op does, which JSON keeps exactly.
Bounds read_bounds(const Reading& r, size_t first) {
  return {r.shape(first), r.shape(first + 1), r.shape(first + 2)};
}

// Index arrays of one shape and dtype, as MLX's kernels want them.
std::vector<int> prepared_indices(const Writing& w, size_t count) {
  std::vector<int> in = w.in;
  std::vector<Shape> shapes;
  bool mixed = false;
  for (size_t k = 1; k <= count; k++) {
    shapes.push_back(w.to.aval(in[k]).shape);
    mixed |= w.to.aval(in[k]).dtype != w.to.aval(in[1]).dtype;
  }
  if (shapes.empty()) return in;
  Shape shape = broadcast_shapes(shapes);
  for (size_t k = 1; k <= count; k++) {
    std::vector<int> others(w.in.begin() + 1, w.in.begin() + 1 + static_cast<long>(count));
    others.erase(others.begin() + static_cast<long>(k) - 1);
    if (mixed) in[k] = w.to.cast(in[k], int64);
    in[k] = w.to.broadcast(in[k], shape, others);
  }
  return in;
}

// MLX's masked scatter: inputs (batch, ...), a mask of that shape, and (batch, values), of which
// each true element takes the next of its batch.
Array masked_scatter_by_batch(const Reading& r) {
  const Array &a = r.in[0], &mask = r.in[1], &values = r.in[2];
  if (!is_bool(mask.dtype()) || !(mask.shape() == a.shape()) || a.ndim() < 1 || values.ndim() < 1 ||
      values.shape(0) != a.shape(0)) {
    throw std::invalid_argument(fmt::format("inputs of shapes {}, {} and {} do not fit",
                                            to_string(a.shape()), to_string(mask.shape()),
                                            to_string(values.shape())));
  }
  if (a.size() == 0 || values.size() == 0) return a;
  const Stream& s = r.stream;
  if (a.shape(0) == 1) {
    return masked_scatter(a, mask, flatten(values, 0, -1, s), s);
  }
  const Shape rows{a.shape(0), a.size() / a.shape(0)};
  Array flat_mask = reshape(mask, rows, s);
  Array flat_values = reshape(astype(values, a.dtype(), s), {rows[0], values.size() / rows[0]}, s);
  Array position =
      subtract(cumsum(astype(flat_mask, int64, s), 1, false, true, s), Array(1, int64), s);
  Array taken = take_along_axis(flat_values, maximum(position, Array(0, int64), s), 1, s);
  return reshape(where(flat_mask, taken, reshape(a, rows, s), s), a.shape(), s);
}

}  // namespace

Rows index_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  const std::vector<Field> bounds{
      {"start", Kind::shape}, {"stop", Kind::shape}, {"step", Kind::shape}};
  p.push_back({"Slice", bounds, 1, 1, [](const Reading& r) {
                 Bounds b = read_bounds(r, 0);
                 return Arrays{slice(r.in[0], b.start, b.stop, b.step, r.stream)};
               }});
  s.push_back({"Slice", "Slice", [](const Writing& w) {
                 Bounds b = slice_bounds(w, op_of<Slice>(w));
                 return Values{b.start, b.stop, b.step};
               }});

  Field combine{"combine", Kind::choice, 5, {0, 31, 2}};
  combine.missing = number_of(Combine::assign);
  std::vector<Field> update{combine};
  update.insert(update.end(), bounds.begin(), bounds.end());
  p.push_back({"SliceUpdate", update, 2, 2, [](const Reading& r) {
                 Bounds b = read_bounds(r, 1);
                 return Arrays{slice_update(r.in[0], r.in[1], b.start, b.stop, b.step,
                                            combines[r.integer(0)], r.stream)};
               }});
  s.push_back({"SliceUpdate", "SliceUpdate", [](const Writing& w) {
                 const auto& op = op_of<SliceUpdate>(w);
                 Bounds b = update_bounds(w, op);
                 return Values{number_of(op.combine), b.start, b.stop, b.step};
               }});

  p.push_back({"DynamicSlice",
               {{"axes", Kind::axes}, {"slice_sizes", Kind::shape}},
               2,
               2,
               [](const Reading& r) {
                 return Arrays{dynamic_slice(r.in[0], r.in[1], r.axes(0), r.shape(1), r.stream)};
               }});
  p.push_back({"DynamicSliceUpdate", {{"axes", Kind::axes}}, 3, 3, [](const Reading& r) {
                 return Arrays{
                     dynamic_slice_update(r.in[0], r.in[1], r.in[2], r.axes(0), r.stream)};
               }});

  p.push_back(
      {"Gather", {{"axes", Kind::axes}, {"slice_sizes", Kind::shape}}, 1, -1, [](const Reading& r) {
         Shape sizes = r.shape(1);  // -1: the whole axis, which .heddle files may say
         for (size_t i = 0; i < std::min(sizes.size(), r.in[0].shape().size()); i++) {
           if (sizes[i] == -1) sizes[i] = r.in[0].shape()[i];
         }
         return Arrays{
             gather(r.in[0], Arrays(r.in.begin() + 1, r.in.end()), r.axes(0), sizes, r.stream)};
       }});
  Spelling gather_spelling{"Gather", "Gather"};
  gather_spelling.write = [](const Writing& w) {
    const auto& op = op_of<Gather>(w);
    Shape sizes = op.slice_sizes;
    for (size_t i = 0; i < sizes.size(); i++) {
      if (sizes[i] == -1) sizes[i] = w.to.aval(w.in[0]).shape[i];
    }
    return emit(w, "Gather", {list(op.axes), sizes}, prepared_indices(w, op.axes.size()), w.out);
  };
  s.push_back(gather_spelling);

  p.push_back({"Scatter",
               {{"combine", Kind::choice, 5}, {"axes", Kind::axes}},
               2,
               -1,
               [](const Reading& r) {
                 return Arrays{scatter(r.in[0], Arrays(r.in.begin() + 1, r.in.end() - 1),
                                       r.in.back(), r.axes(1), combines[r.integer(0)], r.stream)};
               }});
  Spelling scatter_spelling{"Scatter", "Scatter"};
  scatter_spelling.write = [](const Writing& w) {
    const auto& op = op_of<Scatter>(w);
    Values state(1, number_of(op.combine));
    state.emplace_back(list(op.axes));
    return emit(w, "Scatter", std::move(state), prepared_indices(w, op.axes.size()), w.out);
  };
  s.push_back(scatter_spelling);

  p.push_back({"GatherAxis", {{"axis", Kind::integer}}, 2, 2, [](const Reading& r) {
                 return Arrays{take_along_axis(r.in[0], r.in[1], r.integer(0), r.stream)};
               }});
  s.push_back({"GatherAxis", "GatherAxis",
               [](const Writing& w) { return Values{int64_t{op_of<GatherAxis>(w).axis}}; }});

  p.push_back({"ScatterAxis",
               {{"combine", Kind::choice, 2}, {"axis", Kind::integer}},
               3,
               3,
               [](const Reading& r) {
                 auto f = r.integer(0) == 0 ? scatter_add_axis : put_along_axis;
                 return Arrays{f(r.in[0], r.in[1], r.in[2], r.integer(1), r.stream)};
               }});
  s.push_back({"ScatterAxis", "ScatterAxis", [](const Writing& w) {
                 const auto& op = op_of<ScatterAxis>(w);
                 return Values{int64_t{op.combine == Combine::sum ? 0 : 1}, int64_t{op.axis}};
               }});

  // heddle's own form has rows of elements and a mask of one axis, which .mlxfn files hold
  // composed.
  p.push_back({"MaskedScatter", {}, 3, 3, [](const Reading& r) {
                 if (r.in[1].ndim() == r.in[0].ndim()) return Arrays{masked_scatter_by_batch(r)};
                 return Arrays{masked_scatter(r.in[0], r.in[1], r.in[2], r.stream)};
               }});
  return rows;
}

}  // namespace heddle::convert::mlxfn
