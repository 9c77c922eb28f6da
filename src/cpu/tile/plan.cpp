#include "cpu/tile/plan.h"

#include <algorithm>
#include <cstdlib>

namespace heddle::cpu::tile {

Plan::Plan(const Shape& shape, const View* inputs, int input_count, const View* outputs,
           int output_count) {
  const int operands = input_count + output_count;
  auto view = [&](int i) -> const View& {
    return i < input_count ? inputs[i] : outputs[i - input_count];
  };
  InlineVector<size_t, 8> dims;
  int64_t total = 1;
  for (size_t i = 0; i < shape.size(); i++) {
    total *= shape[i];
    if (shape[i] != 1) dims.push_back(i);
  }
  if (total == 0) return;
  for (size_t i : dims) extents_.push_back(shape[i]);
  if (dims.empty()) extents_.push_back(1);
  strides_.resize(static_cast<size_t>(operands) * extents_.size());
  size_t at = 0;
  for (int o = 0; o < operands; o++) {
    if (dims.empty()) strides_[at++] = 1;
    for (size_t i : dims) strides_[at++] = view(o).strides[i];
  }
  order_and_merge(operands, output_count > 0 ? input_count : 0);
  choose_boxes(operands);
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

void Plan::choose_boxes(int operands) {
  const int n = dims();
  const size_t last = static_cast<size_t>(n - 1);
  boxes_.resize(extents_.size(), 1);

  // The dimension that some operand runs through in memory while the innermost one takes it from
  // line to line: then tiles are squarish, so that each of its cache lines is used whole.
  int across = -1;
  for (int o = 0; o < operands && n > 1 && extents_[last] >= 32; o++) {
    if (std::llabs(stride(o, n - 1)) < 8) continue;
    for (int i = 0; i < n - 1; i++) {
      if (extents_[static_cast<size_t>(i)] >= 8 && std::llabs(stride(o, i)) == 1) across = i;
    }
  }
  if (across >= 0) {
    boxes_[static_cast<size_t>(across)] =
        std::min<int64_t>(16, extents_[static_cast<size_t>(across)]);
    boxes_[last] =
        std::min<int64_t>(tile_size / boxes_[static_cast<size_t>(across)], extents_[last]);
  } else {
    int64_t room = tile_size;
    for (size_t i = extents_.size(); i-- > 0 && room > 1;) {
      boxes_[i] = std::min(room, extents_[i]);
      if (boxes_[i] < extents_[i]) break;
      room /= extents_[i];
    }
    if (n > 1 && extents_[last] > tile_size) {  // rows in tiles of about one size
      const int64_t parts = (extents_[last] + tile_size - 1) / tile_size;
      boxes_[last] = round_up_to_block(static_cast<int>((extents_[last] + parts - 1) / parts));
    }
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
  for (int i = n; i-- > 0;) {
    position_[static_cast<size_t>(i)] = tile % plan.boxes_along(i);
    tile /= plan.boxes_along(i);
  }
  measure();
  resized_ = true;
}

void Walk::next() {
  for (size_t i = position_.size(); i-- > 0;) {
    if (++position_[i] < plan_.boxes_along(static_cast<int>(i))) break;
    position_[i] = 0;
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
  // Short runs are cheaper element by element.
  const size_t first = sizes[0] >= block ? 1 : 0;
  const int run = first ? static_cast<int>(sizes[0]) : 1;
  starts_.clear();
  starts_.resize(static_cast<size_t>(walk.elements() / run));
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
