#include "cpu/conv_pieces.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "core/threads.h"
#include "cpu/pieces.h"
#include "cpu/scratch.h"

namespace heddle::cpu {
namespace {

using onednn::ConvRequest;
using onednn::Direction;
using onednn::Tensor;

// Dimensions of activations, and of weights behind those of groups.
enum Dimension { samples, channels, rows };

struct Range {
  int64_t first, count;
};

int64_t elements_of(const Tensor& t) {
  return std::accumulate(t.dims, t.dims + t.rank, int64_t{1}, std::multiplies<>());
}

int64_t item_of(const Tensor& t) {
  return static_cast<int64_t>(size_of(static_cast<Dtype>(t.dtype)));
}

int64_t spatial_size(const Tensor& t) {
  return std::accumulate(t.dims + rows, t.dims + t.rank, int64_t{1}, std::multiplies<>());
}

// A part of an activation's channels as an array of its own, copied from or to the whole.
class Channels {
 public:
  Channels(const Tensor& whole, Range part)
      : positions_(whole.dims[samples] * spatial_size(whole)),
        width_(whole.dims[channels] * item_of(whole)),
        first_(part.first * item_of(whole)),
        bytes_(part.count * item_of(whole)),
        space_(bytes_ == width_ ? 0 : static_cast<size_t>(positions_ * bytes_)) {}
  void* from(void* whole, bool is_read) {
    if (bytes_ == width_) return whole;
    for (int64_t i = 0; is_read && i < positions_; i++) {
      std::memcpy(part(i), static_cast<char*>(whole) + i * width_ + first_, size());
    }
    return space_.data();
  }
  void to(void* whole) {
    if (bytes_ == width_) return;
    for (int64_t i = 0; i < positions_; i++) {
      std::memcpy(static_cast<char*>(whole) + i * width_ + first_, part(i), size());
    }
  }

 private:
  size_t size() const { return static_cast<size_t>(bytes_); }
  char* part(int64_t i) const { return space_.as<char>() + i * bytes_; }
  int64_t positions_, width_, first_, bytes_;
  Scratch space_;
};

void set_channels(Tensor& t, int64_t count) {
  t.dims[channels] = count;
  // Channels-last.
  int64_t stride = count;
  t.strides[channels] = 1;
  for (int64_t d = t.rank; d-- > rows; stride *= t.dims[d]) t.strides[d] = stride;
  t.strides[samples] = stride;
}

void set_rows(Tensor& t, int64_t count) {
  t.dims[rows] = count;
  set_channels(t, t.dims[channels]);
}

class Convolution {
 public:
  Convolution(const ConvRequest& request, void* src, void* weights, void* dst)
      : r_(request), src_(src), weights_(weights), dst_(dst) {
    grouped_ = r_.weights.rank > r_.src.rank;
    work_ = elements_of(r_.weights) * r_.dst.dims[samples] * spatial_size(r_.dst);
    cut();
  }

  void run() {
    if (slices_ > 1) return run_slices();
    if (bands_.size() * static_cast<size_t>(sample_parts()) == 1) {
      return onednn::convolution(r_, src_, weights_, dst_);
    }
    if (r_.direction == Direction::backward_weights) return run_sums();
    const onednn::PackedWeights packed(piece(0).request, weights_);
    each_piece([&](const Piece& p) { packed.convolve(p.request, p.src, p.dst); });
  }

 private:
  // A part of the samples, or of one sample's rows; both activations are dense in it.
  struct Band {
    Range src, dst;
    int64_t low, high;
  };
  struct Piece {
    ConvRequest request;
    void *src, *dst;
  };

  bool gives_src() const { return r_.direction == Direction::backward_data; }
  int64_t sample_parts() const { return parts(r_.src.dims[samples], samples_); }
  int64_t pieces() const { return sample_parts() * static_cast<int64_t>(bands_.size()); }

