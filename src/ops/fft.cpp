#include "ops/fft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/fft.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/util.h"

namespace heddle {
namespace {

int64_t size_along(const Array& a, const std::vector<int>& axes) {
  int64_t n = 1;
  for (int axis : axes) n *= a.shape(axis);
  return n;
}

Array transformed(const Array& x, const std::vector<int>& axes, bool inverse, bool real, bool odd,
                  const Stream& s) {
  return apply(make_op<FFT>(axes, inverse, real, odd), {x}, s);
}

// How often each element of a half spectrum stands in the whole one, along the real axis.
Array multiplicity(const Array& half, int axis, bool odd, const Stream& s) {
  const int64_t n = half.shape(axis);
  Shape shape(static_cast<size_t>(half.ndim()), 1);
  Arrays parts;
  auto add = [&](int64_t count, float value) {
    shape[static_cast<size_t>(axis)] = count;
    if (count > 0) parts.push_back(full(shape, Array(value), s));
  };
  add(1, 1);
  add(odd ? n - 1 : n - 2, 2);
  if (!odd && n > 1) add(1, 1);
  return concatenate(parts, axis, s);
}

}  // namespace

void FFT::check(const Arrays& in) const {
  constexpr const char* op = "fftn";
  require_inputs(*this, in, 1);
  if (axes.empty()) refuse(op, "Requires array with at least one dimension.");
  require_dtype(*this, in, 0, real && !inverse ? float32 : complex64);
  for (size_t i = 0; i < axes.size(); i++) {
    if (std::find(axes.begin(), axes.begin() + static_cast<long>(i), axes[i]) !=
        axes.begin() + static_cast<long>(i)) {
      refuse(op, "Duplicated axis received ({})", fmt::join(axes, ","));
    }
    const bool half = real && inverse && !odd && i + 1 == axes.size();
    if (in[0].shape(axes[i]) < (half ? 2 : 1)) {
      refuse(op, "Invalid FFT output size requested of an input of shape {}",
             to_string(in[0].shape()));
    }
  }
}

Avals FFT::infer(const Arrays& in) const {
  Shape shape = in[0].shape();
  if (!real) return {{shape, complex64}};
  int64_t& last = shape[static_cast<size_t>(axes.back())];
  if (!inverse) {
    last = last / 2 + 1;
    return {{shape, complex64}};
  }
  last = 2 * (last - 1) + (odd ? 1 : 0);
  return {{shape, float32}};
}

// Adjoints. Of e^(-i t) it is e^(i t): the other direction, without its factor. A half spectrum
// stands for both halves, so its elements count once on the way there and as often as they stand on
// the way back.
std::optional<Arrays> FFT::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  const Array& whole = real && inverse ? p.out[0] : p.in[0];
  const auto n = static_cast<float>(size_along(whole, axes));
  const Array factor(inverse ? 1 / n : n);
  if (!real)
    return Arrays{multiply(transformed(p.g[0], axes, !inverse, false, false, s), factor, s)};
  const int last = axes.back();
  const bool is_odd = whole.shape(last) % 2 == 1;
  if (inverse) {
    Array half = transformed(p.g[0], axes, false, true, false, s);
    return Arrays{multiply(multiply(half, multiplicity(half, last, is_odd, s), s), factor, s)};
  }
  Array once = divide(p.g[0], multiplicity(p.g[0], last, is_odd, s), s);
  return Arrays{multiply(transformed(once, axes, true, true, is_odd, s), factor, s)};
}

