#include "cpu/arg_reduce.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/threads.h"
#include "cpu/lane_values.h"
#include "cpu/reduce_kernels.h"

namespace heddle::cpu {
namespace {

// The extreme of a block is found by the vector loops of min and max; only where it beats what came
// before is its position looked for, which happens about log(blocks) times.
constexpr int64_t block_rows = 32;
constexpr int64_t block_columns = 256;
constexpr int64_t piece = 65536;  // elements of a row that one thread takes

template <class T>
struct Best {
  T value;
  uint32_t index;
};

template <class T>
class Run {
 public:
  Run(ArgReduction reduction, const tile::Source& in, int axis, const View& out)
      : max_(reduction == ArgReduction::argmax),
        kernels_(reduce_kernels(max_ ? Reduction::max : Reduction::min, tile::lane_of(in.dtype()))),
        in_(in),
        out_(out.as<uint32_t>()),
        n_(in.shape()[static_cast<size_t>(axis)]) {
    for (size_t i = 0; i < in.shape().size(); ++i) {
      (static_cast<int>(i) < axis ? outer_ : inner_) *=
          static_cast<int>(i) == axis ? 1 : in.shape()[i];
    }
  }

  void operator()() const {
    if (inner_ == 1) {
      rows();
    } else {
      columns();
    }
  }

 private:
  bool beats(T a, T b) const {
    if (is_nan(b)) return false;
    return is_nan(a) || (max_ ? is_less(b, a) : is_less(a, b));
  }

  // The first of x[0], x[stride], ... that is `value`, which is there.
  static int64_t find(const T* x, int64_t stride, T value) {
    int64_t i = 0;
    if (is_nan(value)) {
      while (!is_nan(x[i * stride])) ++i;
    } else {
      while (x[i * stride] != value) ++i;
    }
    return i;
  }

  void rows() const {
    const int64_t pieces = (n_ + piece - 1) / piece;
    std::vector<Best<T>> best(static_cast<size_t>(outer_ * pieces));
    const int64_t work = std::min(n_, piece);
    parallel_for(outer_ * pieces, std::max<int64_t>(1, parallel_grain / work),
                 [&](int64_t begin, int64_t end) {
                   const T* direct = static_cast<const T*>(in_.direct());
                   std::optional<tile::Cursor> cursor;
                   if (!direct) cursor.emplace(in_);
                   for (int64_t item = begin; item < end; ++item) {
                     const int64_t from = item % pieces * piece;
                     const int64_t start = item / pieces * n_;
                     Best<T> found{};
                     for (int64_t i = from; i < std::min(n_, from + piece); i += tile::tile_size) {
                       const int64_t n = std::min<int64_t>(tile::tile_size, n_ - i);
                       const T* x =
                           direct
                               ? direct + start + i
                               : static_cast<const T*>(cursor->at(start + i, static_cast<int>(n)));
                       T extreme;
                       kernels_.rows(x, 1, n, &extreme);
                       if (i == from || beats(extreme, found.value)) {
                         found = {extreme, static_cast<uint32_t>(i + find(x, 1, extreme))};
                       }
                     }
                     best[static_cast<size_t>(item)] = found;
                   }
                 });
    for (int64_t row = 0; row < outer_; ++row) {
      Best<T> found = best[static_cast<size_t>(row * pieces)];
      for (int64_t i = 1; i < pieces; ++i) {
        const Best<T>& next = best[static_cast<size_t>(row * pieces + i)];
        if (beats(next.value, found.value)) found = next;
      }
      out_[row] = found.index;
    }
  }

  void columns() const {
    const int64_t block = std::min(inner_, block_columns);
    const int64_t blocks = (inner_ + block - 1) / block;
    parallel_for(outer_ * blocks, std::max<int64_t>(1, parallel_grain / (n_ * block)),
                 [&](int64_t begin, int64_t end) {
                   const T* direct = static_cast<const T*>(in_.direct());
                   std::optional<tile::Cursor> cursor;
                   std::unique_ptr<T[]> buffer;
                   if (!direct) {
                     cursor.emplace(in_);
                     buffer.reset(new T[block_rows * block_columns]);
                   }
                   T extreme[block_columns], best[block_columns];
                   for (int64_t item = begin; item < end; ++item) {
                     const int64_t column = item % blocks * block;
                     const int64_t wide = std::min(block, inner_ - column);
                     const int64_t base = item / blocks * n_ * inner_ + column;
                     uint32_t* index = out_ + item / blocks * inner_ + column;
                     for (int64_t row = 0; row < n_; row += block_rows) {
                       const int64_t count = std::min(block_rows, n_ - row);
                       const T* x = direct ? direct + base + row * inner_ : buffer.get();
                       const int64_t stride = direct ? inner_ : wide;
                       for (int64_t r = 0; r < count && !direct; ++r) {
                         const void* loaded =
                             cursor->at(base + (row + r) * inner_, static_cast<int>(wide));
                         std::memcpy(static_cast<void*>(buffer.get() + r * wide), loaded,
                                     static_cast<size_t>(wide) * sizeof(T));
                       }
                       std::copy(x, x + wide, extreme);
                       kernels_.columns(extreme, x + stride, stride, count - 1, wide);
                       for (int64_t j = 0; j < wide; ++j) {
                         if (row > 0 && !beats(extreme[j], best[j])) continue;
                         best[j] = extreme[j];
                         index[j] = static_cast<uint32_t>(row + find(x + j, stride, extreme[j]));
                       }
                     }
                   }
                 });
  }

  const bool max_;
  const ReduceKernels& kernels_;
  const tile::Source& in_;
  uint32_t* const out_;
  const int64_t n_;
  int64_t outer_ = 1, inner_ = 1;
};

}  // namespace

void arg_reduce(ArgReduction reduction, const tile::Source& in, int axis, const View& out) {
  if (out.size() == 0) return;
  if (!out.row_contiguous()) {
    std::vector<uint32_t> dense(static_cast<size_t>(out.size()));
    const View results{dense.data(), uint32, out.shape, row_major_strides(out.shape)};
    arg_reduce(reduction, in, axis, results);
    tile::copy(results, out);
    return;
  }
  visit_lane(tile::lane_of(in.dtype()),
             [&]<class T>(TypeTag<T>) { Run<T>(reduction, in, axis, out)(); });
}

}  // namespace heddle::cpu
