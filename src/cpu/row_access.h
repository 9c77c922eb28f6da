// Whole rows of a source and of an output on the lane T (float or double): in place in memory where
// they lie there as T, else through a buffer.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "core/threads.h"
#include "core/view.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// Rows of n elements; one reader for each thread.
template <class T>
class RowReader {
 public:
  RowReader(const tile::Source& source, int64_t n)
      : direct_(static_cast<const T*>(source.direct())), n_(n) {
    if (!direct_) cursor_.emplace(source);
  }
  // `count` rows from `first` on, dense; valid until the next call.
  const T* at(int64_t first, int64_t count) {
    if (direct_) return direct_ + first * n_;
    const int64_t total = count * n_;
    if (total <= tile::tile_size) {
      return static_cast<const T*>(cursor_->at(first * n_, static_cast<int>(total)));
    }
    buffer_.resize(static_cast<size_t>(total));
    for (int64_t i = 0; i < total; i += tile::tile_size) {
      const int part = static_cast<int>(std::min<int64_t>(tile::tile_size, total - i));
      const T* tile = static_cast<const T*>(cursor_->at(first * n_ + i, part));
      std::copy(tile, tile + part, buffer_.begin() + i);
    }
    return buffer_.data();
  }

 private:
  const T* direct_;
  int64_t n_;
  std::optional<tile::Cursor> cursor_;
  std::vector<T> buffer_;
};

// Rows of n elements of a dense output whose dtype is on the lane T; one writer for each thread.
template <class T>
class RowWriter {
 public:
  RowWriter(const View& out, int64_t n) : out_(out), n_(n), direct_(out.dtype == dtype_of<T>) {}
  // Where to put `count` rows from `first` on; write() stores them.
  T* at(int64_t first, int64_t count) {
    if (direct_) return out_.as<T>() + first * n_;
    // store_tile reads whole vectors.
    buffer_.resize(static_cast<size_t>(count * n_ + tile::tile_size));
    return buffer_.data();
  }
  void write(int64_t first, int64_t count) {
    if (direct_) return;
    const int64_t total = count * n_;
    const int64_t itemsize = static_cast<int64_t>(size_of(out_.dtype));
    for (int64_t i = 0; i < total; i += tile::tile_size) {
      tile::store_tile(buffer_.data() + i, out_.dtype,
                       out_.as<char>() + (first * n_ + i) * itemsize, 1,
                       static_cast<int>(std::min<int64_t>(tile::tile_size, total - i)));
    }
  }

 private:
  const View& out_;
  int64_t n_;
  bool direct_;
  std::vector<T> buffer_;
};

// Rows of n elements that are worth a fetch from a source.
inline int64_t rows_at_once(int64_t n) { return std::max<int64_t>(1, tile::tile_size / n); }

// Rows of n elements that are worth a thread; a multiple of rows_at_once(n).
inline int64_t rows_grain(int64_t n) {
  return rows_at_once(n) * std::max<int64_t>(1, parallel_grain / 2 / (rows_at_once(n) * n));
}

// Calls f(TypeTag<float or double>{}) for a dtype on one of these lanes.
template <class F>
void visit_float_lane(Dtype dtype, F&& f) {
  if (tile::lane_of(dtype) == tile::Lane::f64) {
    f(TypeTag<double>{});
  } else {
    f(TypeTag<float>{});
  }
}

}  // namespace heddle::cpu
