#include "cpu/fft.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include "core/buffer.h"
#include "core/threads.h"
#include "cpu/fft_plan.h"

namespace heddle::cpu {
namespace {

// Where the lines of a view along an axis begin.
class Lines {
 public:
  Lines(const View& view, int axis) : step_(view.strides[static_cast<size_t>(axis)]) {
    for (int i = view.ndim(); i-- > 0;) {
      if (i == axis) continue;
      sizes_.push_back(view.shape[static_cast<size_t>(i)]);
      strides_.push_back(view.strides[static_cast<size_t>(i)]);
      count_ *= sizes_.back();
    }
  }
  int64_t count() const { return count_; }
  int64_t step() const { return step_; }
  int64_t start(int64_t line) const {
    int64_t offset = 0;
    for (size_t i = 0; i < sizes_.size(); i++) {
      offset += line % sizes_[i] * strides_[i];
      line /= sizes_[i];
    }
    return offset;
  }

 private:
  int64_t step_, count_ = 1;
  std::vector<int64_t> sizes_, strides_;  // the last axis first
};

// Up to fft_width lines of one array, and their elements.
template <class T>
class Block {
 public:
  Block(const View& view, const Lines& lines, int64_t first, int64_t count)
      : data_(view.as<T>()), step_(lines.step()) {
    for (int64_t l = 0; l < count; l++) starts_[l] = lines.start(first + l);
  }
  T& at(int64_t line, int64_t k) const { return data_[starts_[line] + k * step_]; }

