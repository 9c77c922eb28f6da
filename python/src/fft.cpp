// The submodule fft.
#include "heddle/ops/fft.h"

#include <fmt/format.h>

#include "heddle/ops/creation.h"
#include "signature.h"

namespace heddle::python {
namespace {

using fft::FFTNorm;
using OptionalAxes = std::optional<std::vector<int>>;
using Transform = Array (*)(const Array&, const Shape&, const std::vector<int>&, FFTNorm,
                            StreamOrDevice);
using OwnSize = Array (*)(const Array&, const std::vector<int>&, FFTNorm, StreamOrDevice);
using EveryAxis = Array (*)(const Array&, FFTNorm, StreamOrDevice);

FFTNorm to_norm(const char* op, const std::string& norm) {
  if (norm == "backward") return FFTNorm::Backward;
  if (norm == "ortho") return FFTNorm::Ortho;
  if (norm == "forward") return FFTNorm::Forward;
  throw std::invalid_argument(
      fmt::format("[{}] Invalid norm. Expected one of {{'backward', 'ortho', 'forward'}}.", op));
}

// The four functions of one dimension, of two and of n, of one kind of transform.
struct Kind {
  const char* one;
  const char* two;
  const char* many;
  const char* what;
  Transform sized;
  OwnSize plain;
  EveryAxis whole;
};

constexpr const char* sizes_note = R"(

Args:
  a: any dtype; complex input of a real transform loses its imaginary part.
  {}: sizes of the transformed axes, to which the input is cut or padded with zeros.
  {}
  norm: what is divided by the number of elements: "backward" the inverse, "forward" the forward
    transform, "ortho" both by its root.

Returns:
  complex64, or float32 from the inverse of a real transform.

Raises:
  ValueError: a size below one, an axis given twice, an unknown norm.
  AxisError: an axis that the array does not have.)";

void bind_kind(nb::module_& m, const Kind& kind) {
  m.def(
      kind.one,
      [kind](const Array& a, std::optional<int> n, int axis, const std::string& norm,
             const StreamOrDevice& s) {
        const FFTNorm how = to_norm(kind.one, norm);
        return n ? kind.sized(a, Shape{*n}, {axis}, how, s) : kind.plain(a, {axis}, how, s);
      },
      "a"_a, "n"_a = nb::none(), "axis"_a = -1, "norm"_a = "backward", "stream"_a = nb::none(),
      signature(kind.one, "a: array, n: int | None = None, axis: int = -1, norm: str = 'backward'",
                "array", StreamArg::positional),
      keep(fmt::format("\n{} along one axis.", kind.what) +
           fmt::format(fmt::runtime(sizes_note), "n", "axis: the axis.")));
  auto over = [kind](const char* name, const Array& a, const OptionalAxes& n,
                     const OptionalAxes& axes, const std::string& norm, const StreamOrDevice& s) {
    const FFTNorm how = to_norm(name, norm);
    if (n && !axes) {
      throw std::invalid_argument(
          fmt::format("[{}] `axes` should not be `None` if `s` is not `None`.", name));
    }
    if (n) return kind.sized(a, Shape(n->begin(), n->end()), *axes, how, s);
    return axes ? kind.plain(a, *axes, how, s) : kind.whole(a, how, s);
  };
  auto bind = [&](const char* name, const char* default_text, nb::object default_axes,
                  const char* which) {
    m.def(
        name,
        [over, name](const Array& a, const OptionalAxes& n, const OptionalAxes& axes,
                     const std::string& norm,
                     const StreamOrDevice& s) { return over(name, a, n, axes, norm, s); },
        "a"_a, "s"_a = nb::none(), "axes"_a.none() = default_axes, "norm"_a = "backward",
        "stream"_a = nb::none(),
        signature(name,
                  fmt::format("a: array, s: tuple[int, ...] | None = None, axes: "
                              "collections.abc.Sequence[int] | None = {}, norm: str = 'backward'",
                              default_text),
                  "array", StreamArg::positional),
        keep(fmt::format("\n{} along {}.", kind.what, which) +
             fmt::format(fmt::runtime(sizes_note), "s",
                         "axes: the axes; all if None, then without `s`.")));
  };
  nb::list last_two;
  last_two.append(-2);
  last_two.append(-1);
  bind(kind.two, "[-2, -1]", last_two, "two axes");
  bind(kind.many, "None", nb::none(), "several axes");
}

void bind_shift(nb::module_& m, const char* name,
                Array (*op)(const Array&, const std::vector<int>&, StreamOrDevice),
                const char* doc) {
  m.def(
      name,
      [op](const Array& a, const AxisArg& axes, const StreamOrDevice& s) {
        return op(a, to_axes(axes, a.ndim()), s);
      },
      "a"_a, "axes"_a = nb::none(), "stream"_a = nb::none(),
      signature(name, "a: array, axes: int | collections.abc.Sequence[int] | None = None", "array",
                StreamArg::positional),
      doc);
}

void bind_frequencies(nb::module_& m, const char* name, Array (*op)(int, double, StreamOrDevice),
                      const char* doc) {
  m.def(
      name, [op](int n, double d, const StreamOrDevice& s) { return op(n, d, s); }, "n"_a,
      "d"_a = 1.0, "stream"_a = nb::none(),
      signature(name, "n: int, d: float = 1.0", "array", StreamArg::positional), doc);
}

fft::Frames to_frames(const char* op, std::optional<int> hop_length, std::optional<int> win_length,
                      std::optional<Array> window, bool center, const std::string& norm,
                      std::optional<bool> onesided) {
  // Zero stands for the default in C++, where MLX refuses a hop of zero.
  if (hop_length && *hop_length < 1) {
    throw std::invalid_argument(fmt::format("[{}] hop_length must be positive.", op));
  }
  if (win_length == 0 && !window) window = zeros({0});
  return {hop_length.value_or(0), win_length.value_or(0),
          std::move(window),      center,
          to_norm(op, norm),      onesided};
}

}  // namespace

