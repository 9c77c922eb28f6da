// Short-time Fourier transforms, composed of others.
#include <fmt/format.h>

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/fft.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle::fft {
namespace {

// The window, padded with zeros to n_fft.
Array padded_window(const char* op, int n_fft, const Frames& frames, const Stream& s) {
  if (frames.window && frames.window->ndim() != 1) {
    refuse(op, "window must be a one-dimensional array.");
  }
  const int given = frames.win_length == 0 ? n_fft : frames.win_length;
  Array window = frames.window ? *frames.window : ones({given}, float32, s);
  const int64_t length = window.size();
  if (length > n_fft) {
    refuse(op, "window length must not exceed n_fft.");
  }
  const int64_t left = (n_fft - length) / 2;
  return pad(window, {{left, n_fft - length - left}}, Array(0, window.dtype()), "constant", s);
}

int hop_of(const char* op, int n_fft, const Frames& frames) {
  const int hop = frames.hop_length == 0 ? n_fft / 4 : frames.hop_length;
  if (hop < 1) refuse(op, "hop_length must be positive.");
  return hop;
}

void check_size(const char* op, int n_fft) {
  if (n_fft < 1) refuse(op, "n_fft must be positive.");
}

// a[..., first : first + count]
Array along_last(const Array& a, int64_t first, int64_t count, const Stream& s) {
  const auto dims = static_cast<size_t>(a.ndim());
  Shape start(dims, slice_end), stop(dims, slice_end);
  start.back() = first;
  stop.back() = first + count;
  return slice(a, start, stop, s);
}

PadWidths last_axis_widths(const Array& a, int64_t before, int64_t after) {
  PadWidths widths(static_cast<size_t>(a.ndim()), {0, 0});
  widths.back() = {before, after};
  return widths;
}

// (..., windows, n) to (..., samples): window w is added at w * hop.
Array overlapped(const Array& windows, int hop, const Stream& s) {
  const int count = static_cast<int>(windows.shape(-2)), n = static_cast<int>(windows.shape(-1));
  Array place =
      add(expand_dims(multiply(arange(count, s), Array(hop), s), {1}, s), arange(n, s), s);
  Array flat = flatten(windows, -2, -1, s);
  Shape shape = flat.shape();
  shape.back() = static_cast<int64_t>(count - 1) * hop + n;
  Shape index(static_cast<size_t>(flat.ndim()), 1);
  index.back() = flat.shape(-1);
  Array places = broadcast_to(reshape(place, index, s), flat.shape(), s);
  return scatter_add_axis(zeros(shape, flat.dtype(), s), places, flat, -1, s);
}

}  // namespace

Array stft(const Array& x, int n_fft, const Frames& frames, const std::string& pad_mode,
           StreamOrDevice where) {
  const Stream s = to_stream(where);
  if (x.ndim() == 0) {
    refuse("stft", "Input must have at least one dimension.");
  }
  check_size("stft", n_fft);
  const int hop = hop_of("stft", n_fft, frames);
  Array window = padded_window("stft", n_fft, frames, s);
  Array signal = x;
  if (frames.center) {
    const int half = n_fft / 2;
    signal = pad(signal, last_axis_widths(signal, half, half), Array(0, x.dtype()), pad_mode, s);
  }
  const int64_t length = signal.shape(-1);
  if (length < n_fft) {
    refuse("stft", "Input is too short for the given n_fft.");
  }
  signal = contiguous(signal, false, s);
  Shape shape = signal.shape();
  shape.back() = 1 + (length - n_fft) / hop;
  shape.push_back(n_fft);
  Strides strides(shape.size(), 1);
  int64_t step = length;
  for (size_t i = shape.size() - 2; i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  strides[shape.size() - 2] = hop;
  Array windows = multiply(as_strided(signal, shape, strides, 0, s), window, s);
  const bool onesided = frames.onesided.value_or(!is_complex(x.dtype()));
  return swapaxes(onesided ? rfft(windows, -1, frames.norm, s) : fft(windows, -1, frames.norm, s),
                  -1, -2, s);
}

Array istft(const Array& spectra, std::optional<int> size, const Frames& frames,
            std::optional<int> length, StreamOrDevice where) {
  const Stream s = to_stream(where);
  if (spectra.ndim() < 2) {
    refuse("istft", "Input must have at least two dimensions (freq, frames).");
  }
  if (length && *length < 0) {
    refuse("istft", "length must not be negative, but it is {}.", *length);
  }
  const bool onesided = frames.onesided.value_or(true);
  const int frequencies = static_cast<int>(spectra.shape(-2));
  const int n_fft = size.value_or(onesided ? 2 * (frequencies - 1) : frequencies);
  check_size("istft", n_fft);
  const int hop = hop_of("istft", n_fft, frames);
  if (spectra.shape(-1) == 0) {
    refuse("istft", "At least one window is needed, the shape is {}.", to_string(spectra.shape()));
  }
  Array window = padded_window("istft", n_fft, frames, s);
  Array turned = swapaxes(spectra, -1, -2, s);
  Array windows = onesided ? irfft(turned, n_fft, -1, frames.norm, s)
                           : real(ifft(turned, n_fft, -1, frames.norm, s), s);
  Array sum = overlapped(multiply(windows, window, s), hop, s);
  Array squares = broadcast_to(square(window, s), {spectra.shape(-1), n_fft}, s);
  Array out = divide(sum, maximum(overlapped(squares, hop, s), Array(1e-8f), s), s);
  // A length given may reach into the padding after the signal.
  const int64_t before = frames.center ? n_fft / 2 : 0, rest = out.shape(-1) - before;
  const int64_t wanted = length ? *length : std::max<int64_t>(0, rest - before);
  out = along_last(out, before, std::min(wanted, rest), s);
  if (wanted <= rest) return out;
  return pad(out, last_axis_widths(out, 0, wanted - rest), Array(0, out.dtype()), "constant", s);
}

}  // namespace heddle::fft
