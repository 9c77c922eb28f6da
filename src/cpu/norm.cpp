#include "cpu/norm.h"

#include <vector>

#include "cpu/reduce.h"
#include "cpu/row_access.h"
#include "cpu/softmax_norm_kernels.h"

namespace heddle::cpu {
namespace {

// Rows whose share of the cotangent of the weight is summed one after the other; the shares are
// summed by reduce(). Fixed, so that the result is.
constexpr int64_t rows_per_share = 64;

// A vector of n elements as T; `value` throughout if there is none.
template <class T>
std::vector<T> vector_or(const View* v, int64_t n, T value) {
  std::vector<T> dense(static_cast<size_t>(n), value);
  if (v) tile::copy(*v, {dense.data(), dtype_of<T>, {n}, {1}});
  return dense;
}

void norm(const tile::Source& x, const View* weight, const View* bias, double eps, bool center,
          const View& out) {
  if (out.size() == 0) return;
  const int64_t n = out.shape[out.shape.size() - 1];
  visit_float_lane(x.dtype(), [&]<class T>(TypeTag<T>) {
    const RowKernels<T>& kernels = row_kernels<T>();
    const std::vector<T> w = vector_or<T>(weight, n, 1);
    const std::vector<T> b = vector_or<T>(bias, n, 0);
    const int64_t batch = rows_at_once(n);
    parallel_for(out.size() / n, rows_grain(n), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x, n);
      RowWriter<T> writer(out, n);
      for (int64_t row = begin; row < end; row += batch) {
        const int64_t count = std::min(batch, end - row);
        const T* from = reader.at(row, count);
        T* to = writer.at(row, count);
        for (int64_t i = 0; i < count; ++i) {
          kernels.norm(from + i * n, n, w.data(), b.data(), static_cast<T>(eps), center,
                       to + i * n);
        }
        writer.write(row, count);
      }
    });
  });
}

void norm_vjp(const tile::Source& x, const View* weight, const tile::Source& cotangent, double eps,
              bool center, const View& gx, const View* gw, const View* gb) {
  const int64_t n = gx.shape[gx.shape.size() - 1];
  const int64_t rows = n == 0 ? 0 : gx.size() / n;
  const int64_t shares = (rows + rows_per_share - 1) / rows_per_share;
  visit_float_lane(x.dtype(), [&]<class T>(TypeTag<T>) {
    const RowKernels<T>& kernels = row_kernels<T>();
    const std::vector<T> w = vector_or<T>(weight, n, 1);
    std::vector<T> weight_shares(static_cast<size_t>(shares * n), T(0));
    std::vector<T> bias_shares(static_cast<size_t>(shares * n), T(0));
    const int64_t grain =
        std::max<int64_t>(1, parallel_grain / (rows_per_share * std::max<int64_t>(n, 1)));
    parallel_for(shares, grain, [&](int64_t begin, int64_t end) {
      RowReader<T> x_rows(x, n);
      RowReader<T> g_rows(cotangent, n);
      RowWriter<T> writer(gx, n);
      for (int64_t row = begin * rows_per_share; row < std::min(rows, end * rows_per_share);
           ++row) {
        const int64_t share = row / rows_per_share * n;
        kernels.norm_vjp(x_rows.at(row, 1), g_rows.at(row, 1), n, w.data(), static_cast<T>(eps),
                         center, writer.at(row, 1), weight_shares.data() + share,
                         bias_shares.data() + share);
        writer.write(row, 1);
      }
    });
    const auto total = [&](std::vector<T>& parts, const View* out) {
      if (!out) return;
      reduce(Reduction::sum, View{parts.data(), dtype_of<T>, {shares, n}, {n, 1}}, {0}, *out);
    };
    total(weight_shares, gw);
    total(bias_shares, gb);
  });
}

}  // namespace

void layer_norm(const tile::Source& x, const View* weight, const View* bias, double eps,
                const View& out) {
  norm(x, weight, bias, eps, true, out);
}

void rms_norm(const tile::Source& x, const View* weight, double eps, const View& out) {
  norm(x, weight, nullptr, eps, false, out);
}

void layer_norm_vjp(const tile::Source& x, const View* weight, const tile::Source& cotangent,
                    double eps, const View& gx, const View* gw, const View* gb) {
  norm_vjp(x, weight, cotangent, eps, true, gx, gw, gb);
}

void rms_norm_vjp(const tile::Source& x, const View* weight, const tile::Source& cotangent,
                  double eps, const View& gx, const View* gw) {
  norm_vjp(x, weight, cotangent, eps, false, gx, gw, nullptr);
}

}  // namespace heddle::cpu
