#include "cpu/softmax.h"

#include <cmath>

#include "cpu/row_access.h"
#include "cpu/softmax_norm_kernels.h"

namespace heddle::cpu {
namespace {

int64_t row_length(const Shape& shape) { return shape.empty() ? 1 : shape[shape.size() - 1]; }

}  // namespace

void softmax(const tile::Source& in, const View& out) {
  const int64_t n = row_length(in.shape());
  if (out.size() == 0) return;
  visit_float_lane(in.dtype(), [&]<class T>(TypeTag<T>) {
    const RowKernels<T>& kernels = row_kernels<T>();
    const int64_t batch = rows_at_once(n);
    parallel_for(out.size() / n, rows_grain(n), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(in, n);
      RowWriter<T> writer(out, n);
      for (int64_t row = begin; row < end; row += batch) {
        const int64_t count = std::min(batch, end - row);
        const T* x = reader.at(row, count);
        T* y = writer.at(row, count);
        for (int64_t i = 0; i < count; ++i) kernels.softmax(x + i * n, n, y + i * n);
        writer.write(row, count);
      }
    });
  });
}

void logsumexp(const tile::Source& in, const View& out) {
  const int64_t n = row_length(in.shape());
  visit_float_lane(in.dtype(), [&]<class T>(TypeTag<T>) {
    const RowKernels<T>& kernels = row_kernels<T>();
    const int64_t batch = n == 0 ? tile::tile_size : rows_at_once(n);
    parallel_for(out.size(), n == 0 ? batch : rows_grain(n), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(in, n);
      RowWriter<T> writer(out, 1);
      for (int64_t row = begin; row < end; row += batch) {
        const int64_t count = std::min(batch, end - row);
        const T* x = n == 0 ? nullptr : reader.at(row, count);
        T* y = writer.at(row, count);
        for (int64_t i = 0; i < count; ++i) {
          y[i] = n == 0 ? static_cast<T>(-INFINITY) : kernels.logsumexp(x + i * n, n);
        }
        writer.write(row, count);
      }
    });
  });
}

}  // namespace heddle::cpu
