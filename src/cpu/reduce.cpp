#include "cpu/reduce.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/threads.h"
#include "cpu/lane_values.h"
#include "cpu/reduce_kernels.h"
#include "cpu/scratch_array.h"

namespace heddle::cpu {
namespace {

// Where the work is split, whatever the number of threads. They decide how sums are rounded.
constexpr int64_t piece = 65536;        // elements of a row that become one partial result
constexpr int64_t column_rows = 64;     // rows added to a column one after the other
constexpr int64_t column_block = 4096;  // columns at a time: their accumulators stay in L1

struct Dim {
  int64_t size;
  bool reduced;
};
using Dims = InlineVector<Dim, 8>;

// The shape with neighbours of one kind merged: kept and reduced dimensions alternate.
Dims collapse(const Shape& shape, const Axes& axes) {
  Dims dims;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), static_cast<int>(i)) != axes.end();
    if (shape[i] == 1) continue;
    if (!dims.empty() && dims[dims.size() - 1].reduced == reduced) {
      dims[dims.size() - 1].size *= shape[i];
    } else {
      dims.push_back({shape[i], reduced});
    }
  }
  if (dims.empty() || (dims.size() == 1 && !dims[0].reduced)) dims.push_back({1, true});
  return dims;
}

// Counts through one kind of the leading dimensions: index -> offset of the element.
struct Walk {
  InlineVector<int64_t, 8> sizes, strides;  // innermost first
  int64_t count = 1;

  Walk() = default;
  Walk(const Dims& dims, size_t leading, bool reduced) {
    int64_t step = 1;
    for (size_t i = dims.size(); i-- > 0; step *= dims[i].size) {
      if (i >= leading || dims[i].reduced != reduced) continue;
      add(dims[i].size, step);
    }
  }
  void add(int64_t size, int64_t stride) {
    sizes.push_back(size);
    strides.push_back(stride);
    count *= size;
  }
  int64_t offset(int64_t index) const {
    int64_t at = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      at += index % sizes[i] * strides[i];
      index /= sizes[i];
    }
    return at;
  }
};

// Elements of the source on their lane, from memory where they lie there.
class Reader {
 public:
  Reader(const tile::Source& source, int width)
      : direct_(static_cast<const char*>(source.direct())), width_(width) {
    if (!direct_) cursor_.emplace(source);
  }
  bool is_direct() const { return direct_; }
  const void* at(int64_t begin, int64_t n) {
    return direct_ ? direct_ + begin * width_ : cursor_->at(begin, static_cast<int>(n));
  }

 private:
  const char* direct_;
  int width_;
  std::optional<tile::Cursor> cursor_;
};

// Uninitialised accumulators.
class Accumulators {
 public:
  Accumulators(int64_t n, int width)
      : bytes_(new char[static_cast<size_t>(n * width)]), width_(width) {}
  char* at(int64_t i) const { return bytes_.get() + i * width_; }

 private:
  std::unique_ptr<char[]> bytes_;
  int width_;
};

// One reduction of a source to a dense output.
class Run {
 public:
  Run(Reduction reduction, const tile::Source& in, const Dims& dims, const View& out)
      : kernels_(reduce_kernels(reduction, tile::lane_of(in.dtype()))),
        logical_(reduction == Reduction::all || reduction == Reduction::any),
        width_(kernels_.width),
        in_(in),
        dims_(dims),
        out_(out),
        kept_(dims, dims.size() - 1, false),
        reduced_(dims, dims.size() - 1, true),
        last_(dims[dims.size() - 1].size) {}

  void operator()() const {
    if (!dims_[dims_.size() - 1].reduced) {
      are_windows() ? windows() : columns();
    } else if (reduced_.count == 1 && last_ <= tile::tile_size) {
      short_rows();
    } else {
      rows();
    }
  }

