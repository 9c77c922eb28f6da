// Kernels of products of gathered matrices, of blocks and of segments.
#include "ops/block_products.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "cpu/gather_groups.h"
#include "cpu/kernel.h"
#include "cpu/matmul.h"
#include "cpu/row_access.h"
#include "cpu/scratch.h"
#include "cpu/scratch_array.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

View matrix(const void* data, Dtype dtype, int64_t rows, int64_t columns) {
  return {const_cast<void*>(data), dtype, {rows, columns}, {columns, 1}};
}

// Matrix `entry` of a stack with any batch dimensions.
View matrix_at(const Node& n, int64_t entry) {
  View v = n.view();
  const size_t rank = v.shape.size();
  int64_t offset = 0;
  for (size_t d = rank - 2; d-- > 0;) {
    offset += entry % v.shape[d] * v.strides[d];
    entry /= v.shape[d];
  }
  return {v.as<char>() + offset * static_cast<int64_t>(size_of(v.dtype)),
          v.dtype,
          {v.shape[rank - 2], v.shape[rank - 1]},
          {v.strides[rank - 2], v.strides[rank - 1]}};
}

const RegisterKernel<GatherMM> gather_kernel([](const Work& w) {
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Node& b = w.input(1);
  const Dense x(w.input(0)), left(w.input(2)), right(w.input(3));
  each_gathered_matrix("gather_mm", x, left, right, b.shape[0], out,
                       [&](const void* rows, int64_t count, int64_t i, void* results) {
                         matmul(matrix(rows, out.dtype, count, b.shape[1]), matrix_at(b, i),
                                matrix(results, out.dtype, count, b.shape[2]));
                       });
});

const RegisterKernel<SegmentedMM> segmented_kernel([](const Work& w) {
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Dense segments(w.input(2));
  const uint32_t* ends = segments.as<uint32_t>();
  const View a = w.input(0).view(), b = w.input(1).view();
  const int64_t M = a.shape[0], K = a.shape[1], N = b.shape[1];
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  const int64_t count = segments.view().size() / 2;
  parallel_for(count, std::max<int64_t>(1, num_threads() > count ? count : 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; i++) {
                   const int64_t last = std::min<int64_t>(ends[2 * i + 1], K);
                   const int64_t first = std::min<int64_t>(ends[2 * i], last);
                   View left = a, right = b;
                   left.shape[1] = right.shape[0] = last - first;
                   left.data = a.as<char>() + first * a.strides[1] * item;
                   right.data = b.as<char>() + first * b.strides[0] * item;
                   matmul(left, right, matrix(out.data + i * M * N * item, out.dtype, M, N));
                 }
               });
});

// One mask of a stack of products: what it does to the block at (row, column).
class Mask {
 public:
  Mask() = default;
  Mask(const Node& n, int64_t entry) {
    View v = n.view();
    const size_t rank = v.shape.size();
    int64_t offset = 0;
    for (size_t d = rank - 2; d-- > 0;) {
      offset += entry % v.shape[d] * v.strides[d];
      entry /= v.shape[d];
    }
    data_ = v.as<char>() + offset * static_cast<int64_t>(size_of(v.dtype));
    dtype_ = v.dtype;
    row_stride_ = v.strides[rank - 2];
    column_stride_ = v.strides[rank - 1];
  }
  explicit operator bool() const { return data_ != nullptr; }
  // Left out altogether, so that not even NaN comes through.
  bool drops(int64_t row, int64_t column) const {
    return data_ && dtype_ == Dtype::bool_ && !*at(row, column);
  }
  template <class T>
  T factor(int64_t row, int64_t column) const {
    if (!data_ || dtype_ == Dtype::bool_) return 1;
    alignas(64) T values[tile::tile_size];  // loads are of whole vectors
    tile::load_tile(at(row, column), dtype_, 1, values, 1);
    return values[0];
  }

 private:
  const char* at(int64_t row, int64_t column) const {
    return data_ +
           (row * row_stride_ + column * column_stride_) * static_cast<int64_t>(size_of(dtype_));
  }
  const char* data_ = nullptr;
  Dtype dtype_ = Dtype::bool_;
  int64_t row_stride_ = 0, column_stride_ = 0;
};