void bind_fft(nb::module_& parent) {
  nb::module_ m = add_submodule(parent, "fft", "heddle.core.fft: discrete Fourier transforms.");
  bind_kind(m, {"fft", "fft2", "fftn", "The discrete Fourier transform", fft::fftn, fft::fftn,
                fft::fftn});
  bind_kind(m, {"ifft", "ifft2", "ifftn", "The inverse discrete Fourier transform", fft::ifftn,
                fft::ifftn, fft::ifftn});
  bind_kind(m,
            {"rfft", "rfft2", "rfftn",
             "The discrete Fourier transform of real numbers, whose last axis keeps the n // 2 + 1 "
             "frequencies that are not negative,",
             fft::rfftn, fft::rfftn, fft::rfftn});
  bind_kind(m,
            {"irfft", "irfft2", "irfftn",
             "The inverse of the transform of real numbers, whose last axis has by default an even "
             "size,",
             fft::irfftn, fft::irfftn, fft::irfftn});
  bind_frequencies(m, "fftfreq", fft::fftfreq, R"(
The frequencies of the elements of a spectrum of `n` samples at a distance of `d`: float32 (n).

Raises:
  ValueError: n below one, or d zero.)");
  bind_frequencies(m, "rfftfreq", fft::rfftfreq, R"(
The frequencies of the elements of a real signal's spectrum: float32 (n // 2 + 1).

Raises:
  ValueError: n below one, or d zero.)");
  bind_shift(m, "fftshift", fft::fftshift, R"(
Frequency zero moved to the middle of the axes (all if None).

Raises:
  AxisError: an axis that the array does not have.)");
  bind_shift(m, "ifftshift", fft::ifftshift, R"(
The inverse of :func:`fftshift`.

Raises:
  AxisError: an axis that the array does not have.)");
  m.def(
      "stft",
      [](const Array& x, int n_fft, std::optional<int> hop_length, std::optional<int> win_length,
         std::optional<Array> window, bool center, const std::string& pad_mode,
         const std::string& norm, std::optional<bool> onesided, const StreamOrDevice& s) {
        return fft::stft(
            x, n_fft,
            to_frames("stft", hop_length, win_length, std::move(window), center, norm, onesided),
            pad_mode, s);
      },
      "x"_a, "n_fft"_a = 2048, "hop_length"_a = nb::none(), "win_length"_a = nb::none(),
      "window"_a = nb::none(), "center"_a = true, "pad_mode"_a = "reflect", "norm"_a = "backward",
      "onesided"_a = nb::none(), "stream"_a = nb::none(), R"(
The spectra of overlapping windows of the last axis: complex64 (..., frequencies, windows).

Args:
  x: the signals, (..., samples).
  n_fft: samples of a window.
  hop_length: samples from one window to the next; n_fft // 4 by default.
  win_length: length of the rectangular window, n_fft by default.
  window: (at most n_fft), padded with zeros on both sides; instead of the rectangular one.
  center: pad the signal by n_fft // 2 on both sides, so that windows stand centred.
  pad_mode: "reflect", "constant" or "edge".
  norm: as of :func:`fft`.
  onesided: no negative frequencies; by default for real signals.

Raises:
  ValueError: a window longer than n_fft, a hop below one, a signal shorter than a window.)");
  m.def(
      "istft",
      [](const Array& stft_matrix, std::optional<int> n_fft, std::optional<int> hop_length,
         std::optional<int> win_length, std::optional<Array> window, bool center,
         const std::string& norm, std::optional<bool> onesided, std::optional<int> length,
         const StreamOrDevice& s) {
        return fft::istft(
            stft_matrix, n_fft,
            to_frames("istft", hop_length, win_length, std::move(window), center, norm, onesided),
            length, s);
      },
      "stft_matrix"_a, "n_fft"_a = nb::none(), "hop_length"_a = nb::none(),
      "win_length"_a = nb::none(), "window"_a = nb::none(), "center"_a = true,
      "norm"_a = "backward", "onesided"_a = nb::none(), "length"_a = nb::none(),
      "stream"_a = nb::none(), R"(
The signal of which :func:`stft` gave these spectra: windows are added up and divided by the sum of the
squared windows, or 1e-8 where that is less. float32 (..., samples).

Args:
  stft_matrix: (..., frequencies, windows).
  n_fft: samples of a window; by default 2 * (frequencies - 1), or the frequencies if not onesided.
  length: the signal is cut or padded with zeros to it.
  hop_length, win_length, window, center, norm, onesided: as given to :func:`stft`.

Raises:
  ValueError: a window longer than n_fft, a hop below one, no windows, a negative length.)");
}

}  // namespace heddle::python
