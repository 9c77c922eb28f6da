#include "cpu/conv_patches.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/gemm.h"
#include "cpu/scratch.h"

namespace heddle::cpu {
namespace {

// Walks output positions in blocks whose patches take a bounded amount of memory.
class Patches {
 public:
  Patches(const View& input, const View& out, const GroupedWeight& w, const ConvParams& p)
      : input_(input), out_(out), w_(w), p_(p), spatial_(out.shape.size() - 2) {
    length_ = element_count(w.kernel) * w.in;
    positions_ = 1;
    for (size_t d = 0; d + 1 < out.shape.size(); d++) positions_ *= out.shape[d];
  }

  int64_t length() const { return length_; }        // of a patch: kernel x channels of a group
  int64_t positions() const { return positions_; }  // of the output, batch included
  int64_t block() const {
    constexpr int64_t bytes = 8 << 20;
    return std::clamp<int64_t>(bytes / (length_ * size_of(input_.dtype)), 1, positions_);
  }

  // Patches of group g for positions [begin, begin + count), one after the other.
  void gather(int64_t begin, int64_t count, int64_t g, char* to) const {
    parallel_for(count, std::max<int64_t>(1, parallel_grain / length_), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; i++) {
        gather_one(begin + i, g, to + i * length_ * static_cast<int64_t>(size_of(input_.dtype)));
      }
    });
  }

 private:
  void gather_one(int64_t position, int64_t g, char* to) const {
    const size_t item = size_of(input_.dtype);
    Shape start(spatial_);
    for (size_t d = spatial_; d-- > 0;) {
      start[d] = position % out_.shape[d + 1] * p_.strides[d] - p_.low[d];
      position /= out_.shape[d + 1];
    }
    const size_t run = w_.in * item;
    int64_t taps = element_count(w_.kernel);
    for (int64_t tap = 0; tap < taps; tap++, to += run) {
      int64_t rest = tap, offset = 0, step = input_.shape.back();
      bool inside = true;
      for (size_t d = spatial_; d-- > 0;) {
        int64_t k = rest % w_.kernel[d];
        rest /= w_.kernel[d];
        if (p_.flip) k = w_.kernel[d] - 1 - k;
        int64_t at = start[d] + k * p_.kernel_dilation[d];
        int64_t extent = input_.shape[d + 1], apart = p_.input_dilation[d];
        inside = inside && at >= 0 && at % apart == 0 && at / apart < extent;
        offset += at / apart * step;
        step *= extent;
      }
      if (inside) {
        std::memcpy(to, input_.as<char>() + ((position * step + offset) + g * w_.in) * item, run);
      } else {
        std::memset(to, 0, run);
      }
    }
  }

  const View& input_;
  const View& out_;
  const GroupedWeight& w_;
  const ConvParams& p_;
  size_t spatial_;
  int64_t length_, positions_;
};

}  // namespace

bool GroupedWeight::dense() const {
  int64_t step = 1;
  auto next = [&](int64_t extent, int64_t stride) {
    bool fits = extent == 1 || stride == step;
    step *= extent;
    return fits;
  };
  if (!next(in, in_stride)) return false;
  for (size_t d = kernel.size(); d-- > 0;) {
    if (!next(kernel[d], kernel_strides[d])) return false;
  }
  return next(out, out_stride) && next(groups, group_stride);
}

void conv_patches(const View& input, const GroupedWeight& w, const View& out,
                  const ConvParams& params) {
  Patches patches(input, out, w, params);
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  const int64_t channels = w.groups * w.out, length = patches.length();
  Scratch space(patches.block() * length * item);
  for (int64_t begin = 0; begin < patches.positions(); begin += patches.block()) {
    int64_t count = std::min(patches.block(), patches.positions() - begin);
    for (int64_t g = 0; g < w.groups; g++) {
      patches.gather(begin, count, g, space.as<char>());
      const char* weight = static_cast<const char*>(w.data) + g * w.out * length * item;
      char* to = out.as<char>() + (begin * channels + g * w.out) * item;
      gemm(count, w.out, length, {space.data(), input.dtype, length, 1},
           {weight, w.dtype, 1, length}, {to, out.dtype, channels});
    }
  }
}

void conv_patches_backward_weight(const View& input, const View& out_gradient,
                                  const GroupedWeight& w, const ConvParams& params) {
  Patches patches(input, out_gradient, w, params);
  const int64_t item = static_cast<int64_t>(size_of(input.dtype));
  const int64_t channels = w.groups * w.out, length = patches.length();
  Scratch space(patches.block() * length * item);
  for (int64_t begin = 0; begin < patches.positions(); begin += patches.block()) {
    int64_t count = std::min(patches.block(), patches.positions() - begin);
    for (int64_t g = 0; g < w.groups; g++) {
      patches.gather(begin, count, g, space.as<char>());
      const char* gradient = out_gradient.as<char>() + (begin * channels + g * w.out) * item;
      char* to = static_cast<char*>(w.data) + g * w.out * length * item;
      Finish finish{to, w.dtype, length};
      if (begin > 0) {
        finish.beta = 1;
        finish.addend = {to, w.dtype, length, 1};
      }
      gemm(w.out, length, count, {gradient, input.dtype, 1, channels},
           {space.data(), input.dtype, length, 1}, finish);
    }
  }
}

}  // namespace heddle::cpu
