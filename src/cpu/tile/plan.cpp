#include "cpu/tile/plan.h"

#include <algorithm>
#include <cstdlib>

namespace heddle::cpu::tile {

int64_t even_stride(const View& v) {
  int64_t stride = 1, next = uneven;  // next: what the dimension outside must step by
  for (size_t i = v.shape.size(); i-- > 0;) {
    if (v.shape[i] == 1) continue;
    if (next == uneven) {
      stride = v.strides[i];
    } else if (v.strides[i] != next) {
      return uneven;
    }
    next = v.strides[i] * v.shape[i];
  }
  return stride;
}

Plan::Plan(const Shape& shape, const View* inputs, int input_count, const View* outputs,
           int output_count, int limit)
    : limit_(limit) {
  if (flatten(shape, inputs, input_count, outputs, output_count)) return;
  const int operands = input_count + output_count;
  auto view = [&](int i) -> const View& {
    return i < input_count ? inputs[i] : outputs[i - input_count];
  };
  InlineVector<size_t, 8> dims;
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i] == 1) continue;
    dims.push_back(i);
    extents_.push_back(shape[i]);
  }
  strides_.resize(static_cast<size_t>(operands) * extents_.size());
  size_t at = 0;
  for (int o = 0; o < operands; o++) {
    for (size_t i : dims) strides_[at++] = view(o).strides[i];
  }
  order_and_merge(operands, output_count > 0 ? input_count : 0);
  const int operand = find_transposed(operands);
  int across = -1;
  for (int i = 0; operand >= 0 && i < this->dims() - 1; i++) {
    if (stride(operand, i) == 1) across = i;
  }
  choose_boxes(across, operand < 0 ? 0 : 64 / static_cast<int64_t>(size_of(view(operand).dtype)));
}

// The common case, found fast: one dimension for all. Also where there are no elements at all.
bool Plan::flatten(const Shape& shape, const View* inputs, int input_count, const View* outputs,
                   int output_count) {
  const int64_t n = element_count(shape);
  if (n == 0) return true;
  for (int i = 0; i < input_count + output_count; i++) {
    const int64_t s = even_stride(i < input_count ? inputs[i] : outputs[i - input_count]);
    if (s == uneven) {
      strides_.clear();
      return false;
    }
    strides_.push_back(s);
  }
  extents_.push_back(n);
  boxes_.push_back(std::min<int64_t>(n, limit_));
  tiles_ = (n + limit_ - 1) / limit_;
  counts_.push_back(tiles_);
  steps_.push_back(0);
  tile_elements_ = static_cast<int>(boxes_[0]);
  return true;
}

void Plan::order_and_merge(int operands, int leader) {
  // Outermost the dimension in which the (first) output takes the longest steps.
  size_t n = extents_.size();
  auto swap_dims = [&](size_t i, size_t j) {
    std::swap(extents_[i], extents_[j]);
    for (int o = 0; o < operands; o++) {
      int64_t* s = strides_.data() + static_cast<size_t>(o) * n;
      std::swap(s[i], s[j]);
    }
  };
  const int64_t* lead = strides_.data() + static_cast<size_t>(leader) * n;
  for (size_t i = 1; i < n; i++) {
    for (size_t j = i; j > 0 && std::llabs(lead[j - 1]) < std::llabs(lead[j]); j--)
      swap_dims(j - 1, j);
  }

  // Merge dimension i into the kept one before it where every operand steps through both as one.
  size_t kept = 0;
  for (size_t i = 1; i < n; i++) {
    bool merge = true;
    for (int o = 0; o < operands && merge; o++) {
      const int64_t* s = strides_.data() + static_cast<size_t>(o) * n;
      merge = s[kept] == s[i] * extents_[i];
    }
    if (merge) {
      extents_[kept] *= extents_[i];
    } else {
      extents_[++kept] = extents_[i];
    }
    for (int o = 0; o < operands; o++) {
      int64_t* s = strides_.data() + static_cast<size_t>(o) * n;
      s[kept] = s[i];
    }
  }
  const size_t merged = kept + 1;
  if (merged == n) return;
  for (int o = 1; o < operands; o++) {
    for (size_t i = 0; i < merged; i++) {
      strides_[static_cast<size_t>(o) * merged + i] = strides_[static_cast<size_t>(o) * n + i];
    }
  }
  extents_.resize(merged);
  strides_.resize(static_cast<size_t>(operands) * merged);
}

// An operand that runs through memory along another dimension than the innermost one, which takes
// it from cache line to cache line; -1 if there is none.
int Plan::find_transposed(int operands) const {
  const int n = dims();
  if (n < 2 || extent(n - 1) < 8) return -1;
  for (int o = 0; o < operands; o++) {
    if (std::llabs(stride(o, n - 1)) < 8) continue;
    for (int i = 0; i < n - 1; i++) {
      if (stride(o, i) == 1 && extent(i) >= 8) return o;
    }
  }
  return -1;
}

