#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/creation.h"
#include "ops/diagonal.h"
#include "ops/following.h"
#include "ops/join.h"
#include "ops/layout.h"
#include "ops/pad.h"
#include "ops/shape.h"

namespace heddle::convert::mlxfn {
namespace {

std::vector<int64_t> all_axes_of(size_t n) {
  std::vector<int64_t> out(n);
  for (size_t i = 0; i < n; i++) out[i] = static_cast<int64_t>(i);
  return out;
}

// The shape of input 0 broadcast to the others', but for `kept` axes (counted from the end).
Shape broadcast_but(const Arrays& in, const std::vector<int>& kept) {
  Shape shape;
  auto without = [&](const Array& a) {
    Shape s = a.shape();
    for (int axis : kept) {
      int at = normalize_axis("import_function", axis, a.ndim());
      s[static_cast<size_t>(at)] = 1;
    }
    return s;
  };
  std::vector<Shape> shapes;
  for (const Array& a : in) shapes.push_back(without(a));
  shape = broadcast_shapes(shapes);
  for (int axis : kept) {
    shape[static_cast<size_t>(normalize_axis("import_function", axis,
                                             static_cast<int>(shape.size())))] = in[0].shape(axis);
  }
  return shape;
}

// Input 0 in that shape, or, in a trace for other sizes, in the one that it will be.
Array broadcast_together(const Reading& r, const std::vector<int>& kept) {
  const int n = static_cast<int>(kept.size());
  bool last = true;  // the axes kept are the last ones, in order
  for (int i = 0; i < n; i++) last &= kept[static_cast<size_t>(i)] == i - n;
  if (last && std::any_of(r.in.begin(), r.in.end(), may_change_size)) {
    return apply(BroadcastLike{n}, r.in, r.stream);
  }
  return broadcast_to(r.in[0], broadcast_but(r.in, kept), r.stream);
}

void layout_rows(Rows& rows);

}  // namespace

Rows shape_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"Broadcast", {{"shape", Kind::shape}}, 1, -1, [](const Reading& r) {
                 if (r.in.size() > 1) return Arrays{broadcast_together(r, {})};
                 return Arrays{broadcast_to(r.in[0], r.shape(0), r.stream)};
               }});
  s.push_back({"Broadcast", "Broadcast",
               [](const Writing& w) { return Values{op_of<Broadcast>(w).shape}; }});
  Spelling like{"BroadcastLike"};
  like.write = [](const Writing& w) {
    const int kept = op_of<BroadcastLike>(w).kept;
    if (kept == 0) return emit(w, "Broadcast", {w.out[0].shape}, w.in, w.out);
    std::vector<int64_t> axes;
    for (int i = -kept; i < 0; i++) axes.push_back(i);
    return emit(w, "BroadcastAxes", {axes}, w.in, w.out);
  };
  s.push_back(like);
  p.push_back({"BroadcastAxes", {{"axes", Kind::axes}}, 1, -1, [](const Reading& r) {
                 return Arrays{broadcast_together(r, r.axes(0))};
               }});

  p.push_back({"Reshape", {{"shape", Kind::shape}}, 1, 1, [](const Reading& r) {
                 return Arrays{reshape(r.in[0], r.shape(0), r.stream)};
               }});
  s.push_back(
      {"Reshape", "Reshape", [](const Writing& w) { return Values{op_of<Reshape>(w).shape}; }});

  p.push_back({"Flatten",
               {{"start_axis", Kind::integer}, {"end_axis", Kind::integer}},
               1,
               1,
               [](const Reading& r) {
                 return Arrays{flatten(r.in[0], r.integer(0), r.integer(1), r.stream)};
               }});
  s.push_back({"Flatten", "Flatten", [](const Writing& w) {
                 const auto& op = op_of<Flatten>(w);
                 return Values{int64_t{op.start_axis}, int64_t{op.end_axis}};
               }});

  p.push_back(
      {"Unflatten", {{"axis", Kind::integer}, {"shape", Kind::shape}}, 1, 1, [](const Reading& r) {
         return Arrays{unflatten(r.in[0], r.integer(0), r.shape(1), r.stream)};
       }});
  Spelling unflatten_spelling{"Unflatten"};
  unflatten_spelling.write = [](const Writing& w) {
    const auto& op = op_of<Unflatten>(w);
    const auto from = static_cast<size_t>(op.axis);
    Shape shape = op.shape, whole = w.out[0].shape;
    // MLX's primitive infers no size, as its reshape does.
    if (w.to.shapeless() && from == 0 && shape[0] == -1) {
      whole[0] = -1;
      return emit(w, "Reshape", {whole}, w.in, w.out);
    }
    shape = Shape(whole.begin() + from, whole.begin() + from + shape.size());
    return emit(w, "Unflatten", {int64_t{op.axis}, shape}, w.in, w.out);
  };
  s.push_back(unflatten_spelling);

  p.push_back({"Squeeze", {{"axes", Kind::axes}}, 1, 1, [](const Reading& r) {
                 return Arrays{squeeze(r.in[0], r.axes(0), r.stream)};
               }});
  s.push_back({"Squeeze", "Squeeze",
               [](const Writing& w) { return Values{list(op_of<Squeeze>(w).axes)}; }});
  p.push_back({"ExpandDims", {{"axes", Kind::axes}}, 1, 1, [](const Reading& r) {
                 return Arrays{expand_dims(r.in[0], r.axes(0), r.stream)};
               }});
  s.push_back({"ExpandDims", "ExpandDims",
               [](const Writing& w) { return Values{list(op_of<ExpandDims>(w).axes)}; }});
  p.push_back({"Transpose", {{"axes", Kind::axes}}, 1, 1, [](const Reading& r) {
                 return Arrays{transpose(r.in[0], r.axes(0), r.stream)};
               }});
  s.push_back({"Transpose", "Transpose",
               [](const Writing& w) { return Values{list(op_of<Transpose>(w).axes)}; }});

  p.push_back({"Concatenate", {{"axis", Kind::integer}}, 1, -1, [](const Reading& r) {
                 return Arrays{concatenate(r.in, r.integer(0), r.stream)};
               }});
  s.push_back({"Concatenate", "Concatenate",
               [](const Writing& w) { return Values{int64_t{op_of<Concatenate>(w).axis}}; }});

  Field sections{"sections", Kind::integer};
  sections.only_heddle = true;
  sections.missing = int64_t{0};
  p.push_back({"Split",
               {{"indices", Kind::shape}, {"axis", Kind::integer}, sections},
               1,
               1,
               [](const Reading& r) {
                 int axis = r.integer(1);
                 if (r.integer(2) != 0) {
                   if (static_cast<size_t>(r.integer(2)) != r.recorded.size()) {
                     throw std::invalid_argument("as many sections as results are wanted");
                   }
                   return split(r.in[0], r.integer(2), axis, r.stream);
                 }
                 if (r.shape(0).size() + 1 != r.recorded.size()) {
                   throw std::invalid_argument("one result more than indices is wanted");
                 }
                 return split(r.in[0], r.shape(0), axis, r.stream);
               }});
  Spelling split_spelling{"Split", "Split"};
  split_spelling.write = [](const Writing& w) {
    const auto& op = op_of<Split>(w);
    const Shape from = w.to.aval(w.in[0]).shape;
    auto parts = op.parts(from[static_cast<size_t>(op.axis)]);
    Shape indices;
    int64_t covered = 0;
    bool in_order = true;
    for (size_t k = 0; k < parts.size(); k++) {
      auto [first, length] = parts[k];
      in_order &= first == covered;
      covered = first + length;
      if (k > 0) indices.push_back(first);
    }
    if (w.to.shapeless() &&
        op.sections == 0) {  // only heddle takes it, and what counts from the end
      return emit(w, "Split", {op.indices, int64_t{op.axis}, int64_t{0}}, w.in, w.out);
    }
    if (in_order && parts.size() > 1) {
      return emit(w, "Split", {indices, int64_t{op.axis}, int64_t{0}}, w.in, w.out);
    }
    // MLX's parts follow each other; those that do not are slices.
    std::vector<int> slots;
    for (size_t k = 0; k < parts.size(); k++) {
      Shape start(from.size(), 0), stop = from, step(from.size(), 1);
      start[static_cast<size_t>(op.axis)] = parts[k].first;
      stop[static_cast<size_t>(op.axis)] = parts[k].first + parts[k].second;
      slots.push_back(emit_one(w, "Slice", {start, stop, step}, w.in, w.out[k]));
    }
    return slots;
  };
  s.push_back(split_spelling);

  p.push_back({"NumberOfElements",
               {{"axes", Kind::axes}, {"inverted", Kind::boolean}, {"dtype", Kind::dtype}},
               1,
               1,
               [](const Reading& r) {
                 return Arrays{
                     number_of_elements(r.in[0], r.axes(0), r.flag(1), r.dtype(2), r.stream)};
               }});

  s.push_back({"NumberOfElements", "NumberOfElements", [](const Writing& w) {
                 const auto& op = op_of<NumberOfElements>(w);
                 return Values{list(op.axes), op.inverted, op.dtype};
               }});

  p.push_back({"Arange",
               {{"start", Kind::real64}, {"stop", Kind::real64}, {"step", Kind::real64}},
               0,
               0,
               [](const Reading& r) {
                 return Arrays{
                     arange(r.real(0), r.real(1), r.real(2), r.recorded[0].dtype, r.stream)};
               }});
  s.push_back(
      {"Arange", "Arange", [](const Writing& w) {
         const auto& op = op_of<Arange>(w);
         return Values{op.start, op.start + op.step * static_cast<double>(op.size), op.step};
       }});
  layout_rows(rows);
  return rows;
}

