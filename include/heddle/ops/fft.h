// Discrete Fourier transforms: X_k = sum over j of x_j e^(-2 pi i j k / n), along any axes. Results
// are complex64 (or float32 from the inverse of a real transform), whatever the dtype given.
//
// `n` gives the sizes of the transformed axes, to which the input is cut or padded with zeros;
// without it they are the input's, and the last one of irfft is 2 (size - 1). Throws AxisError for
// an axis that the array does not have, std::invalid_argument for sizes below one and repeated
// axes.
#pragma once

#include <optional>
#include <vector>

#include "heddle/array.h"

namespace heddle::fft {

// Which direction is divided by the number of elements: the inverse, both by its root, the forward.
enum class FFTNorm : uint8_t { Backward, Ortho, Forward };

// Over the axes of `axes` in order; the real transforms take the last one of them as the real one,
// whose spectrum has n / 2 + 1 elements.
Array fftn(const Array& a, const Shape& n, const std::vector<int>& axes,
           FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});
Array ifftn(const Array& a, const Shape& n, const std::vector<int>& axes,
            FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});
Array rfftn(const Array& a, const Shape& n, const std::vector<int>& axes,
            FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});
Array irfftn(const Array& a, const Shape& n, const std::vector<int>& axes,
             FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});

// With the array's own sizes.
Array fftn(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
           StreamOrDevice s = {});
Array ifftn(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
            StreamOrDevice s = {});
Array rfftn(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
            StreamOrDevice s = {});
Array irfftn(const Array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
             StreamOrDevice s = {});

// Over all axes.
Array fftn(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});
Array ifftn(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});
Array rfftn(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});
Array irfftn(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {});

// Over the last two.
inline Array fft2(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return fftn(a, {-2, -1}, norm, s);
}
inline Array ifft2(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return ifftn(a, {-2, -1}, norm, s);
}
inline Array rfft2(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return rfftn(a, {-2, -1}, norm, s);
}
inline Array irfft2(const Array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return irfftn(a, {-2, -1}, norm, s);
}

// Over one axis.
inline Array fft(const Array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                 StreamOrDevice s = {}) {
  return fftn(a, Shape{n}, {axis}, norm, s);
}
inline Array ifft(const Array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return ifftn(a, Shape{n}, {axis}, norm, s);
}
inline Array rfft(const Array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return rfftn(a, Shape{n}, {axis}, norm, s);
}
inline Array irfft(const Array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return irfftn(a, Shape{n}, {axis}, norm, s);
}
inline Array fft(const Array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                 StreamOrDevice s = {}) {
  return fftn(a, std::vector<int>{axis}, norm, s);
}
inline Array ifft(const Array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return ifftn(a, std::vector<int>{axis}, norm, s);
}
inline Array rfft(const Array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return rfftn(a, std::vector<int>{axis}, norm, s);
}
inline Array irfft(const Array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return irfftn(a, std::vector<int>{axis}, norm, s);
}

// The frequencies of the elements of a spectrum, in cycles per unit of the sample spacing d:
// float32.
Array fftfreq(int n, double d = 1, StreamOrDevice s = {});
Array rfftfreq(int n, double d = 1, StreamOrDevice s = {});

// Frequency zero to the middle of the axes, and back.
Array fftshift(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array ifftshift(const Array& a, const std::vector<int>& axes, StreamOrDevice s = {});
Array fftshift(const Array& a, StreamOrDevice s = {});
Array ifftshift(const Array& a, StreamOrDevice s = {});

// Spectra of overlapping windows of a signal.
struct Frames {
  int hop_length = 0;           // samples between windows; 0: n_fft / 4
  int win_length = 0;           // of the rectangular window where none is given; 0: n_fft
  std::optional<Array> window;  // padded with zeros on both sides to n_fft
  bool center = true;           // windows stand centred at multiples of the hop
  FFTNorm norm = FFTNorm::Backward;
  std::optional<bool> onesided;  // without negative frequencies; by default for real signals
};
// (..., samples) to (..., frequencies, windows).
Array stft(const Array& x, int n_fft = 2048, const Frames& frames = {},
           const std::string& pad_mode = "reflect", StreamOrDevice s = {});
// Windows added up and divided by the sum of the squared windows (at least 1e-8). `length` cuts the
// signal or pads it with zeros; `n_fft` is by default that of an even transform.
Array istft(const Array& spectra, std::optional<int> n_fft = {}, const Frames& frames = {},
            std::optional<int> length = {}, StreamOrDevice s = {});

}  // namespace heddle::fft
