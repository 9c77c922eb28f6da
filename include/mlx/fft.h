// Fourier transforms in MLX's forms.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heddle/ops/fft.h"
#include "mlx/utils.h"

namespace mlx::core::fft {

using heddle::fft::FFTNorm;

inline array fftn(const array& a, const Shape& n, const std::vector<int>& axes,
                  FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::fftn(a, detail::in(n), axes, norm, detail::in(s));
}
inline array fftn(const array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return heddle::fft::fftn(a, axes, norm, detail::in(s));
}
inline array fftn(const array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::fftn(a, norm, detail::in(s));
}
inline array ifftn(const array& a, const Shape& n, const std::vector<int>& axes,
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::ifftn(a, detail::in(n), axes, norm, detail::in(s));
}
inline array ifftn(const array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return heddle::fft::ifftn(a, axes, norm, detail::in(s));
}
inline array ifftn(const array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::ifftn(a, norm, detail::in(s));
}
inline array fft(const array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                 StreamOrDevice s = {}) {
  return heddle::fft::fft(a, n, axis, norm, detail::in(s));
}
inline array fft(const array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                 StreamOrDevice s = {}) {
  return heddle::fft::fft(a, axis, norm, detail::in(s));
}
inline array ifft(const array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return heddle::fft::ifft(a, n, axis, norm, detail::in(s));
}
inline array ifft(const array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return heddle::fft::ifft(a, axis, norm, detail::in(s));
}
inline array fft2(const array& a, const Shape& n, const std::vector<int>& axes,
                  FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return fftn(a, n, axes, norm, s);
}
inline array fft2(const array& a, const std::vector<int>& axes = {-2, -1},
                  FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return fftn(a, axes, norm, s);
}
inline array ifft2(const array& a, const Shape& n, const std::vector<int>& axes,
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return ifftn(a, n, axes, norm, s);
}
inline array ifft2(const array& a, const std::vector<int>& axes = {-2, -1},
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return ifftn(a, axes, norm, s);
}
inline array rfftn(const array& a, const Shape& n, const std::vector<int>& axes,
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::rfftn(a, detail::in(n), axes, norm, detail::in(s));
}
inline array rfftn(const array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return heddle::fft::rfftn(a, axes, norm, detail::in(s));
}
inline array rfftn(const array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::rfftn(a, norm, detail::in(s));
}
inline array irfftn(const array& a, const Shape& n, const std::vector<int>& axes,
                    FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::irfftn(a, detail::in(n), axes, norm, detail::in(s));
}
inline array irfftn(const array& a, const std::vector<int>& axes, FFTNorm norm = FFTNorm::Backward,
                    StreamOrDevice s = {}) {
  return heddle::fft::irfftn(a, axes, norm, detail::in(s));
}
inline array irfftn(const array& a, FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return heddle::fft::irfftn(a, norm, detail::in(s));
}
inline array rfft(const array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return heddle::fft::rfft(a, n, axis, norm, detail::in(s));
}
inline array rfft(const array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                  StreamOrDevice s = {}) {
  return heddle::fft::rfft(a, axis, norm, detail::in(s));
}
inline array irfft(const array& a, int n, int axis, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return heddle::fft::irfft(a, n, axis, norm, detail::in(s));
}
inline array irfft(const array& a, int axis = -1, FFTNorm norm = FFTNorm::Backward,
                   StreamOrDevice s = {}) {
  return heddle::fft::irfft(a, axis, norm, detail::in(s));
}
inline array rfft2(const array& a, const Shape& n, const std::vector<int>& axes,
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return rfftn(a, n, axes, norm, s);
}
inline array rfft2(const array& a, const std::vector<int>& axes = {-2, -1},
                   FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return rfftn(a, axes, norm, s);
}
inline array irfft2(const array& a, const Shape& n, const std::vector<int>& axes,
                    FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return irfftn(a, n, axes, norm, s);
}
inline array irfft2(const array& a, const std::vector<int>& axes = {-2, -1},
                    FFTNorm norm = FFTNorm::Backward, StreamOrDevice s = {}) {
  return irfftn(a, axes, norm, s);
}
inline array fftfreq(int n, double d = 1.0, StreamOrDevice s = {}) {
  return heddle::fft::fftfreq(n, d, detail::in(s));
}
inline array rfftfreq(int n, double d = 1.0, StreamOrDevice s = {}) {
  return heddle::fft::rfftfreq(n, d, detail::in(s));
}
inline array fftshift(const array& a, StreamOrDevice s = {}) {
  return heddle::fft::fftshift(a, detail::in(s));
}
inline array fftshift(const array& a, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return heddle::fft::fftshift(a, axes, detail::in(s));
}
inline array ifftshift(const array& a, StreamOrDevice s = {}) {
  return heddle::fft::ifftshift(a, detail::in(s));
}
inline array ifftshift(const array& a, const std::vector<int>& axes, StreamOrDevice s = {}) {
  return heddle::fft::ifftshift(a, axes, detail::in(s));
}
inline array stft(const array& x, int n_fft = 2048, const std::optional<int>& hop_length = {},
                  const std::optional<int>& win_length = {},
                  const std::optional<array>& window = {}, bool center = true,
                  const std::string& pad_mode = "reflect", FFTNorm norm = FFTNorm::Backward,
                  const std::optional<bool>& onesided = {}, StreamOrDevice s = {}) {
  heddle::fft::Frames frames{
      hop_length.value_or(0), win_length.value_or(0), detail::in(window), center, norm, onesided};
  return heddle::fft::stft(x, n_fft, frames, pad_mode, detail::in(s));
}
inline array istft(const array& stft_matrix, const std::optional<int>& n_fft = {},
                   const std::optional<int>& hop_length = {},
                   const std::optional<int>& win_length = {},
                   const std::optional<array>& window = {}, bool center = true,
                   FFTNorm norm = FFTNorm::Backward, const std::optional<bool>& onesided = {},
                   const std::optional<int>& length = {}, StreamOrDevice s = {}) {
  heddle::fft::Frames frames{
      hop_length.value_or(0), win_length.value_or(0), detail::in(window), center, norm, onesided};
  return heddle::fft::istft(stft_matrix, n_fft, frames, length, detail::in(s));
}

}  // namespace mlx::core::fft