// Applies a mask to the blocks of a row-major matrix, in place.
void apply_mask(const Mask& mask, const View& m, int64_t block) {
  visit_float_lane(m.dtype, [&]<class T>(TypeTag<T>) {
    const int64_t item = static_cast<int64_t>(size_of(m.dtype)), columns = m.shape[1];
    const ScratchArray<T> lanes(tile::tile_size);
    for (int64_t r = 0; r < m.shape[0]; r++) {
      char* row = m.as<char>() + r * columns * item;
      for (int64_t c = 0; c < columns; c += block) {
        const int64_t width = std::min(block, columns - c);
        if (mask.drops(r / block, c / block)) {
          std::memset(row + c * item, 0, static_cast<size_t>(width * item));
          continue;
        }
        const T factor = mask.factor<T>(r / block, c / block);
        if (factor == 1) continue;
        for (int64_t i = 0; i < width; i += tile::tile_size) {
          const int n = static_cast<int>(std::min<int64_t>(tile::tile_size, width - i));
          tile::load_tile(row + (c + i) * item, m.dtype, 1, lanes, n);
          for (int k = 0; k < n; k++) lanes[k] *= factor;
          tile::store_tile(lanes, m.dtype, row + (c + i) * item, 1, n);
        }
      }
    }
  });
}

// The operand with its mask, copied only if there is one.
class MaskedOperand {
 public:
  MaskedOperand(const View& m, const Mask& mask, int64_t block)
      : space_(mask ? static_cast<size_t>(m.size()) * size_of(m.dtype) : 0), view_(m) {
    if (!mask) return;
    view_ = matrix(space_.data(), m.dtype, m.shape[0], m.shape[1]);
    tile::copy(m, view_);
    apply_mask(mask, view_, block);
  }
  const View& view() const { return view_; }

 private:
  Scratch space_;
  View view_;
};

// Whole products where every block of the result is wanted; else those blocks alone, runs of
// neighbours at once.
const RegisterKernel<BlockMaskedMM> block_masked_kernel([](const Work& w) {
  const auto& op = op_of<BlockMaskedMM>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const size_t rank = out.shape.size();
  const int64_t M = out.shape[rank - 2], N = out.shape[rank - 1], block = op.block_size;
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  for (int64_t entry = 0; entry < out.size() / (M * N); entry++) {
    auto mask_of = [&](bool has, size_t i) { return has ? Mask(w.input(i), entry) : Mask(); };
    const Mask out_mask = mask_of(op.has_out_mask, 2);
    const MaskedOperand a(matrix_at(w.input(0), entry), mask_of(op.has_lhs_mask, op.lhs_mask()),
                          block);
    const MaskedOperand b(matrix_at(w.input(1), entry), mask_of(op.has_rhs_mask, op.rhs_mask()),
                          block);
    const View result = matrix(out.data + entry * M * N * item, out.dtype, M, N);
    if (!out_mask) {
      matmul(a.view(), b.view(), result);
      continue;
    }
    parallel_for((M + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
      Scratch space(static_cast<size_t>(std::min(block, M) * N * item));
      for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * block, rows = std::min(block, M - first);
        View left = a.view();
        left.data = left.as<char>() + first * left.strides[0] * item;
        left.shape[0] = rows;
        View band = result;
        band.data = band.as<char>() + first * N * item;
        band.shape[0] = rows;
        const int64_t blocks = (N + block - 1) / block;
        for (int64_t j = 0; j < blocks;) {
          if (out_mask.drops(i, j)) {
            j++;
            continue;
          }
          int64_t stop = j + 1;
          while (stop < blocks && !out_mask.drops(i, stop)) stop++;
          View right = b.view();
          right.data = right.as<char>() + j * block * right.strides[1] * item;
          right.shape[1] = std::min(stop * block, N) - j * block;
          const View product = matrix(space.data(), out.dtype, rows, right.shape[1]);
          matmul(left, right, product);
          tile::copy(product,
                     {band.as<char>() + j * block * item, out.dtype, product.shape, {N, 1}});
          j = stop;
        }
      }
    });
    apply_mask(out_mask, result, block);
  }
});

}  // namespace
}  // namespace heddle::cpu