 private:
  // Rows of at most a tile that follow each other: as many at a time as a tile holds.
  void short_rows() const {
    const int64_t batch = tile::tile_size / last_;
    const int64_t batches = (kept_.count + batch - 1) / batch;
    parallel_for(batches, parallel_grain / tile::tile_size, [&](int64_t begin, int64_t end) {
      Reader reader(in_, width_);
      const ScratchArray<uint64_t> results(tile::tile_size);
      for (int64_t b = begin; b < end; ++b) {
        const int64_t first = b * batch;
        const int64_t n = std::min(batch, kept_.count - first);
        kernels_.rows(reader.at(first * last_, n * last_), n, last_, results);
        store(results, first, n);
      }
    });
  }

  // Every result is made of chunks: several rows, or a piece of one. A chunk is made of blocks of a
  // tile, so that a source gives the same bits as memory does.
  void rows() const {
    const int64_t rows_per_chunk = std::max<int64_t>(1, piece / last_);
    const int64_t pieces = (last_ + piece - 1) / piece;
    const int64_t chunks = (reduced_.count + rows_per_chunk - 1) / rows_per_chunk * pieces;
    const Accumulators partial(kept_.count * chunks, width_);
    const int64_t work = std::min(piece, last_ * reduced_.count);
    parallel_for(kept_.count * chunks, std::max<int64_t>(1, parallel_grain / work),
                 [&](int64_t begin, int64_t end) {
                   Reader reader(in_, width_);
                   for (int64_t item = begin; item < end; ++item) {
                     const int64_t chunk = item % chunks;
                     const int64_t first_row = chunk / pieces * rows_per_chunk;
                     const int64_t from = chunk % pieces * piece;
                     reduce_chunk(reader, kept_.offset(item / chunks), first_row,
                                  std::min(reduced_.count, first_row + rows_per_chunk), from,
                                  std::min(last_, from + piece), partial.at(item));
                   }
                 });
    for (int64_t i = 0; i < kept_.count && chunks > 1; ++i) {
      kernels_.fold(partial.at(i * chunks), chunks);
      std::memmove(partial.at(i), partial.at(i * chunks), static_cast<size_t>(width_));
    }
    store_all(partial.at(0));
  }

  void reduce_chunk(Reader& reader, int64_t base, int64_t row, int64_t row_end, int64_t from,
                    int64_t to, char* out) const {
    constexpr int64_t capacity = 256;
    alignas(64) uint64_t storage[capacity];
    char* blocks = reinterpret_cast<char*>(storage);
    int64_t filled = 0;
    for (; row < row_end; ++row) {
      const int64_t start = base + reduced_.offset(row);
      for (int64_t i = from; i < to;) {
        if (filled == capacity) {
          kernels_.fold(blocks, filled);
          filled = 1;
        }
        int64_t n = std::min<int64_t>(tile::tile_size, to - i);
        int64_t count = 1;
        if (reader.is_direct() && n == tile::tile_size) {
          count = std::min((to - i) / n, capacity - filled);
        }
        kernels_.rows(reader.at(start + i, n), count, n, blocks + filled * width_);
        filled += count;
        i += count * n;
      }
    }
    kernels_.fold(blocks, filled);
    std::memcpy(out, blocks, static_cast<size_t>(width_));
  }

  // As pooling leaves them: few elements make a result, and results lie apart by a few rows.
  bool are_windows() const {
    const size_t n = dims_.size();
    return n >= 3 && dims_[n - 3].size > 1 && reduced_.count <= column_rows &&
           dims_[n - 2].size * last_ <= tile::tile_size;
  }

