// How a run over a shape is cut into tiles: dimensions that all operands step through alike are
// merged, and the rest is covered by boxes of at most tile_size elements.
#pragma once

#include <cstdint>
#include <vector>

#include "core/view.h"
#include "cpu/tile/moves.h"

namespace heddle::cpu::tile {

// The one stride of a view that steps evenly through its row-major order, or `uneven`.
inline constexpr int64_t uneven = INT64_MIN;
int64_t even_stride(const View& v);

class Plan {
 public:
  // The operands are views of one shape; a tile has at most `limit` elements.
  Plan(const Shape& shape, const View* inputs, int input_count, const View* outputs,
       int output_count, int limit = tile_size);

  int64_t tiles() const { return tiles_; }
  int tile_elements() const { return tile_elements_; }  // of the largest tile
  int dims() const { return static_cast<int>(extents_.size()); }
  int64_t stride(int operand, int dim) const {
    return strides_[static_cast<size_t>(operand * dims() + dim)];
  }
  int64_t extent(int dim) const { return extents_[static_cast<size_t>(dim)]; }
  // The dimension that the walk steps along in place i, from the fastest to the slowest.
  int step(int i) const { return steps_[static_cast<size_t>(i)]; }
  int64_t box(int dim) const { return boxes_[static_cast<size_t>(dim)]; }
  int64_t boxes_along(int dim) const { return counts_[static_cast<size_t>(dim)]; }

 private:
  bool flatten(const Shape& shape, const View* inputs, int input_count, const View* outputs,
               int output_count);
  void order_and_merge(int operands, int leader);
  int find_transposed(int operands) const;
  void choose_boxes(int across, int64_t line);

  Shape extents_;
  Shape boxes_;                        // extents of a full tile
  Shape counts_;                       // tiles along each dimension
  InlineVector<int64_t, 32> strides_;  // by operand, then by dimension
  InlineVector<int, 6> steps_;
  const int limit_;
  int64_t tiles_ = 0;
  int tile_elements_ = 0;
};

// Steps through the tiles of a plan in order; each thread has its own.
class Walk {
 public:
  Walk(const Plan& plan, int64_t tile);
  void next();
  int elements() const { return elements_; }
  int64_t size(int dim) const { return sizes_[static_cast<size_t>(dim)]; }  // of this tile
  bool resized() const { return resized_; }  // sizes differ from the previous tile's
  int64_t offset(int operand) const;         // of the tile's first element

 private:
  void measure();

  const Plan& plan_;
  Shape position_;  // in tiles
  Shape sizes_;
  int elements_ = 0;
  bool resized_ = true;
};

// The pattern of one operand in a tile of the walk's present size. Offsets are kept in the object.
class OperandPattern {
 public:
  const Pattern& get() const { return pattern_; }
  void prepare(const Plan& plan, const Walk& walk, int operand);

 private:
  Pattern pattern_;
  std::vector<int64_t> starts_;
};

}  // namespace heddle::cpu::tile