// With a transposed operand, tiles are matrices: `line` elements along `across`, which is a cache
// line of the operand, by the innermost dimension. The walk goes on along `across`: the operand is
// then read as a number of streams, which hardware foresees (measured: 5 times faster than the
// other way).
void Plan::choose_boxes(int across, int64_t line) {
  const size_t n = extents_.size(), last = n - 1;
  boxes_.resize(n, 1);
  if (across >= 0) {
    int64_t& height = boxes_[static_cast<size_t>(across)];
    height = std::min(line, extents_[static_cast<size_t>(across)]);
    boxes_[last] = std::min(limit_ / height, extents_[last]);
  } else {
    int64_t room = limit_;
    for (size_t i = n; i-- > 0 && room > 1;) {
      boxes_[i] = std::min(room, extents_[i]);
      if (boxes_[i] < extents_[i]) break;
      room /= extents_[i];
    }
    if (extents_[last] > limit_) {  // rows in tiles of about one size
      const int64_t parts = (extents_[last] + limit_ - 1) / limit_;
      boxes_[last] = round_up_to_block(static_cast<int>((extents_[last] + parts - 1) / parts));
    }
  }
  if (across >= 0) steps_.push_back(across);
  for (int i = dims(); i-- > 0;) {
    if (i != across) steps_.push_back(i);
  }
  tiles_ = 1;
  tile_elements_ = 1;
  for (size_t i = 0; i < extents_.size(); i++) {
    counts_.push_back((extents_[i] + boxes_[i] - 1) / boxes_[i]);
    tiles_ *= counts_[i];
    tile_elements_ *= static_cast<int>(boxes_[i]);
  }
}

Walk::Walk(const Plan& plan, int64_t tile) : plan_(plan) {
  const int n = plan.dims();
  position_.resize(static_cast<size_t>(n));
  sizes_.resize(static_cast<size_t>(n));
  for (int i = 0; i < n; i++) {
    const int d = plan.step(i);
    position_[static_cast<size_t>(d)] = tile % plan.boxes_along(d);
    tile /= plan.boxes_along(d);
  }
  measure();
  resized_ = true;
}

void Walk::next() {
  for (int i = 0; i < plan_.dims(); i++) {
    const int d = plan_.step(i);
    int64_t& position = position_[static_cast<size_t>(d)];
    if (++position < plan_.boxes_along(d)) break;
    position = 0;
  }
  measure();
}

void Walk::measure() {
  resized_ = false;
  elements_ = 1;
  for (size_t i = 0; i < position_.size(); i++) {
    const int d = static_cast<int>(i);
    const int64_t size = std::min(plan_.box(d), plan_.extent(d) - position_[i] * plan_.box(d));
    resized_ |= size != sizes_[i];
    sizes_[i] = size;
    elements_ *= static_cast<int>(size);
  }
}

int64_t Walk::offset(int operand) const {
  int64_t sum = 0;
  for (size_t i = 0; i < position_.size(); i++) {
    const int d = static_cast<int>(i);
    sum += position_[i] * plan_.box(d) * plan_.stride(operand, d);
  }
  return sum;
}

void OperandPattern::prepare(const Plan& plan, const Walk& walk, int operand) {
  if (plan.dims() == 1) {
    pattern_ = {.stride = plan.stride(operand, 0), .run = walk.elements()};
    return;
  }
  // The tile's dimensions as this operand sees them, innermost first, merged where it can.
  InlineVector<int64_t, 6> sizes, strides;
  for (int i = plan.dims(); i-- > 0;) {
    const int64_t size = walk.size(i), stride = plan.stride(operand, i);
    if (size == 1) continue;
    if (!sizes.empty() && stride == strides.back() * sizes.back()) {
      sizes.back() *= size;
    } else {
      sizes.push_back(size);
      strides.push_back(stride);
    }
  }
  if (sizes.size() <= 1) {
    pattern_ = {.stride = sizes.empty() ? 1 : strides[0], .run = walk.elements()};
    return;
  }
  // Side by side, but not each a repeated element: that is filled in below.
  if (sizes.size() == 2 && strides[1] == 1 && strides[0] != 1 && strides[0] != 0) {
    pattern_ = {.stride = strides[0],
                .run = static_cast<int>(sizes[0]),
                .count = static_cast<int>(sizes[1])};
    return;
  }
  // Short runs are cheaper element by element.
  const size_t first = sizes[0] >= block ? 1 : 0;
  const int run = first ? static_cast<int>(sizes[0]) : 1;
  starts_.assign(static_cast<size_t>(walk.elements() / run), 0);
  size_t filled = 1;  // starts_[0] is 0
  for (size_t i = first; i < sizes.size(); i++) {
    const size_t inner = filled;
    for (int64_t j = 1; j < sizes[i]; j++) {
      for (size_t m = 0; m < inner; m++) starts_[filled++] = starts_[m] + j * strides[i];
    }
  }
  pattern_ = {.stride = first ? strides[0] : 1,
              .run = run,
              .count = static_cast<int>(filled),
              .starts = starts_.data()};
}

}  // namespace heddle::cpu::tile
