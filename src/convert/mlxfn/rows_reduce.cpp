#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/scan.h"
#include "ops/softmax.h"
#include "ops/sort.h"

namespace heddle::convert::mlxfn {
namespace {

// MLX's numbers.
constexpr Reduction reductions[] = {Reduction::all,  Reduction::any, Reduction::sum,
                                    Reduction::prod, Reduction::min, Reduction::max};
constexpr ScanKind scans[] = {ScanKind::max, ScanKind::min, ScanKind::sum, ScanKind::prod,
                              ScanKind::logaddexp};
template <class E, size_t N>
int64_t number_of(const E (&all)[N], E e) {
  int64_t i = 0;
  while (all[i] != e) i++;
  return i;
}

// The mean of a shapeless function divides by a count that is known when it runs.
int shapeless_mean(const Writing& w) {
  const auto& op = op_of<Mean>(w);
  const Aval x = w.to.aval(w.in[0]);
  const Dtype wide = is_half(x.dtype) ? float32 : x.dtype;
  const Aval reduced{w.out[0].shape, wide}, scalar{Shape{}, wide};
  Values of_sum(1, number_of(reductions, Reduction::sum));
  of_sum.emplace_back(list(op.axes));
  int total = emit_one(w, "Reduce", std::move(of_sum), {w.to.cast(w.in[0], wide)}, reduced);
  int count = emit_one(w, "NumberOfElements", {list(op.axes), false, wide}, {w.in[0]}, scalar);
  if (op.ddof != 0) {
    int less = w.to.constant(Array(op.ddof, wide)), zero = w.to.constant(Array(0, wide));
    count = emit_one(w, "Subtract", {}, {count, less}, scalar);
    count = emit_one(w, "Maximum", {}, {count, zero}, scalar);
  }
  int mean =
      emit_one(w, "Divide", {}, {total, w.to.broadcast(count, reduced.shape, {total})}, reduced);
  return w.to.cast(mean, x.dtype);
}

// MLX's kernels are not made for axes of size one, which its functions leave out.
std::vector<int> write_reduction(const Writing& w) {
  const auto& op = op_of<Reduce>(w);
  const Shape from = w.to.aval(w.in[0]).shape;
  std::vector<int64_t> axes;
  for (int axis : op.axes) {
    bool needed = w.to.shapeless() || from[static_cast<size_t>(axis)] != 1;
    if (needed) axes.push_back(axis);
  }
  if (axes.empty()) return {w.to.cast(w.in[0], w.out[0].dtype)};
  Values state(1, number_of(reductions, op.reduction));
  state.emplace_back(std::move(axes));
  return emit(w, "Reduce", std::move(state), w.in, w.out);
}

// How many elements of the rows of `sorted` (batch..., n) come before each value (batch..., m...).
Array positions_by_comparison(const SearchSorted& op, const Arrays& in, const Stream& s) {
  const Array& rows = in[0];
  Array values = expand_dims(in[1], -1, s);
  Shape shape(rows.shape().begin(), rows.shape().end() - 1);
  shape.resize(static_cast<size_t>(in[1].ndim()), 1);
  shape.push_back(rows.shape(-1));
  Array a = reshape(rows, shape, s);
  Array before = op.right ? less_equal(a, values, s) : less(a, values, s);
  if (is_inexact(a.dtype())) {  // NaN comes after everything else
    Array all =
        op.right ? isnan(values, s) : logical_and(isnan(values, s), logical_not(isnan(a, s), s), s);
    before = logical_or(before, all, s);
  }
  return sum(astype(before, uint32, s), -1, false, s);
}

void sort_rows(Rows& rows);

}  // namespace

Rows reduce_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"Reduce",
               {{"reduction", Kind::choice, 6}, {"axes", Kind::axes}},
               1,
               1,
               [](const Reading& r) {
                 using Reducer =
                     Array (*)(const Array&, const std::vector<int>&, bool, StreamOrDevice);
                 constexpr Reducer functions[] = {all, any, sum, prod, min, max};
                 return Arrays{functions[r.integer(0)](r.in[0], r.axes(1), true, r.stream)};
               }});
  Spelling reduce{"Reduce"};
  reduce.write = write_reduction;
  s.push_back(reduce);

  Spelling mean_spelling{"Mean"};
  mean_spelling.write = [](const Writing& w) -> std::vector<int> {
    if (w.to.shapeless()) return {shapeless_mean(w)};
    const auto& op = op_of<Mean>(w);
    return w.to.compose(w.in, [&](const Arrays& in) { return *op.decompose(in, to_stream({})); });
  };
  s.push_back(mean_spelling);

  p.push_back({"ArgReduce",
               {{"reduction", Kind::choice, 2}, {"axis", Kind::integer}},
               1,
               1,
               [](const Reading& r) {
                 int axis = r.integer(1);
                 return Arrays{r.integer(0) == 0 ? argmin(r.in[0], axis, true, r.stream)
                                                 : argmax(r.in[0], axis, true, r.stream)};
               }});
  s.push_back({"ArgReduce", "ArgReduce", [](const Writing& w) {
                 const auto& op = op_of<ArgReduce>(w);
                 return Values{int64_t{op.reduction == ArgReduction::argmax}, int64_t{op.axis}};
               }});

  p.push_back({"Scan",
               {{"kind", Kind::choice, 5},
                {"axis", Kind::integer},
                {"reverse", Kind::boolean},
                {"inclusive", Kind::boolean}},
               1,
               1,
               [](const Reading& r) {
                 using Scanner = Array (*)(const Array&, int, bool, bool, StreamOrDevice);
                 constexpr Scanner functions[] = {cummax, cummin, cumsum, cumprod, logcumsumexp};
                 return Arrays{functions[r.integer(0)](r.in[0], r.integer(1), r.flag(2), r.flag(3),
                                                       r.stream)};
               }});
  s.push_back(
      {"Scan", "Scan", [](const Writing& w) {
         const auto& op = op_of<Scan>(w);
         return Values{number_of(scans, op.kind), int64_t{op.axis}, op.reverse, op.inclusive};
       }});

  p.push_back({"Softmax", {{"precise", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return Arrays{softmax(r.in[0], -1, r.flag(0), r.stream)};
               }});
  s.push_back(
      {"Softmax", "Softmax", [](const Writing& w) { return Values{op_of<Softmax>(w).precise}; }});
  p.push_back({"LogSumExp", {}, 1, 1, [](const Reading& r) {
                 return Arrays{logsumexp(r.in[0], -1, true, r.stream)};
               }});
  s.push_back({"LogSumExp", "LogSumExp"});

  p.push_back({"RandomBits",
               {{"shape", Kind::shape}, {"width", Kind::integer}},
               1,
               1,
               [](const Reading& r) {
                 // Several keys: the shape begins with theirs.
                 const Array& keys = r.in[0];
                 const Shape& shape = r.shape(0);
                 int width = r.integer(1);
                 auto batch = static_cast<size_t>(std::max(keys.ndim() - 1, 0));
                 if (keys.dtype() != uint32 || keys.ndim() < 1 || keys.shape(-1) != 2 ||
                     (width != 1 && width != 2 && width != 4) || shape.size() < batch ||
                     !std::equal(shape.begin(), shape.begin() + batch, keys.shape().begin())) {
                   throw std::invalid_argument(
                       "keys of two uint32 and a width of 1, 2 or 4 are wanted");
                 }
                 check_shape("random_bits", shape, static_cast<size_t>(width));
                 Shape drawn(shape.begin() + batch, shape.end());
                 return Arrays{apply(make_op<RandomBits>(drawn, width), r.in, r.stream)};
               }});
  s.push_back({"RandomBits", "RandomBits", [](const Writing& w) {
                 return Values{w.out[0].shape, int64_t{op_of<RandomBits>(w).width}};
               }});
  sort_rows(rows);
  return rows;
}