namespace fft {
namespace {

// Cut or padded with zeros along one axis.
Array resized(const Array& a, int axis, int64_t size, const Stream& s) {
  const int64_t now = a.shape(axis);
  if (now == size) return a;
  const auto dims = static_cast<size_t>(a.ndim()), at = static_cast<size_t>(axis);
  if (now > size) {
    Shape start(dims, slice_end), stop(dims, slice_end);
    start[at] = 0;
    stop[at] = size;
    return slice(a, start, stop, s);
  }
  PadWidths widths(dims, {0, 0});
  widths[at] = {0, size - now};
  return pad(a, widths, Array(0, a.dtype()), "constant", s);
}

double scale_of(FFTNorm norm, bool inverse, int64_t n) {
  switch (norm) {
    case FFTNorm::Backward:
      return 1;
    case FFTNorm::Ortho:
      return inverse ? std::sqrt(static_cast<double>(n)) : 1 / std::sqrt(static_cast<double>(n));
    default:
      return inverse ? static_cast<double>(n) : 1 / static_cast<double>(n);
  }
}

Array general(const Array& a, const Shape& n, const std::vector<int>& axes, bool inverse, bool real,
              FFTNorm norm, StreamOrDevice where) {
  const Stream s = to_stream(where);
  if (a.ndim() == 0) {
    refuse("fftn", "Requires array with at least one dimension.");
  }
  if (n.size() != axes.size()) {
    refuse("fftn", "Shape and axes have different sizes.");
  }
  std::vector<int> at;
  for (int axis : axes) {
    at.push_back(normalize_axes("fftn", {axis}, a.ndim())[0]);
    if (std::count(at.begin(), at.end(), at.back()) > 1) {
      refuse("fftn", "Duplicated axis received ({})", fmt::join(axes, ","));
    }
  }
  if (axes.empty()) return a;
  if (std::any_of(n.begin(), n.end(), [](int64_t size) { return size < 1; })) {
    refuse("fftn", "Invalid FFT output size requested {}", to_string(n));
  }
  Array x = astype(a, real && !inverse ? float32 : complex64, s);
  int64_t total = 1;
  for (size_t i = 0; i < n.size(); i++) {
    total *= n[i];
    const bool half = real && inverse && i + 1 == n.size();
    x = resized(x, at[i], half ? n[i] / 2 + 1 : n[i], s);
  }
  const bool odd = real && inverse && n.back() % 2 == 1;
  Array out = transformed(x, at, inverse, real, odd, s);
  const double scale = scale_of(norm, inverse, total);
  return scale == 1 ? out : multiply(out, Array(static_cast<float>(scale)), s);
}

Shape own_sizes(const Array& a, const std::vector<int>& axes, bool half) {
  Shape n;
  for (int axis : axes) {
    n.push_back(a.shape()[static_cast<size_t>(normalize_axes("fftn", {axis}, a.ndim())[0])]);
  }
  if (half && !n.empty()) n.back() = 2 * (n.back() - 1);
  return n;
}

Array shifted(const Array& a, const std::vector<int>& axes, bool back, const char* op,
              StreamOrDevice s) {
  Shape shifts;
  std::vector<int> at;
  for (int axis : axes) {
    at.push_back(normalize_axes(op, {axis}, a.ndim())[0]);
    const int64_t n = a.shape(at.back());
    // Both ways to count it; the negative one means the same position at this size only.
    const int64_t half = back ? n - n / 2 : n / 2;
    shifts.push_back(may_change_size(a) ? half - n : back ? -(n / 2) : n / 2);
  }
  return at.empty() ? a : roll(a, shifts, at, s);
}

void check_frequencies(const char* op, int n, double d) {
  if (n < 1) refuse(op, "`n` must be greater than 0.");
  if (d == 0) refuse(op, "`d` must be non-zero.");
}

}  // namespace

Array fftn(const Array& a, const Shape& n, const std::vector<int>& axes, FFTNorm norm,
           StreamOrDevice s) {
  return general(a, n, axes, false, false, norm, s);
}
Array ifftn(const Array& a, const Shape& n, const std::vector<int>& axes, FFTNorm norm,
            StreamOrDevice s) {
  return general(a, n, axes, true, false, norm, s);
}
Array rfftn(const Array& a, const Shape& n, const std::vector<int>& axes, FFTNorm norm,
            StreamOrDevice s) {
  return general(a, n, axes, false, true, norm, s);
}
Array irfftn(const Array& a, const Shape& n, const std::vector<int>& axes, FFTNorm norm,
             StreamOrDevice s) {
  return general(a, n, axes, true, true, norm, s);
}
Array fftn(const Array& a, const std::vector<int>& axes, FFTNorm norm, StreamOrDevice s) {
  return fftn(a, own_sizes(a, axes, false), axes, norm, s);
}
Array ifftn(const Array& a, const std::vector<int>& axes, FFTNorm norm, StreamOrDevice s) {
  return ifftn(a, own_sizes(a, axes, false), axes, norm, s);
}
Array rfftn(const Array& a, const std::vector<int>& axes, FFTNorm norm, StreamOrDevice s) {
  return rfftn(a, own_sizes(a, axes, false), axes, norm, s);
}
Array irfftn(const Array& a, const std::vector<int>& axes, FFTNorm norm, StreamOrDevice s) {
  return irfftn(a, own_sizes(a, axes, true), axes, norm, s);
}
Array fftn(const Array& a, FFTNorm norm, StreamOrDevice s) { return fftn(a, all_axes(a), norm, s); }
Array ifftn(const Array& a, FFTNorm norm, StreamOrDevice s) {
  return ifftn(a, all_axes(a), norm, s);
}
Array rfftn(const Array& a, FFTNorm norm, StreamOrDevice s) {
  return rfftn(a, all_axes(a), norm, s);
}
Array irfftn(const Array& a, FFTNorm norm, StreamOrDevice s) {
  return irfftn(a, all_axes(a), norm, s);
}

Array fftfreq(int n, double d, StreamOrDevice s) {
  check_frequencies("fftfreq", n, d);
  Array k = concatenate({arange(0, (n + 1) / 2, 1, s), arange(-(n / 2), 0, 1, s)}, 0, s);
  return multiply(astype(k, float32, s), Array(static_cast<float>(1 / (n * d))), s);
}
Array rfftfreq(int n, double d, StreamOrDevice s) {
  check_frequencies("rfftfreq", n, d);
  return multiply(arange(0.0, n / 2 + 1.0, 1.0, float32, s), Array(static_cast<float>(1 / (n * d))),
                  s);
}

Array fftshift(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  return shifted(a, axes, false, "fftshift", s);
}
Array ifftshift(const Array& a, const std::vector<int>& axes, StreamOrDevice s) {
  return shifted(a, axes, true, "ifftshift", s);
}
Array fftshift(const Array& a, StreamOrDevice s) { return fftshift(a, all_axes(a), s); }
Array ifftshift(const Array& a, StreamOrDevice s) { return ifftshift(a, all_axes(a), s); }

}  // namespace fft
}  // namespace heddle