  // ..., outer reduced, units, taps, m: as many units at a time as a tile holds.
  void windows() const {
    const size_t n = dims_.size();
    const int64_t units = dims_[n - 3].size, taps = dims_[n - 2].size, m = last_;
    const Walk outer(dims_, n - 3, false), rows(dims_, n - 3, true);
    const int64_t batch = std::min(units, tile::tile_size / (taps * m));
    const int64_t batches = (units + batch - 1) / batch;
    const int64_t work = batch * reduced_.count * m;
    parallel_for(outer.count * batches, std::max<int64_t>(1, parallel_grain / work),
                 [&](int64_t begin, int64_t end) {
                   Reader reader(in_, width_);
                   const ScratchArray<uint64_t> results(tile::tile_size);
                   for (int64_t item = begin; item < end; ++item) {
                     const int64_t first = item % batches * batch;
                     const int64_t count = std::min(batch, units - first);
                     const int64_t base = outer.offset(item / batches) + first * taps * m;
                     for (int64_t row = 0; row < rows.count; ++row) {
                       kernels_.windows(results,
                                        reader.at(base + rows.offset(row), count * taps * m),
                                        {count, taps * m, taps, m, m}, row == 0);
                     }
                     store(results, (item / batches * units + first) * m, count * m);
                   }
                 });
  }

  // The last dimension is kept: rows of m accumulators. If m is small, `group` neighbouring rows
  // are taken for one, and the groups are combined at the end.
  void columns() const {
    const int64_t m = last_;
    const int64_t height = dims_[dims_.size() - 2].size;  // rows that follow each other
    const int64_t group = std::clamp<int64_t>(column_rows / m, 1, height);
    const int64_t rows_per_chunk = column_rows * group;
    const int64_t chunks_per_run = (height + rows_per_chunk - 1) / rows_per_chunk;
    const int64_t chunks = reduced_.count / height * chunks_per_run;
    const int64_t block = std::min(m, in_.direct() ? column_block : tile::tile_size);
    const int64_t blocks = (m + block - 1) / block;
    const int64_t results = kept_.count * m;
    Accumulators partial(chunks == 1 && in_place() ? 0 : chunks * results, width_);
    char* target = chunks == 1 && in_place() ? static_cast<char*>(out_.data) : partial.at(0);
    const int64_t work = std::min(height, rows_per_chunk) * block;
    parallel_for(kept_.count * chunks * blocks, std::max<int64_t>(1, parallel_grain / work),
                 [&](int64_t begin, int64_t end) {
                   Reader reader(in_, width_);
                   for (int64_t item = begin; item < end; ++item) {
                     const int64_t unit = item / blocks / chunks;
                     const int64_t chunk = item / blocks % chunks;
                     const int64_t column = item % blocks * block;
                     const int64_t row = chunk % chunks_per_run * rows_per_chunk;
                     const int64_t base = kept_.offset(unit) + column +
                                          reduced_.offset(chunk / chunks_per_run * height) +
                                          row * m;
                     const int64_t count = std::min(rows_per_chunk, height - row);
                     char* acc = target + ((chunk * kept_.count + unit) * m + column) * width_;
                     if (group > 1) {
                       add_groups(reader, base, count, group, acc);
                     } else {
                       fill_identity(acc, std::min(block, m - column));
                       add_block(reader, base, count, m, std::min(block, m - column), acc);
                     }
                   }
                 });
    combine_chunks(std::move(partial), chunks, results);
  }

  // acc with `count` rows of `wide` elements that lie `stride` apart.
  void add_block(Reader& reader, int64_t base, int64_t count, int64_t stride, int64_t wide,
                 char* acc) const {
    int64_t at_once = count;
    if (!reader.is_direct()) at_once = wide == stride ? tile::tile_size / wide : 1;
    for (int64_t i = 0; i < count; i += at_once) {
      const int64_t n = std::min(at_once, count - i);
      kernels_.columns(acc, reader.at(base + i * stride, n * wide), stride, n, wide);
    }
  }

  void add_groups(Reader& reader, int64_t base, int64_t count, int64_t group, char* acc) const {
    alignas(64) uint64_t storage[column_rows];
    char* wide_acc = reinterpret_cast<char*>(storage);
    const int64_t wide = group * last_;
    const int64_t left = count % group;
    fill_identity(wide_acc, wide);
    add_block(reader, base, count / group, wide, wide, wide_acc);
    if (left > 0)
      add_block(reader, base + count / group * wide, 1, left * last_, left * last_, wide_acc);
    fill_identity(acc, last_);
    kernels_.columns(acc, wide_acc, last_, group, last_);
  }