namespace {

// A place that is counted from the end, which MLX's primitive cannot say, is right in what is
// sorted.
template <class P>
Spelling partition_spelling(const char* primitive, const char* sorting) {
  Spelling s{primitive};
  s.write = [primitive, sorting](const Writing& w) {
    const auto& op = op_of<P>(w);
    if (op.kth < 0) return emit(w, sorting, {int64_t{op.axis}}, w.in, w.out);
    return emit(w, primitive, {int64_t{op.kth}, int64_t{op.axis}}, w.in, w.out);
  };
  return s;
}

void sort_rows(Rows& rows) {
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"Sort", {{"axis", Kind::integer}}, 1, 1, [](const Reading& r) {
                 return Arrays{sort(r.in[0], r.integer(0), r.stream)};
               }});
  s.push_back(
      {"Sort", "Sort", [](const Writing& w) { return Values{int64_t{op_of<Sort>(w).axis}}; }});
  p.push_back({"ArgSort", {{"axis", Kind::integer}}, 1, 1, [](const Reading& r) {
                 return Arrays{argsort(r.in[0], r.integer(0), r.stream)};
               }});
  s.push_back({"ArgSort", "ArgSort",
               [](const Writing& w) { return Values{int64_t{op_of<ArgSort>(w).axis}}; }});

  const std::vector<Field> place{{"kth", Kind::integer}, {"axis", Kind::integer}};
  p.push_back({"Partition", place, 1, 1, [](const Reading& r) {
                 return Arrays{partition(r.in[0], r.integer(0), r.integer(1), r.stream)};
               }});
  s.push_back(partition_spelling<Partition>("Partition", "Sort"));
  p.push_back({"ArgPartition", place, 1, 1, [](const Reading& r) {
                 return Arrays{argpartition(r.in[0], r.integer(0), r.integer(1), r.stream)};
               }});
  s.push_back(partition_spelling<ArgPartition>("ArgPartition", "ArgSort"));

  p.push_back({"SearchSorted", {{"right", Kind::boolean}}, 2, 2, [](const Reading& r) {
                 const Array &sorted = r.in[0], &values = r.in[1];
                 int batch = sorted.ndim() - 1;
                 if (batch == 0) {
                   return Arrays{
                       searchsorted(sorted, values, r.flag(0) ? "right" : "left", r.stream)};
                 }
                 if (batch < 0 || values.ndim() < batch || sorted.dtype() != values.dtype() ||
                     !std::equal(sorted.shape().begin(), sorted.shape().end() - 1,
                                 values.shape().begin())) {
                   throw std::invalid_argument(
                       fmt::format("a sequence of shape {} and values of shape {} do not fit",
                                   to_string(sorted.shape()), to_string(values.shape())));
                 }
                 return Arrays{apply(make_op<SearchSorted>(r.flag(0), batch), r.in, r.stream)};
               }});
  Spelling search{"SearchSorted", "SearchSorted"};
  search.write = [](const Writing& w) {
    const auto& op = op_of<SearchSorted>(w);
    if (op.batch > 0) {  // MLX searches one sequence
      return w.to.compose(w.in, [&](const Arrays& in) {
        return Arrays{positions_by_comparison(op, in, to_stream({}))};
      });
    }
    return emit(w, "SearchSorted", {op.right}, w.in, w.out);
  };
  s.push_back(search);
}

}  // namespace

}  // namespace heddle::convert::mlxfn
