#include "cpu/fft_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <mutex>

#include "core/buffer.h"
#include "core/threads.h"
#include "cpu/fft_passes.h"

namespace heddle::cpu {
namespace {

constexpr int radices[] = {8, 4, 2, 3, 5, 7, 11, 13};

// e^(-2 pi i k / n), exact to a float's rounding for any n
void root_of_unity(int64_t k, int64_t n, float* cosine, float* sine) {
  const double angle = -2 * M_PI * static_cast<double>(k % n) / static_cast<double>(n);
  *cosine = static_cast<float>(std::cos(angle));
  *sine = static_cast<float>(std::sin(angle));
}

std::vector<int> factors(int64_t n) {
  std::vector<int> out;
  for (int radix : radices) {
    for (; n % radix == 0; n /= radix) out.push_back(radix);
  }
  if (n > 1) out.clear();  // has a larger prime
  return out;
}

void plan_passes(FftPlan& plan, const std::vector<int>& factors) {
  int64_t before = 1;
  for (int radix : factors) {
    const int64_t inner = plan.n / (before * radix);
    plan.passes.push_back({radix, before, inner, plan.twiddles.size()});
    for (int64_t a = 0; a < inner; a++) {
      for (int b = 1; b < radix; b++) {
        plan.twiddles.resize(plan.twiddles.size() + 2);
        root_of_unity(a * b, inner * radix, &plan.twiddles.end()[-2], &plan.twiddles.end()[-1]);
      }
    }
    before *= radix;
  }
}

void plan_matrix(FftPlan& plan, const std::vector<int>& factors) {
  const auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(plan.n)));
  int64_t rows = 1;
  for (int f : factors) {
    if (rows * f <= root) rows *= f;
  }
  if (rows < fft_width || plan.n / rows < fft_width) return;
  plan.rows = rows;
  plan.columns = plan.n / rows;
  plan.column_plan = fft_plan(plan.rows);
  plan.row_plan = fft_plan(plan.columns);
  plan.fine_count = root;
  const int64_t coarse_count = plan.n / root + 1;
  plan.fine.resize(static_cast<size_t>(2 * root));
  plan.coarse.resize(static_cast<size_t>(2 * coarse_count));
  for (int64_t k = 0; k < root; k++) {
    root_of_unity(k, plan.n, &plan.fine[static_cast<size_t>(2 * k)],
                  &plan.fine[static_cast<size_t>(2 * k + 1)]);
  }
  for (int64_t k = 0; k < coarse_count; k++) {
    root_of_unity(k * root, plan.n, &plan.coarse[static_cast<size_t>(2 * k)],
                  &plan.coarse[static_cast<size_t>(2 * k + 1)]);
  }
  const auto half = static_cast<size_t>(rows * fft_width);
  plan.lanes.resize(2 * half);
  for (int64_t k = 0; k < rows; k++) {
    for (int64_t l = 0; l < fft_width; l++) {
      const auto at = static_cast<size_t>(k * fft_width + l);
      root_of_unity(k * l, plan.n, &plan.lanes[at], &plan.lanes[half + at]);
    }
  }
}

// X_k = c_k sum over j of (x_j c_j) conj(c_(k - j)) with c_k = e^(-pi i k^2 / n), because
// 2 j k = j^2 + k^2 - (k - j)^2: a convolution (L. I. Bluestein, 1970).
void plan_convolution(FftPlan& plan) {
  const int64_t n = plan.n;
  int64_t m = 1;
  while (m < 2 * n - 1) m *= 2;
  plan.convolution = fft_plan(m);
  const auto size = static_cast<size_t>(n), length = static_cast<size_t>(m);
  plan.chirp.resize(2 * size);
  for (int64_t k = 0; k < n; k++) {
    const auto square = static_cast<int64_t>(static_cast<__int128>(k) * k % (2 * n));
    root_of_unity(square, 2 * n, &plan.chirp[static_cast<size_t>(k)],
                  &plan.chirp[size + static_cast<size_t>(k)]);
  }
  // One line, at the width that the plan takes; the other lines stay zero.
  const int64_t width = takes_one_line(*plan.convolution) ? 1 : fft_width;
  std::vector<float> re(length * static_cast<size_t>(width)), im(re.size());
  for (int64_t k = 0; k < n; k++) {
    for (int64_t at : {k, (m - k) % m}) {
      re[static_cast<size_t>(at * width)] = plan.chirp[static_cast<size_t>(k)];
      im[static_cast<size_t>(at * width)] = -plan.chirp[size + static_cast<size_t>(k)];
    }
  }
  fft_lines(*plan.convolution, re.data(), im.data(), width);
  plan.filter.resize(2 * length);
  for (size_t k = 0; k < length; k++) {
    plan.filter[k] = re[k * static_cast<size_t>(width)] / static_cast<float>(m);
    plan.filter[length + k] = im[k * static_cast<size_t>(width)] / static_cast<float>(m);
  }
}

// re and im, of n * width floats each
struct Planes {
  explicit Planes(int64_t count)
      : memory(allocate(static_cast<size_t>(2 * count) * sizeof(float))),
        re(static_cast<float*>(memory->data)),
        im(re + count) {}
  BufferRef memory;
  float *re, *im;
};

void multiply(float& re, float& im, float wr, float wi) {
  const float real = re * wr - im * wi;
  im = re * wi + im * wr;
  re = real;
}