  void cut() {
    constexpr int64_t least_positions = 128, few_pieces = 4, unit = 64;
    constexpr int64_t most_sums = 1 << 22, sum_positions = 512;
    const int64_t count = r_.src.dims[samples], size = spatial_size(r_.dst);
    // A piece calls oneDNN with borders of its own: few pieces until they take a millisecond.
    int64_t wanted = wanted_pieces(work_);
    if (wanted <= 8) wanted = std::min<int64_t>(wanted, 4);
    // Each piece of a gradient of weights has sums of its own, which are added up.
    int64_t least = least_positions;
    if (r_.direction == Direction::backward_weights) {
      wanted = std::min(wanted, std::max<int64_t>(1, most_sums / elements_of(r_.weights)));
      least = sum_positions;
    }
    const int64_t most = std::max<int64_t>(1, count * size / least);
    // As many for each of 2, 4, 8 threads.
    const int64_t positional =
        static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::min(wanted, most))));
    samples_ = parts(count, std::min(count, positional));
    bands_ = {{{0, r_.src.dims[rows]}, {0, r_.dst.dims[rows]}, r_.low[0], r_.high[0]}};
    if (samples_ == 1 && 2 * count <= positional) cut_rows(parts(positional, count));
    if (pieces() >= std::min(few_pieces, wanted_pieces(work_))) return;
    // Few positions: parts of the channels instead.
    const int64_t extent = grouped_ ? r_.weights.dims[0] : r_.weights.dims[gives_src() ? 1 : 0];
    const int64_t least_channels = grouped_ ? 1 : unit;
    const int64_t slices = std::min(wanted_pieces(work_), extent / least_channels);
    if (slices <= pieces()) return;
    slice_ = parts(parts(extent, slices), least_channels) * least_channels;
    slices_ = parts(extent, slice_);
    samples_ = count;
    bands_.resize(1);
    bands_[0] = {{0, r_.src.dims[rows]}, {0, r_.dst.dims[rows]}, r_.low[0], r_.high[0]};
  }

  int64_t reach() const {
    return (r_.weights.dims[r_.weights.rank - (r_.src.rank - rows)] - 1) * r_.dilation[0];
  }

  // Bands of rows of what is computed, with the rows of the other array that they meet. Leaves all
  // in one where some would be no longer than the window: oneDNN 3.2 leaves its arrays where a
  // window reaches over both ends of what it gets (the gradient of 73 x 3 x 3 weights, 6 rows).
  void cut_rows(int64_t count) {
    const int64_t step = r_.strides[0], low = r_.low[0], far = reach();
    const int64_t src_rows = r_.src.dims[rows], dst_rows = r_.dst.dims[rows];
    if (low > far || r_.high[0] > far) return;
    std::vector<Band> bands;
    if (gives_src()) {
      // Borders where the window of a row of dst begins.
      const int64_t height = parts(parts(src_rows, count), step) * step;
      for (int64_t first = 0; first < src_rows;) {
        const int64_t last = std::min(src_rows, (first + low) / height * height + height - low);
        const int64_t from =
            std::max<int64_t>(0, parts(std::max<int64_t>(0, first + low - far), step));
        const int64_t to = std::min(dst_rows, (last - 1 + low) / step + 1);
        if (from >= to || last - first <= far) return;
        Band b{{first, last - first}, {from, to - from}, low + first - from * step, 0};
        b.high = std::max<int64_t>(0, (b.dst.count - 1) * step + far + 1 - b.src.count - b.low);
        bands.push_back(b);
        first = last;
      }
    } else {
      const int64_t height = parts(dst_rows, count);
      for (int64_t first = 0; first < dst_rows; first += height) {
        const int64_t rows_here = std::min(height, dst_rows - first);
        const int64_t begin = first * step - low,
                      end = (first + rows_here - 1) * step - low + far + 1;
        const Range src{std::max<int64_t>(0, begin),
                        std::min(src_rows, end) - std::max<int64_t>(0, begin)};
        if (src.count <= far) return;
        bands.push_back({src, {first, rows_here}, src.first - begin, end - src.first - src.count});
      }
    }
    bands_ = std::move(bands);
  }

  Piece piece(int64_t i) const {
    const Band& band = bands_[static_cast<size_t>(i) % bands_.size()];
    const int64_t first = i / static_cast<int64_t>(bands_.size()) * samples_;
    Piece p{r_, src_, dst_};
    auto part = [&](Tensor& t, void*& data, Range r) {
      const int64_t row = t.strides[rows], sample = t.strides[samples];
      data = static_cast<char*>(data) + (first * sample + r.first * row) * item_of(t);
      t.dims[samples] = std::min(samples_, t.dims[samples] - first);
      set_rows(t, r.count);
    };
    part(p.request.src, p.src, band.src);
    part(p.request.dst, p.dst, band.dst);
    p.request.low[0] = band.low;
    p.request.high[0] = band.high;
    return p;
  }

  template <class F>
  void each_piece(F&& f) const {
    parallel_for(pieces(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) f(piece(i));
    });
  }

  // The gradient of weights as sums over pieces, added up in their order.
  void run_sums() const {
    const int64_t size = elements_of(r_.weights), count = pieces();
    Scratch space(static_cast<size_t>(count * size) * sizeof(float));
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        Piece p = piece(i);
        p.request.weights.dtype = static_cast<int64_t>(Dtype::float32);
        onednn::convolution(p.request, p.src, space.as<float>() + i * size, p.dst);
      }
    });
    parallel_for(
        size, std::max<int64_t>(1, parallel_grain / count), [&](int64_t begin, int64_t end) {
          float* const sums = space.as<float>();
          for (int64_t i = 1; i < count; i++) {
            const float* more = sums + i * size;
            for (int64_t j = begin; j < end; j++) sums[j] += more[j];
          }
          if (static_cast<Dtype>(r_.weights.dtype) == Dtype::bfloat16) {
            std::copy(sums + begin, sums + end, static_cast<bfloat16_t*>(weights_) + begin);
          } else {
            std::copy(sums + begin, sums + end, static_cast<float*>(weights_) + begin);
          }
        });
  }

  // Parts of groups, or of the channels that belong to one array and the weights alone.
  void run_slices() const {
    const size_t dimension = !grouped_ && gives_src() ? 1 : 0;
    parallel_for(slices_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        ConvRequest part = r_;
        const int64_t first = i * slice_, all = r_.weights.dims[dimension];
        const int64_t count = std::min(slice_, all - first);
        part.weights.dims[dimension] = count;
        char* weights = static_cast<char*>(weights_) +
                        first * r_.weights.strides[dimension] * item_of(r_.weights);
        auto range = [&](const Tensor& t, bool is_cut) -> Range {
          const int64_t each = grouped_ ? t.dims[channels] / all : 1;
          return is_cut ? Range{first * each, count * each} : Range{0, t.dims[channels]};
        };
        const Range src_part = range(r_.src, grouped_ || gives_src());
        const Range dst_part = range(r_.dst, grouped_ || !gives_src());
        Channels src(r_.src, src_part), dst(r_.dst, dst_part);
        set_channels(part.src, src_part.count);
        set_channels(part.dst, dst_part.count);
        onednn::convolution(part, src.from(src_, !gives_src()), weights,
                            dst.from(dst_, r_.direction != Direction::forward));
        if (gives_src()) src.to(src_);
        if (r_.direction == Direction::forward) dst.to(dst_);
      }
    });
  }

  const ConvRequest& r_;
  void *src_, *weights_, *dst_;
  bool grouped_;
  int64_t work_;
  int64_t samples_ = 1;  // of a piece
  std::vector<Band> bands_;
  int64_t slice_ = 0, slices_ = 1;
};

}  // namespace

void convolve(const ConvRequest& request, void* src, void* weights, void* dst) {
  Convolution(request, src, weights, dst).run();
}

}  // namespace heddle::cpu
