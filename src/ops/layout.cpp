#include "ops/layout.h"

#include <algorithm>

#include "heddle/ops/creation.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/pointwise.h"
#include "ops/util.h"

namespace heddle {

// ---------------------------------------------------------------------------------------------
// as_strided

namespace {

// Throws unless the view stays within an array of `size` elements.
void check_view(const Shape& shape, const Strides& strides, int64_t offset, int64_t size) {
  // Lowest and highest element that the view touches; __int128 since strides are anyone's.
  __int128 low = offset, high = offset;
  bool empty = false;
  for (size_t i = 0; i < shape.size(); i++) {
    empty |= shape[i] == 0;
    __int128 reach = static_cast<__int128>(shape[i] - 1) * strides[i];
    (reach < 0 ? low : high) += reach;
  }
  if (!empty && (low < 0 || high >= size)) {
    refuse("as_strided",
           "A view of shape {}, strides {} and offset {} leaves an array of {} "
           "elements.",
           to_string(shape), to_string(strides), offset, size);
  }
}

void check_strides(const Shape& shape, const Strides& strides) {
  if (strides.size() == shape.size()) return;
  refuse("as_strided", "{} strides were given for a shape of {} dimensions.", strides.size(),
         shape.size());
}

// The shape or strides of a batch from those of an example.
Shape with_batch(const Shape& example, int64_t outermost) {
  Shape all = example;
  all.insert(all.begin(), outermost);
  return all;
}

}  // namespace

void AsStrided::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  check_strides(shape, strides);
}
Avals AsStrided::infer(const Arrays& in) const {
  check_view(shape, strides, offset, in[0].size());
  return {{shape, in[0].dtype()}};
}
std::optional<Arrays> AsStrided::vjp(const Pull& p) const {
  return Arrays{
      apply(make_op<AsStridedAdjoint>(p.in[0].shape(), strides, offset), {p.g[0]}, p.stream)};
}
std::optional<Batched> AsStrided::vmap(const Batch& b) const {
  Array x = batch_to_front(b.in[0], b.axes[0]);
  int64_t batch = x.shape(0), step = batch == 0 ? 0 : x.size() / batch;
  return Batched{
      {as_strided(x, with_batch(shape, batch), with_batch(strides, step), offset, b.stream)}, {0}};
}

void AsStridedAdjoint::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  check_strides(in[0].shape(), strides);
}
Avals AsStridedAdjoint::infer(const Arrays& in) const {
  check_view(in[0].shape(), strides, offset, element_count(target));
  return {{target, in[0].dtype()}};
}
std::optional<Arrays> AsStridedAdjoint::vjp(const Pull& p) const {
  return Arrays{as_strided(p.g[0], p.in[0].shape(), strides, offset)};
}
std::optional<Batched> AsStridedAdjoint::vmap(const Batch& b) const {
  Array x = batch_to_front(b.in[0], b.axes[0]);
  OpRef op = make_op<AsStridedAdjoint>(with_batch(target, x.shape(0)),
                                       with_batch(strides, element_count(target)), offset);
  return Batched{{apply(op, {x}, b.stream)}, {0}};
}

Array as_strided(const Array& a, const Shape& shape, const std::optional<Strides>& strides,
                 int64_t offset, StreamOrDevice s) {
  check_shape("as_strided", shape, a.itemsize());
  Strides steps = strides ? *strides : row_major_strides(shape);
  return apply(make_op<AsStrided>(shape, std::move(steps), offset), {a}, to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// contiguous, copy, view

void Contiguous::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Array contiguous(const Array& a, bool allow_col_major, StreamOrDevice s) {
  return apply(make_op<Contiguous>(allow_col_major), {a}, to_stream(s));
}

Array copy(const Array& a, StreamOrDevice s) { return identity(a, s); }

void ViewAs::check(const Arrays& in) const { require_inputs(*this, in, 1); }
Avals ViewAs::infer(const Arrays& in) const {
  Shape shape = in[0].shape();
  size_t from = in[0].itemsize(), to = size_of(dtype);
  if (from != to) {
    if (shape.empty()) {
      refuse("view", "Changing the type of a scalar is only allowed for types with the same size.");
    }
    int64_t bytes = shape.back() * static_cast<int64_t>(from);
    if (bytes % static_cast<int64_t>(to) != 0) {
      refuse("view",
             "When viewing as a larger dtype, the size in bytes of the last axis must be a "
             "multiple of the requested type size; got {} bytes for {}.",
             bytes, name_of(dtype));
    }
    shape.back() = bytes / static_cast<int64_t>(to);
    check_shape("view", shape, to);
  }
  return {{shape, dtype}};
}
Array view(const Array& a, Dtype dtype, StreamOrDevice s) {
  if (a.dtype() == dtype) return a;
  return apply(make_op<ViewAs>(dtype), {a}, to_stream(s));
}

// ---------------------------------------------------------------------------------------------
// depends

void Depends::check(const Arrays& in) const {
  require_inputs(*this, in, static_cast<size_t>(count), any_number);
}
Avals Depends::infer(const Arrays& in) const {
  Avals out;
  for (int k = 0; k < count; k++) {
    const Array& a = in[static_cast<size_t>(k)];
    out.push_back({a.shape(), a.dtype()});
  }
  return out;
}
std::optional<Arrays> Depends::vjp(const Pull& p) const {
  Arrays out;
  for (int k : p.wanted) {
    size_t i = static_cast<size_t>(k);
    out.push_back(k < count ? p.g[i] : zeros_like(p.in[i]));
  }
  return out;
}
std::optional<Arrays> Depends::jvp(const Push& p) const {
  Arrays out;
  for (const Array& a : p.out) out.push_back(zeros_like(a));
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] < count) out[static_cast<size_t>(p.wanted[k])] = p.t[k];
  }
  return out;
}
std::optional<Batched> Depends::vmap(const Batch& b) const {
  return Batched{apply_multi(make_op<Depends>(count), b.in, b.stream),
                 std::vector<int>(b.axes.begin(), b.axes.begin() + count)};
}
Arrays depends(const Arrays& inputs, const Arrays& dependencies) {
  Arrays all = inputs;
  all.insert(all.end(), dependencies.begin(), dependencies.end());
  if (inputs.empty()) return {};
  if (inputs.size() > 255) {
    refuse("depends", "At most 255 inputs are possible, got {}.", inputs.size());
  }
  return apply_multi(make_op<Depends>(static_cast<int>(inputs.size())), std::move(all),
                     to_stream({}));
}

}  // namespace heddle
