#include "ops/gathered.h"

#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {
namespace {

Array counted(const Array& x, const Stream& s) {
  Shape batch(x.shape().begin(), x.shape().end() - 2);
  return reshape(arange(0, static_cast<double>(element_count(batch)), 1, uint32, s), batch, s);
}

}  // namespace

GatherIndices gather_indices(const char* op, const Array& a, const Array& b,
                             const std::optional<Array>& left, const std::optional<Array>& right,
                             const Stream& s) {
  auto checked = [&](const Array& indices, const Array& x) {
    if (!is_integer(indices.dtype())) {
      refuse(op, "Got indices with invalid dtype. Indices must be integral.");
    }
    // Counted from the end where negative.
    if (!is_signed(indices.dtype())) return astype(indices, uint32, s);
    Shape batch(x.shape().begin(), x.shape().end() - 2);
    Array wide = astype(indices, int64, s);
    Array count(element_count(batch), int64);
    return astype(where(less(wide, Array(int64_t{0}, int64), s), add(wide, count, s), wide, s),
                  uint32, s);
  };
  Array l = left ? checked(*left, a) : counted(a, s),
        r = right ? checked(*right, b) : counted(b, s);
  Shape shape = broadcast_shapes(l.shape(), r.shape());
  return {broadcast_to(l, shape, s), broadcast_to(r, shape, s)};
}

void check_gather_indices(OpName op, const char* name, const Arrays& in) {
  require_dtype(op, in, in.size() - 2, uint32);
  require_dtype(op, in, in.size() - 1, uint32);
  require_shape(name, "The right indices", in.back(), in[in.size() - 2].shape());
}

Array one_batch_axis(const Array& x, const Stream& s) {
  if (x.ndim() == 3) return x;
  if (x.ndim() == 2) return expand_dims(x, {0}, s);
  return flatten(x, 0, -3, s);
}

Array sum_by_index(const Array& updates, const Array& indices, int64_t count, const Stream& s) {
  Shape shape{count, updates.shape(-2), updates.shape(-1)};
  // Halves would stop growing after some hundred terms.
  Array terms = widened(expand_dims(updates, {-3}, s), s);
  return astype(scatter_add(zeros(shape, terms.dtype(), s), {indices}, terms, {0}, s),
                updates.dtype(), s);
}

FoldedBatch::FoldedBatch(const Arrays& in, const std::vector<int>& axes) : in_(in), axes_(axes) {
  for (size_t i = 0; i < in.size(); i++) {
    if (axes[i] >= 0) count_ = in[i].shape(axes[i]);
  }
}

bool FoldedBatch::batched(const std::vector<size_t>& of_side) const {
  for (size_t i : of_side) {
    if (axes_[i] >= 0) return true;
  }
  return false;
}

Arrays FoldedBatch::operands(const std::vector<size_t>& of_side, const Stream& s) const {
  Arrays chosen;
  std::vector<int> axes;
  for (size_t i : of_side) {
    chosen.push_back(in_[i]);
    axes.push_back(axes_[i]);
  }
  if (!batched(of_side)) return chosen;
  Arrays folded;
  for (const Array& x : all_batched(chosen, axes, s)) folded.push_back(flatten(x, 0, 1, s));
  return folded;
}

Array FoldedBatch::indices(size_t at, const std::vector<size_t>& of_side, const Stream& s) const {
  Array index = batch_to_front(in_[at], axes_[at]);
  if (axes_[at] < 0) {
    Shape shape = index.shape();
    shape.insert(shape.begin(), count_);
    index = broadcast_to(index, shape, s);
  }
  if (!batched(of_side)) return index;
  int64_t entries = in_[of_side[0]].shape(axes_[of_side[0]] < 0    ? 0
                                          : axes_[of_side[0]] == 0 ? 1
                                                                   : 0);
  Shape column(static_cast<size_t>(index.ndim()), 1);
  column[0] = count_;
  Array first = multiply(arange(0, static_cast<double>(count_), 1, uint32, s),
                         Array(static_cast<uint32_t>(entries), uint32), s);
  return add(index, reshape(first, column, s), s);
}

}  // namespace heddle
