#include "ops/pad.h"

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {

namespace {

void check_widths(const Shape& before, const Shape& after, const Array& a) {
  if (before.size() == a.shape().size() && after.size() == before.size()) return;
  refuse("pad", "Invalid number of padding sizes passed to pad with axes of size {}, got {}.",
         a.ndim(), before.size());
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
      refuse("pad", "Cannot pad empty axis {} using mode '{}'.", i, names[static_cast<int>(mode)]);
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
    refuse("pad", "Invalid number of padding sizes passed to pad with axes of size {}, got {}.", n,
           widths.size());
  }
  Shape before, after;
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    auto [low, high] = widths.size() == 1 ? widths[0] : widths[i];
    for (auto [side, width] : {std::pair{"low", low}, std::pair{"high", high}}) {
      if (width < 0) {
        refuse("pad",
               "Invalid {} padding size ({}) passed to pad for axis {}. Padding sizes "
               "must be non-negative",
               side, width, i);
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
    refuse("pad", "Invalid padding mode ({}) passed to pad", mode);
  }
  if (value.size() != 1) {
    refuse("pad", "The padding value must be a scalar, got an array of shape {}.",
           to_string(value.shape()));
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