  // partial[chunk][result] -> out, column_rows chunks at a time.
  void combine_chunks(Accumulators partial, int64_t chunks, int64_t results) const {
    while (chunks > 1) {
      const int64_t left = (chunks + column_rows - 1) / column_rows;
      const bool to_out = left == 1 && in_place();
      Accumulators next(to_out ? 0 : left * results, width_);
      char* target = to_out ? static_cast<char*>(out_.data) : next.at(0);
      const int64_t blocks = (results + column_block - 1) / column_block;
      parallel_for(left * blocks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t first = item / blocks * column_rows;
          const int64_t column = item % blocks * column_block;
          const int64_t wide = std::min(column_block, results - column);
          char* acc = target + (item / blocks * results + column) * width_;
          fill_identity(acc, wide);
          kernels_.columns(acc, partial.at(first * results + column), results,
                           std::min(column_rows, chunks - first), wide);
        }
      });
      partial = std::move(next);
      chunks = left;
    }
    if (!in_place()) store_all(partial.at(0));
  }

  void fill_identity(char* acc, int64_t n) const {
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(acc + i * width_, &kernels_.identity, static_cast<size_t>(width_));
  }

  // True if accumulators are what the output stores.
  bool in_place() const { return !logical_ && static_cast<int>(size_of(out_.dtype)) == width_; }

  void store_all(const char* results) const {
    parallel_for(kept_count(), parallel_grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += tile::tile_size) {
        store(results + i * width_, i, std::min<int64_t>(tile::tile_size, end - i));
      }
    });
  }
  int64_t kept_count() const {
    return dims_[dims_.size() - 1].reduced ? kept_.count : kept_.count * last_;
  }

  // Stores n <= tile_size accumulators as the results from `first` on.
  void store(const void* results, int64_t first, int64_t n) const {
    char* to = static_cast<char*>(out_.data) + first * static_cast<int64_t>(size_of(out_.dtype));
    if (in_place()) {
      std::memcpy(to, results, static_cast<size_t>(n * width_));
      return;
    }
    alignas(64) int32_t lanes[tile::tile_size];
    if (width_ == 8) {
      for (int64_t i = 0; i < n; ++i) {
        lanes[i] = static_cast<int32_t>(static_cast<const uint64_t*>(results)[i]);
      }
    } else {
      std::memcpy(lanes, results, static_cast<size_t>(n) * sizeof(int32_t));
    }
    wrap_lanes(out_.dtype, lanes, n);
    tile::store_tile(lanes, out_.dtype, to, 1, static_cast<int>(n));
  }

  const ReduceKernels& kernels_;
  const bool logical_;
  const int width_;
  const tile::Source& in_;
  const Dims& dims_;
  const View& out_;
  const Walk kept_, reduced_;  // the dimensions before the last
  const int64_t last_;
};

