// How a discrete Fourier transform of one length is computed, and the tables it needs.
//
// Lengths whose prime factors are at most 13 go in passes of radix 2 to 13 (Stockham's form, which
// needs no reordering). Others are turned into a cyclic convolution of a smooth length (Bluestein).
// Real and imaginary parts lie in two arrays of `n * width` floats, element k of line l at
// k * width + l: `width` lines are transformed at a time, so that vectors go across lines and no
// element moves within one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace heddle::cpu {

// Lines that go together: the widest vector of floats.
inline constexpr int64_t fft_width = 16;

struct FftPass {
  int radix;
  int64_t before;   // product of the radices of the passes before
  int64_t inner;    // product of those after
  size_t twiddles;  // where this pass's begin: radix - 1 (cosine, sine) pairs for each inner index
};

struct FftPlan {
  int64_t n = 1;
  std::vector<FftPass> passes;
  std::vector<float> twiddles;

  // Two factors of n near its root, if both are at least fft_width; then one long line is
  // transformed as a matrix of rows x columns, of which fft_width columns or rows go together.
  int64_t rows = 0, columns = 0;
  std::shared_ptr<const FftPlan> row_plan, column_plan;  // of length columns, rows
  std::vector<float> coarse, fine;  // e^(-2 pi i k / n) for k = j * fine_count and k < fine_count
  int64_t fine_count = 0;
  std::vector<float> lanes;  // e^(-2 pi i k l / n) for k < rows, l < fft_width; cosines, then sines

  // Bluestein: the length of the convolution, its plan, e^(-pi i k^2 / n), and the transform of the
  // conjugate of that, divided by the length. Cosines, then sines.
  std::shared_ptr<const FftPlan> convolution;
  std::vector<float> chirp, filter;
};

// The plan for n >= 1; kept for the next call.
std::shared_ptr<const FftPlan> fft_plan(int64_t n);

// Transforms `width` lines in place, e^(-2 pi i j k / n) without a factor. `width` is fft_width, or
// 1 where the plan (or its convolution's) has rows. For the inverse exchange re and im.
void fft_lines(const FftPlan& plan, float* re, float* im, int64_t width);

// Whether `width` may be 1.
bool takes_one_line(const FftPlan& plan);

}  // namespace heddle::cpu