namespace {

// MLX takes strided views of what lies row by row only: of one dimension, and of its own memory,
// which joining gives even where there is nothing to join.
int rows_in_order(const Writing& w, int slot) {
  const Aval a = w.to.aval(slot);
  const Aval flat{Shape{element_count(a.shape)}, a.dtype};
  if (a.shape.size() != 1) slot = emit_one(w, "Reshape", {Shape{-1}}, {slot}, flat);
  return emit_one(w, "Concatenate", {int64_t{0}}, {slot}, flat);
}

// Adds each element where the view shows it.
Array strided_adjoint(const AsStridedAdjoint& op, const Array& x, const Stream& s) {
  const int64_t n = element_count(op.target);
  Array places = as_strided(arange(0, static_cast<double>(n), 1, int64, s), x.shape(), op.strides,
                            op.offset, s);
  Array flat = scatter_add(zeros({n}, x.dtype(), s), {reshape(places, {x.size()}, s)},
                           reshape(x, {x.size(), 1}, s), {0}, s);
  return reshape(flat, op.target, s);
}

void layout_rows(Rows& rows) {
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"AsStrided",
               {{"shape", Kind::shape}, {"strides", Kind::strides}, {"offset", Kind::size}},
               1,
               1,
               [](const Reading& r) {
                 const Shape& strides = r.shape(1);
                 return Arrays{
                     as_strided(r.in[0], r.shape(0), Strides(strides), r.size(2), r.stream)};
               }});
  Spelling strided{"AsStrided"};
  strided.write = [](const Writing& w) {
    const auto& op = op_of<AsStrided>(w);
    std::vector<int> in = w.in;
    in[0] = rows_in_order(w, in[0]);
    return emit(w, "AsStrided", {op.shape, Shape(op.strides), op.offset}, in, w.out);
  };
  s.push_back(strided);
  Spelling adjoint{"AsStridedAdjoint"};
  adjoint.write = [](const Writing& w) {
    return w.to.compose(w.in, [&](const Arrays& in) {
      return Arrays{strided_adjoint(op_of<AsStridedAdjoint>(w), in[0], to_stream({}))};
    });
  };
  s.push_back(adjoint);

  p.push_back({"View", {{"dtype", Kind::dtype}}, 1, 1, [](const Reading& r) {
                 return Arrays{view(r.in[0], r.dtype(0), r.stream)};
               }});
  s.push_back({"View", "View", [](const Writing& w) { return Values{w.out[0].dtype}; }});

  p.push_back({"Depends", {}, 1, -1, [](const Reading& r) {
                 size_t n = r.recorded.size();
                 if (n > r.in.size())
                   throw std::invalid_argument("it has more results than inputs");
                 auto middle = r.in.begin() + static_cast<long>(n);
                 return depends(Arrays(r.in.begin(), middle), Arrays(middle, r.in.end()));
               }});
  s.push_back({"Depends", "Depends"});

  p.push_back({"Pad",
               {{"axes", Kind::axes}, {"low", Kind::shape}, {"high", Kind::shape}},
               2,
               2,
               [](const Reading& r) {
                 std::vector<int> axes = r.axes(0);
                 const Shape &low = r.shape(1), &high = r.shape(2);
                 if (low.size() != axes.size() || high.size() != axes.size()) {
                   throw std::invalid_argument("one width for each side of each axis is wanted");
                 }
                 PadWidths widths(r.in[0].shape().size());
                 if (widths.empty()) return Arrays{r.in[0]};
                 for (size_t k = 0; k < axes.size(); k++) {
                   auto at = static_cast<size_t>(normalize_axis("pad", axes[k], r.in[0].ndim()));
                   widths[at] = {low[k], high[k]};
                 }
                 return Arrays{pad(r.in[0], widths, r.in[1], "constant", r.stream)};
               }});
  s.push_back({"Pad", "Pad", [](const Writing& w) {
                 const auto& op = op_of<Pad>(w);
                 return Values{all_axes_of(op.before.size()), op.before, op.after};
               }});

  Spelling border_spelling{"BorderPad"};
  border_spelling.pins_sizes = true;
  s.push_back(border_spelling);

  Spelling diagonal_spelling{"Diagonal"};
  diagonal_spelling.pins_sizes = true;
  s.push_back(diagonal_spelling);

  Spelling contiguous_spelling{"Contiguous"};
  contiguous_spelling.write = [](const Writing& w) { return w.in; };  // files say nothing of memory
  s.push_back(contiguous_spelling);
}

}  // namespace

}  // namespace heddle::convert::mlxfn