 private:
  T* data_;
  int64_t step_;
  int64_t starts_[fft_width];
};

float real_part(float x) { return x; }
float real_part(complex64_t x) { return x.real(); }
float imaginary_part(float) { return 0; }
float imaginary_part(complex64_t x) { return x.imag(); }

// Elements of the lines before and after the transform of length plan.n, as fft_lines wants them.
struct Planes {
  float *re, *im;
  int64_t width;
};

constexpr int64_t long_line = 32768;  // elements from which one line alone fills the caches

// Runs `load(planes, in, lines)`, the transform and `store(planes, out, lines)` on all lines,
// fft_width or one at a time.
template <class In, class Out, class Load, class Store>
void transform(int64_t n, bool inverse, const View& in, const View& out, int axis, Load load,
               Store store) {
  const std::shared_ptr<const FftPlan> plan = fft_plan(n);
  const Lines from(in, axis), to(out, axis);
  const int64_t count = from.count();
  const bool one = takes_one_line(*plan) && (n >= long_line || (n >= long_line / 8 && count < 4));
  const int64_t width = one ? 1 : fft_width;
  const int64_t blocks = (count + width - 1) / width;
  parallel_for(
      blocks, std::max<int64_t>(1, parallel_grain / (n * width)), [&](int64_t begin, int64_t end) {
        const BufferRef memory = allocate(static_cast<size_t>(2 * n * width) * sizeof(float));
        float* re = static_cast<float*>(memory->data);
        float* im = re + n * width;
        for (int64_t block = begin; block < end; block++) {
          const int64_t first = block * width, lines = std::min(width, count - first);
          if (lines < width) std::fill(re, re + 2 * n * width, 0.0f);
          const Planes planes{re, im, width};
          load(planes, Block<const In>(in, from, first, lines), lines);
          fft_lines(*plan, inverse ? im : re, inverse ? re : im, width);
          store(planes, Block<Out>(out, to, first, lines), lines);
        }
      });
}

template <class In>
void complex_transform(const View& in, const View& out, int axis, bool inverse) {
  const int64_t n = in.shape[static_cast<size_t>(axis)];
  const float factor = inverse ? 1 / static_cast<float>(n) : 1;
  transform<In, complex64_t>(
      n, inverse, in, out, axis,
      [n](const Planes& p, const Block<const In>& x, int64_t lines) {
        for (int64_t k = 0; k < n; k++) {
          for (int64_t l = 0; l < lines; l++) {
            p.re[k * p.width + l] = real_part(x.at(l, k));
            p.im[k * p.width + l] = imaginary_part(x.at(l, k));
          }
        }
      },
      [n, factor](const Planes& p, const Block<complex64_t>& y, int64_t lines) {
        for (int64_t k = 0; k < n; k++) {
          for (int64_t l = 0; l < lines; l++) {
            const int64_t at = k * p.width + l;
            y.at(l, k) = {p.re[at] * factor, p.im[at] * factor};
          }
        }
      });
}

// e^(-2 pi i k / n) for k <= n / 2, of an even n; the last is -1 exactly, as a real line's
// alternating sum is real exactly (its phase would be pi or -pi by chance).
std::vector<complex64_t> half_turn(int64_t n) {
  std::vector<complex64_t> out;
  for (int64_t k = 0; k < n / 2; k++) {
    out.emplace_back(std::polar(1.0, -2 * M_PI * static_cast<double>(k) / static_cast<double>(n)));
  }
  out.emplace_back(-1.0f, 0.0f);
  return out;
}

// Of an even n: z_j = x_2j + i x_(2j+1) has half the length; with Z its transform (Z_h = Z_0), the
// spectra of the even and the odd elements are E_k = (Z_k + conj Z_(h-k)) / 2 and
// O_k = (Z_k - conj Z_(h-k)) / 2i, and X_k = E_k + e^(-2 pi i k / n) O_k.
void even_real(const View& in, const View& out, int axis, int64_t n) {
  const int64_t h = n / 2;
  const std::vector<complex64_t> turn = half_turn(n);
  transform<float, complex64_t>(
      h, false, in, out, axis,
      [h](const Planes& p, const Block<const float>& x, int64_t lines) {
        for (int64_t k = 0; k < h; k++) {
          for (int64_t l = 0; l < lines; l++) {
            p.re[k * p.width + l] = x.at(l, 2 * k);
            p.im[k * p.width + l] = x.at(l, 2 * k + 1);
          }
        }
      },
      [&turn, h](const Planes& p, const Block<complex64_t>& y, int64_t lines) {
        for (int64_t k = 0; k <= h; k++) {
          const int64_t at = k % h * p.width, mirror = (h - k) % h * p.width;
          const float wr = turn[static_cast<size_t>(k)].real();
          const float wi = turn[static_cast<size_t>(k)].imag();
          for (int64_t l = 0; l < lines; l++) {
            const float even_re = 0.5f * (p.re[at + l] + p.re[mirror + l]);
            const float even_im = 0.5f * (p.im[at + l] - p.im[mirror + l]);
            const float odd_re = 0.5f * (p.im[at + l] + p.im[mirror + l]);
            const float odd_im = 0.5f * (p.re[mirror + l] - p.re[at + l]);
            y.at(l, k) = {even_re + wr * odd_re - wi * odd_im, even_im + wr * odd_im + wi * odd_re};
          }
        }
      });
}

void odd_real(const View& in, const View& out, int axis, int64_t n) {
  transform<float, complex64_t>(
      n, false, in, out, axis,
      [n](const Planes& p, const Block<const float>& x, int64_t lines) {
        for (int64_t k = 0; k < n; k++) {
          for (int64_t l = 0; l < lines; l++) {
            p.re[k * p.width + l] = x.at(l, k);
            p.im[k * p.width + l] = 0;
          }
        }
      },
      [n](const Planes& p, const Block<complex64_t>& y, int64_t lines) {
        for (int64_t k = 0; k <= n / 2; k++) {
          for (int64_t l = 0; l < lines; l++) {
            // The sum of a real line is real exactly.
            y.at(l, k) = {p.re[k * p.width + l], k == 0 ? 0.0f : p.im[k * p.width + l]};
          }
        }
      });
}

// The way of even_real back: Z_k = E_k + i O_k with E_k = (X_k + conj X_(h-k)) / 2 and
// O_k = e^(2 pi i k / n) (X_k - conj X_(h-k)) / 2.
void to_even_real(const View& in, const View& out, int axis, int64_t n) {
  const int64_t h = n / 2;
  const std::vector<complex64_t> turn = half_turn(n);
  const float factor = 1 / static_cast<float>(n);
  transform<complex64_t, float>(
      h, true, in, out, axis,
      [&turn, h](const Planes& p, const Block<const complex64_t>& x, int64_t lines) {
        for (int64_t k = 0; k < h; k++) {
          const float wr = turn[static_cast<size_t>(k)].real();
          const float wi = turn[static_cast<size_t>(k)].imag();
          for (int64_t l = 0; l < lines; l++) {
            const complex64_t a = x.at(l, k), b = x.at(l, h - k);
            const float a_im = k == 0 ? 0 : a.imag(), b_im = k == 0 ? 0 : b.imag();
            const float even_re = a.real() + b.real(), even_im = a_im - b_im;
            const float part_re = a.real() - b.real(), part_im = a_im + b_im;
            const float odd_re = wr * part_re + wi * part_im;
            const float odd_im = wr * part_im - wi * part_re;
            p.re[k * p.width + l] = even_re - odd_im;
            p.im[k * p.width + l] = even_im + odd_re;
          }
        }
      },
      [h, factor](const Planes& p, const Block<float>& y, int64_t lines) {
        for (int64_t k = 0; k < h; k++) {
          for (int64_t l = 0; l < lines; l++) {
            y.at(l, 2 * k) = p.re[k * p.width + l] * factor;
            y.at(l, 2 * k + 1) = p.im[k * p.width + l] * factor;
          }
        }
      });
}

void to_odd_real(const View& in, const View& out, int axis, int64_t n) {
  const float factor = 1 / static_cast<float>(n);
  transform<complex64_t, float>(
      n, true, in, out, axis,
      [n](const Planes& p, const Block<const complex64_t>& x, int64_t lines) {
        for (int64_t k = 0; k <= n / 2; k++) {
          const int64_t at = k * p.width, mirror = (n - k) % n * p.width;
          for (int64_t l = 0; l < lines; l++) {
            const float im = k == 0 ? 0 : x.at(l, k).imag();
            p.re[at + l] = p.re[mirror + l] = x.at(l, k).real();
            p.im[mirror + l] = -im;
            p.im[at + l] = im;
          }
        }
      },
      [n, factor](const Planes& p, const Block<float>& y, int64_t lines) {
        for (int64_t k = 0; k < n; k++) {
          for (int64_t l = 0; l < lines; l++) y.at(l, k) = p.re[k * p.width + l] * factor;
        }
      });
}

}  // namespace

void fft_complex(const View& in, const View& out, int axis, bool inverse) {
  if (in.dtype == Dtype::complex64) {
    complex_transform<complex64_t>(in, out, axis, inverse);
  } else {
    complex_transform<float>(in, out, axis, inverse);
  }
}

void fft_real(const View& in, const View& out, int axis) {
  const int64_t n = in.shape[static_cast<size_t>(axis)];
  (n % 2 == 0 ? even_real : odd_real)(in, out, axis, n);
}

void fft_to_real(const View& in, const View& out, int axis) {
  const int64_t n = out.shape[static_cast<size_t>(axis)];
  (n % 2 == 0 ? to_even_real : to_odd_real)(in, out, axis, n);
}

}  // namespace heddle::cpu