// Windows of any strides, read where they lie: those of pooling overlap. False, with nothing done,
// where something else is wanted.
bool reduce_windows(Reduction reduction, const View& in, const Axes& axes, const View& out) {
  const size_t last = in.shape.size() - 1;
  const ReduceKernels& kernels = reduce_kernels(reduction, tile::lane_of(in.dtype));
  const bool logical = reduction == Reduction::all || reduction == Reduction::any;
  const int item = static_cast<int>(size_of(in.dtype));
  if (in.shape.size() < 3 || in.row_contiguous() || !out.row_contiguous() || logical ||
      item != kernels.width || size_of(out.dtype) != size_of(in.dtype) || in.strides[last] != 1 ||
      in.shape[last] > tile::tile_size) {
    return false;
  }
  Walk outer, rows;
  ReduceKernels::Windows w{0, 0, 0, 0, in.shape[last]};
  for (size_t i = last + 1; i-- > 0;) {
    const int64_t size = in.shape[i], stride = in.strides[i];
    if (std::find(axes.begin(), axes.end(), static_cast<int>(i)) != axes.end()) {
      if (i == last) return false;
      if (w.taps == 0) {
        w.taps = size;
        w.tap_step = stride;
      } else {
        rows.add(size, stride);
      }
    } else if (i != last) {
      if (w.units == 0) {
        w.units = size;
        w.unit_step = stride;
      } else {
        outer.add(size, stride);
      }
    }
  }
  if (w.units == 0 || w.taps == 0 || w.taps * rows.count > column_rows) return false;
  const int64_t units = w.units, work = w.taps * rows.count * w.m;
  const int64_t batch = std::clamp<int64_t>(column_block / work, 1, units);
  const int64_t batches = (units + batch - 1) / batch;
  parallel_for(outer.count * batches, std::max<int64_t>(1, parallel_grain / (batch * work)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t first = i % batches * batch;
                   const int64_t from = outer.offset(i / batches) + first * w.unit_step;
                   ReduceKernels::Windows part = w;
                   part.units = std::min(batch, units - first);
                   char* to = out.as<char>() + (i / batches * units + first) * w.m * item;
                   for (int64_t row = 0; row < rows.count; ++row) {
                     kernels.windows(to, in.as<char>() + (from + rows.offset(row)) * item, part,
                                     row == 0);
                   }
                 }
               });
  return true;
}

// out = the value that nothing reduces to.
void fill_with_identity(Reduction reduction, Dtype dtype, const View& out) {
  alignas(8) uint64_t identity = reduce_kernels(reduction, tile::lane_of(dtype)).identity;
  if (reduction == Reduction::all || reduction == Reduction::any) dtype = Dtype::int32;
  if (tile::lane_of(dtype) == tile::Lane::i32) {
    dtype = Dtype::int32;
  } else if (tile::lane_of(dtype) == tile::Lane::f32) {
    dtype = Dtype::float32;
  }
  tile::copy({&identity, dtype, out.shape, Strides(out.shape.size(), 0)}, out);
}

}  // namespace

void reduce(Reduction reduction, const tile::Source& in, const Axes& axes, const View& out) {
  if (out.size() == 0) return;
  if (element_count(in.shape()) == 0) {
    fill_with_identity(reduction, in.dtype(), out);
  } else if (out.row_contiguous()) {
    Run(reduction, in, collapse(in.shape(), axes), out)();
  } else {
    std::vector<uint64_t> dense((static_cast<size_t>(out.size()) * size_of(out.dtype) + 7) / 8);
    const View results{dense.data(), out.dtype, out.shape, row_major_strides(out.shape)};
    reduce(reduction, in, axes, results);
    tile::copy(results, out);
  }
}

Reduced reordered(const Order& order, const Axes& axes, const View& out) {
  Reduced result{{}, {out.data, out.dtype, {}, {}}};
  for (size_t i = 0; i < order.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), order[i]) != axes.end()) {
      result.axes.push_back(static_cast<int>(i));
      continue;
    }
    size_t kept = static_cast<size_t>(order[i]);
    for (int axis : axes) kept -= axis < order[i];
    result.out.shape.push_back(out.shape[kept]);
    result.out.strides.push_back(out.strides[kept]);
  }
  return result;
}

void reduce(Reduction reduction, const View& in, const Axes& axes, const View& out) {
  const Order order = memory_order(in.shape, in.strides);
  const View source = reordered(in, order);
  const Reduced reduced = reordered(order, axes, out);
  if (out.size() > 0 && in.size() > 0 &&
      reduce_windows(reduction, source, reduced.axes, reduced.out)) {
    return;
  }
  reduce(reduction, tile::Source(source), reduced.axes, reduced.out);
}

}  // namespace heddle::cpu
