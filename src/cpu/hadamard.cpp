// The Hadamard transform of rows.
#include "ops/hadamard.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/threads.h"
#include "cpu/kernel.h"
#include "cpu/pointwise.h"
#include "cpu/row_access.h"
#include "cpu/scratch_array.h"

namespace heddle::cpu {
namespace {

// A square matrix of 1 and -1.
struct Signs {
  int size;
  std::vector<int8_t> values;
  explicit Signs(int n) : size(n), values(static_cast<size_t>(n * n)) {}
  int8_t& at(int row, int column) { return values[static_cast<size_t>(row * size + column)]; }
  int8_t at(int row, int column) const { return values[static_cast<size_t>(row * size + column)]; }
};

// Paley's second construction for the prime q = 1 mod 4, of size 2 (q + 1): each entry of the
// bordered matrix of quadratic residues becomes a block, zeros on its diagonal another.
Signs paley(int q) {
  auto residue = [&](int x) {
    x = (x % q + q) % q;
    if (x == 0) return 0;
    for (int i = 1; i < q; i++) {
      if (i * i % q == x) return 1;
    }
    return -1;
  };
  Signs h(2 * (q + 1));
  for (int i = 0; i <= q; i++) {
    for (int j = 0; j <= q; j++) {
      const int c = i == j ? 0 : i == 0 || j == 0 ? 1 : residue(i - j);
      const int block[4] = {c == 0 ? 1 : c, c == 0 ? -1 : c, c == 0 ? -1 : c, c == 0 ? -1 : -c};
      for (int k = 0; k < 4; k++)
        h.at(2 * i + k / 2, 2 * j + k % 2) = static_cast<int8_t>(block[k]);
    }
  }
  return h;
}

// Williamson's construction: the circulant matrices of four symmetric rows, arranged as a
// quaternion's matrix.
Signs williamson(const std::array<std::string_view, 4>& rows) {
  static constexpr int part[4][4] = {{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}};
  static constexpr int sign[4][4] = {{1, -1, -1, -1}, {1, 1, 1, -1}, {1, -1, 1, 1}, {1, 1, -1, 1}};
  const int n = static_cast<int>(rows[0].size());
  Signs h(4 * n);
  for (int i = 0; i < 4 * n; i++) {
    for (int j = 0; j < 4 * n; j++) {
      const std::string_view row = rows[static_cast<size_t>(part[i / n][j / n])];
      const int value = row[static_cast<size_t>((j % n - i % n + n) % n)] == '+' ? 1 : -1;
      h.at(i, j) = static_cast<int8_t>(sign[i / n][j / n] * value);
    }
  }
  return h;
}

// The matrix that powers of two multiply in size n; null for powers of two alone.
const Signs* base_matrix(int64_t n) {
  // Never destroyed, for threads that still evaluate at the end.
  static const Signs& twelve = *new Signs(paley(5));
  static const Signs& twenty = *new Signs(williamson({"+----", "-++++", "--++-", "-+--+"}));
  static const Signs& twenty_eight =
      *new Signs(williamson({"+------", "--++++-", "-+-++-+", "-++--++"}));
  while (n % 2 == 0) {
    for (const Signs* h : {&twelve, &twenty, &twenty_eight}) {
      if (n == h->size) return h;
    }
    n /= 2;
  }
  return nullptr;
}

// Powers of two, in place: sums and differences at distances 1, 2, 4, ...
template <class T>
void butterflies(T* x, int64_t n) {
  for (int64_t half = 1; half < n; half *= 2) {
    for (int64_t i = 0; i < n; i += 2 * half) {
      T *low = x + i, *high = low + half;
      for (int64_t k = 0; k < half; k++) {
        const T a = low[k], b = high[k];
        low[k] = a + b;
        high[k] = a - b;
      }
    }
  }
}

// The m parts of a row combined by the matrix, some columns at a time.
template <class T>
void combine(const Signs& h, bool transposed, T* x, int64_t part) {
  constexpr int64_t width = 64;
  constexpr int most = 28;
  const ScratchArray<T> memory(most * width);
  const auto sums = [&](int i) { return memory + i * width; };
  for (int64_t first = 0; first < part; first += width) {
    const int64_t n = std::min(width, part - first);
    for (int i = 0; i < h.size; i++) {
      std::fill_n(sums(i), n, T(0));
      for (int j = 0; j < h.size; j++) {
        const T sign = transposed ? h.at(j, i) : h.at(i, j);
        const T* from = x + j * part + first;
        for (int64_t k = 0; k < n; k++) sums(i)[k] += sign * from[k];
      }
    }
    for (int i = 0; i < h.size; i++) std::copy_n(sums(i), n, x + i * part + first);
  }
}

const RegisterKernel<Hadamard> hadamard_kernel([](const Work& w) {
  const auto& op = op_of<Hadamard>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const int64_t n = out.shape.back();
  const Signs* base = base_matrix(n);
  const int64_t part = base ? n / base->size : n;
  const double scale = op.orthonormal ? 1 / std::sqrt(static_cast<double>(n)) : op.scale.value;
  const View to = out.view();
  const InputSource source = source_of(w);
  visit_float_lane(out.dtype, [&]<class T>(TypeTag<T>) {
    parallel_for(out.size() / n, rows_grain(n), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(source, n);
      RowWriter<T> writer(to, n);
      for (int64_t row = begin; row < end; row++) {
        T* x = writer.at(row, 1);
        std::copy_n(reader.at(row, 1), n, x);
        for (int64_t i = 0; i < n; i += part) butterflies(x + i, part);
        if (base) combine(*base, op.transposed, x, part);
        for (int64_t i = 0; i < n; i++) x[i] *= static_cast<T>(scale);
        writer.write(row, 1);
      }
    });
  });
});

}  // namespace
}  // namespace heddle::cpu
