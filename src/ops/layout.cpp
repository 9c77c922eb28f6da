#include "ops/layout.h"

#include <algorithm>

#include "heddle/ops.h"
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
    throw std::invalid_argument(fmt::format(
        "[as_strided] A view of shape {}, strides {} and offset {} leaves an array of {} "
        "elements.",
        to_string(shape), to_string(strides), offset, size));
  }
}

void check_strides(const Shape& shape, const Strides& strides) {
  if (strides.size() == shape.size()) return;
  refuse("as_strided", fmt::format("{} strides were given for a shape of {} dimensions.",
                                   strides.size(), shape.size()));
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
      throw std::invalid_argument(
          "[view] Changing the type of a scalar is only allowed for types with the same size.");
    }
    int64_t bytes = shape.back() * static_cast<int64_t>(from);
    if (bytes % static_cast<int64_t>(to) != 0) {
      throw std::invalid_argument(fmt::format(
          "[view] When viewing as a larger dtype, the size in bytes of the last axis must be a "
          "multiple of the requested type size; got {} bytes for {}.",
          bytes, name_of(dtype)));
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
    throw std::invalid_argument(
        fmt::format("[depends] At most 255 inputs are possible, got {}.", inputs.size()));
  }
  return apply_multi(make_op<Depends>(static_cast<int>(inputs.size())), std::move(all),
                     to_stream({}));
}

// ---------------------------------------------------------------------------------------------
// pad

namespace {

void check_widths(const Shape& before, const Shape& after, const Array& a) {
  if (before.size() == a.shape().size() && after.size() == before.size()) return;
  refuse("pad",
         fmt::format("Invalid number of padding sizes passed to pad with axes of size {}, got {}.",
                     a.ndim(), before.size()));
}

}  // namespace

void Pad::check(const Arrays& in) const {
  require_inputs(*this, in, 2);
  check_widths(before, after, in[0]);
  require_shape("pad", "The padding value", in[1], {});
  require_dtype(*this, in, 1, in[0].dtype());
}
Avals Pad::infer(const Arrays& in) const {
  Shape out = in[0].shape();
  for (size_t i = 0; i < out.size(); i++) out[i] += before[i] + after[i];
  check_shape("pad", out, in[0].itemsize());
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> Pad::vjp(const Pull& p) const {
  Shape stop = before;
  for (size_t i = 0; i < stop.size(); i++) stop[i] += p.in[0].shape()[i];
  Array inner = slice(p.g[0], before, stop);
  Arrays out;
  for (int k : p.wanted) out.push_back(k == 0 ? inner : subtract(sum(p.g[0]), sum(inner)));
  return out;
}
std::optional<Batched> Pad::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  Shape low = before, high = after;
  low.insert(low.begin(), 0);
  high.insert(high.begin(), 0);
  Array x = all_batched({b.in[0], b.in[1]}, {b.axes[0], b.axes[1]}, s)[0];
  auto padded = [&](const Array& a, const Array& value) {
    return apply(make_op<Pad>(low, high), {a, value}, s);
  };
  if (b.axes[1] < 0) return Batched{{padded(x, b.in[1])}, {0}};
  Array inside = padded(full(x.shape(), Array(true), s), Array(false));
  Array values = reshape(
      b.in[1],
      [&] {
        Shape shape(x.shape().size(), 1);
        shape[0] = x.shape()[0];
        return shape;
      }(),
      s);
  return Batched{{where(inside, padded(x, Array(0, x.dtype())), values, s)}, {0}};
}

std::vector<int32_t> BorderPad::sources(size_t axis, int64_t n) const {
  std::vector<int32_t> out;
  for (int64_t i = -before[axis]; i < n + after[axis]; i++) {
    int64_t p = i;
    if (mode == BorderMode::edge) {
      p = std::clamp<int64_t>(i, 0, n - 1);
    } else if (mode == BorderMode::reflect) {
      int64_t period = std::max<int64_t>(2 * (n - 1), 1);
      p = (i % period + period) % period;
      if (p >= n) p = period - p;
    } else {
      p = (i % (2 * n) + 2 * n) % (2 * n);
      if (p >= n) p = 2 * n - 1 - p;
    }
    out.push_back(static_cast<int32_t>(p));
  }
  return out;
}
void BorderPad::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  check_widths(before, after, in[0]);
}
Avals BorderPad::infer(const Arrays& in) const {
  constexpr const char* names[] = {"edge", "reflect", "symmetric"};
  Shape out = in[0].shape();
  for (size_t i = 0; i < out.size(); i++) {
    if (out[i] == 0 && (before[i] != 0 || after[i] != 0)) {
      throw std::invalid_argument(fmt::format("[pad] Cannot pad empty axis {} using mode '{}'.", i,
                                              names[static_cast<int>(mode)]));
    }
    out[i] += before[i] + after[i];
  }
  check_shape("pad", out, in[0].itemsize());
  return {{out, in[0].dtype()}};
}
std::optional<Arrays> BorderPad::decompose(const Arrays& in, const Stream& s) const {
  Array out = in[0];
  for (size_t i = 0; i < before.size(); i++) {
    if (before[i] == 0 && after[i] == 0) continue;
    auto positions = sources(i, in[0].shape()[i]);
    Array index(positions.begin(), Shape{static_cast<int64_t>(positions.size())});
    out = take(out, index, static_cast<int>(i), s);
  }
  return Arrays{out};
}

Array pad(const Array& a, const PadWidths& widths, const Array& value, const std::string& mode,
          StreamOrDevice s) {
  size_t n = a.shape().size();
  if (n == 0) return a;
  if (widths.size() != n && widths.size() != 1) {
    throw std::invalid_argument(fmt::format(
        "[pad] Invalid number of padding sizes passed to pad with axes of size {}, got {}.", n,
        widths.size()));
  }
  Shape before, after;
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    auto [low, high] = widths.size() == 1 ? widths[0] : widths[i];
    for (auto [side, width] : {std::pair{"low", low}, std::pair{"high", high}}) {
      if (width < 0) {
        throw std::invalid_argument(fmt::format(
            "[pad] Invalid {} padding size ({}) passed to pad for axis {}. Padding sizes "
            "must be non-negative",
            side, width, i));
      }
      if (width > max_dimension) {
        throw std::overflow_error(fmt::format("[pad] The padding size {} is too large.", width));
      }
    }
    before.push_back(low);
    after.push_back(high);
    any |= low != 0 || high != 0;
  }
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "symmetric") {
    throw std::invalid_argument(fmt::format("[pad] Invalid padding mode ({}) passed to pad", mode));
  }
  if (value.size() != 1) {
    throw std::invalid_argument(
        fmt::format("[pad] The padding value must be a scalar, got an array of shape {}.",
                    to_string(value.shape())));
  }
  if (!any) return a;
  Stream stream = to_stream(s);
  if (mode == "constant" || (mode == "edge" && a.size() == 0)) {
    Array scalar = reshape(astype(value, a.dtype(), stream), {}, stream);
    return apply(make_op<Pad>(before, after), {a, scalar}, stream);
  }
  BorderMode border = mode == "edge"      ? BorderMode::edge
                      : mode == "reflect" ? BorderMode::reflect
                                          : BorderMode::symmetric;
  return apply(make_op<BorderPad>(before, after, border), {a}, stream);
}

}  // namespace heddle