// One line as a matrix: transforms of the columns, a twiddle for each element, transforms of the
// rows.
void long_line(const FftPlan& plan, float* re, float* im) {
  const int64_t rows = plan.rows, columns = plan.columns, w = fft_width;
  Planes turned(plan.n);
  auto blocks = [](int64_t n) { return (n + fft_width - 1) / fft_width; };
  parallel_for(blocks(columns), std::max<int64_t>(1, parallel_grain / (rows * w)),
               [&](int64_t begin, int64_t end) {
                 Planes block(rows * w), other(rows * w);
                 for (int64_t first = begin * w; first < std::min(end * w, columns); first += w) {
                   const int64_t count = std::min(w, columns - first);
                   const auto bytes = static_cast<size_t>(count) * sizeof(float);
                   for (int64_t r = 0; r < rows; r++) {
                     std::memcpy(block.re + r * w, re + r * columns + first, bytes);
                     std::memcpy(block.im + r * w, im + r * columns + first, bytes);
                   }
                   run_fft_passes(*plan.column_plan, block.re, block.im, other.re, other.im);
                   for (int64_t r = 0; r < rows; r++) {
                     const int64_t turn = r * first;
                     const auto coarse = static_cast<size_t>(2 * (turn / plan.fine_count));
                     const auto fine = static_cast<size_t>(2 * (turn % plan.fine_count));
                     float base_re = plan.coarse[coarse], base_im = plan.coarse[coarse + 1];
                     multiply(base_re, base_im, plan.fine[fine], plan.fine[fine + 1]);
                     const float* lane_re = plan.lanes.data() + r * w;
                     const float* lane_im = lane_re + rows * w;
                     for (int64_t l = 0; l < count; l++) {
                       float x = block.re[r * w + l], y = block.im[r * w + l];
                       multiply(x, y, base_re, base_im);
                       multiply(x, y, lane_re[l], lane_im[l]);
                       turned.re[r * columns + first + l] = x;
                       turned.im[r * columns + first + l] = y;
                     }
                   }
                 }
               });
  parallel_for(blocks(rows), std::max<int64_t>(1, parallel_grain / (columns * w)),
               [&](int64_t begin, int64_t end) {
                 Planes block(columns * w), other(columns * w);
                 for (int64_t first = begin * w; first < std::min(end * w, rows); first += w) {
                   const int64_t count = std::min(w, rows - first);
                   for (int64_t l = 0; l < count; l++) {
                     const float* row_re = turned.re + (first + l) * columns;
                     const float* row_im = turned.im + (first + l) * columns;
                     for (int64_t c = 0; c < columns; c++) {
                       block.re[c * w + l] = row_re[c];
                       block.im[c * w + l] = row_im[c];
                     }
                   }
                   run_fft_passes(*plan.row_plan, block.re, block.im, other.re, other.im);
                   const auto bytes = static_cast<size_t>(count) * sizeof(float);
                   for (int64_t c = 0; c < columns; c++) {
                     std::memcpy(re + c * rows + first, block.re + c * w, bytes);
                     std::memcpy(im + c * rows + first, block.im + c * w, bytes);
                   }
                 }
               });
}

void convolve(const FftPlan& plan, float* re, float* im, int64_t width) {
  const int64_t n = plan.n, m = plan.convolution->n;
  Planes line(m * width);
  auto each = [width](int64_t count, auto f) {
    for (int64_t k = 0; k < count; k++) {
      for (int64_t l = 0; l < width; l++) f(k, k * width + l);
    }
  };
  const float *chirp_re = plan.chirp.data(), *chirp_im = chirp_re + n;
  const float *filter_re = plan.filter.data(), *filter_im = filter_re + m;
  std::memcpy(line.re, re, static_cast<size_t>(n * width) * sizeof(float));
  std::memcpy(line.im, im, static_cast<size_t>(n * width) * sizeof(float));
  each(n, [&](int64_t k, int64_t at) {
    multiply(line.re[at], line.im[at], chirp_re[k], chirp_im[k]);
  });
  std::fill(line.re + n * width, line.re + m * width, 0.0f);
  std::fill(line.im + n * width, line.im + m * width, 0.0f);
  fft_lines(*plan.convolution, line.re, line.im, width);
  each(m, [&](int64_t k, int64_t at) {
    multiply(line.re[at], line.im[at], filter_re[k], filter_im[k]);
  });
  fft_lines(*plan.convolution, line.im, line.re, width);
  each(n, [&](int64_t k, int64_t at) {
    re[at] = line.re[at];
    im[at] = line.im[at];
    multiply(re[at], im[at], chirp_re[k], chirp_im[k]);
  });
}

}  // namespace

bool takes_one_line(const FftPlan& plan) {
  return plan.convolution ? takes_one_line(*plan.convolution) : plan.rows > 0;
}

void fft_lines(const FftPlan& plan, float* re, float* im, int64_t width) {
  if (plan.convolution) {
    convolve(plan, re, im, width);
  } else if (width == 1) {
    long_line(plan, re, im);
  } else {
    Planes other(plan.n * width);
    run_fft_passes(plan, re, im, other.re, other.im);
  }
}

std::shared_ptr<const FftPlan> fft_plan(int64_t n) {
  static std::mutex mutex;
  // The latest first; never destroyed, for threads that still evaluate at the end.
  static auto& recent = *new std::list<std::shared_ptr<const FftPlan>>;
  constexpr size_t kept = 64;
  {
    std::lock_guard<std::mutex> lock(mutex);
    for (auto it = recent.begin(); it != recent.end(); ++it) {
      if ((*it)->n == n) {
        recent.splice(recent.begin(), recent, it);
        return recent.front();
      }
    }
  }
  auto plan = std::make_shared<FftPlan>();
  plan->n = n;
  const std::vector<int> found = factors(n);
  if (n > 1 && found.empty()) {
    plan_convolution(*plan);
  } else {
    plan_passes(*plan, found);
    plan_matrix(*plan, found);
  }
  std::lock_guard<std::mutex> lock(mutex);
  recent.push_front(plan);
  if (recent.size() > kept) recent.pop_back();
  return plan;
}

}  // namespace heddle::cpu
