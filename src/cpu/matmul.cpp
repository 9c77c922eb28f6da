#include "cpu/matmul.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/threads.h"
#include "cpu/gemm.h"
#include "cpu/product_stack.h"
#include "cpu/scratch.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

Stack::Side side_of(const View& v) {
  Stack::Side s;
  size_t n = v.shape.size() - 2;
  s.data = v.as<const char>();
  s.batch = Strides(v.strides.begin(), v.strides.begin() + n);
  s.row_stride = v.strides[n];
  s.column_stride = v.strides[n + 1];
  return s;
}

void drop_dimension(Stack& s, size_t d) {
  s.batch.erase(s.batch.begin() + d);
  for (auto& side : s.sides) {
    if (side.data) side.batch.erase(side.batch.begin() + d);
  }
}

// Drops batch dimensions of extent 1, joins neighbours that every operand walks in one stride, and
// turns the innermost batch dimension into rows where all its entries share b.
void merge_batch(Stack& s) {
  for (size_t d = s.batch.size(); d-- > 0;) {
    if (s.batch[d] == 1) drop_dimension(s, d);
  }
  for (size_t d = s.batch.size(); d-- > 1;) {
    bool joined = true;
    for (auto& side : s.sides) {
      joined = joined && (!side.data || side.batch[d - 1] == side.batch[d] * s.batch[d]);
    }
    if (!joined) continue;
    for (auto& side : s.sides) {
      if (side.data) side.batch[d - 1] = side.batch[d];
    }
    s.batch[d - 1] *= s.batch[d];
    drop_dimension(s, d);
  }
  while (!s.batch.empty()) {
    size_t d = s.batch.size() - 1;
    auto rows_continue = [&](Stack::Side& side) {
      return !side.data || s.M == 1 || side.batch[d] == s.M * side.row_stride;
    };
    if (s.sides[operand_b].batch[d] != 0 || !rows_continue(s.sides[operand_a]) ||
        !rows_continue(s.sides[operand_addend])) {
      break;
    }
    if (s.M == 1) {
      s.sides[operand_a].row_stride = s.sides[operand_a].batch[d];
      if (s.sides[operand_addend].data) {
        s.sides[operand_addend].row_stride = s.sides[operand_addend].batch[d];
      }
    }
    s.M *= s.batch[d];
    drop_dimension(s, d);
  }
}

// Whether a matrix of these extents is dense along one of its dimensions; strides of dimensions of
// extent 1 are made so.
bool dense_in_one(int64_t rows, int64_t columns, int64_t& row_stride, int64_t& column_stride) {
  if (columns == 1 && row_stride > 0) {
    column_stride = 1;
    return true;
  }
  if (rows == 1 && column_stride > 0) {
    row_stride = column_stride == 1 ? columns : 1;
    return true;
  }
  return (column_stride == 1 && row_stride >= columns) ||
         (row_stride == 1 && column_stride >= rows);
}

// Gives one operand a dense copy in scratch memory; shared entries of the batch are copied once.
class DenseCopy {
 public:
  void make(Stack& s, Operand o, int64_t rows, int64_t columns) {
    Stack::Side& side = s.sides[o];
    View from{const_cast<char*>(side.data), s.dtype, s.batch, side.batch};
    for (size_t d = 0; d < s.batch.size(); d++) {
      if (side.batch[d] == 0) from.shape[d] = 1;
    }
    from.shape.push_back(rows);
    from.shape.push_back(columns);
    from.strides.push_back(side.row_stride);
    from.strides.push_back(side.column_stride);
    View to = from;
    to.strides = row_major_strides(to.shape);
    space_.emplace(to.size() * size_of(s.dtype));
    to.data = space_->data();
    tile::copy(from, to);
    side.data = space_->as<const char>();
    for (size_t d = 0; d < s.batch.size(); d++) {
      side.batch[d] = from.shape[d] == 1 ? 0 : to.strides[d];
    }
    side.row_stride = columns;
    side.column_stride = 1;
  }

 private:
  std::optional<Scratch> space_;
};

// Every product of the stack by one of heddle's own kernels: entries in parallel if they are many,
// else each in parallel inside.
template <class Kernel>
void each_entry(const Stack& s, const Epilogue& e, Kernel&& kernel) {
  int64_t count = s.count();
  int64_t work = std::max<int64_t>(1, s.M * s.N * std::max<int64_t>(s.K, 1));
  auto range = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      kernel(s.M, s.N, s.K, s.matrix(operand_a, i), s.matrix(operand_b, i), finish_of(s, e, i));
    }
  };
  constexpr int64_t entry_work = 1 << 16;
  if (work >= entry_work && count < 4 * num_threads()) {
    range(0, count);
  } else {
    parallel_for(count, std::max<int64_t>(1, entry_work / work), range);
  }
}

void store_zero_sums(const Stack& s, const Epilogue& e) {
  each_entry(s, e,
             [](int64_t M, int64_t N, int64_t, const Matrix&, const Matrix&, const Finish& f) {
               Scratch zeros(N * sizeof(double));
               std::memset(zeros.data(), 0, N * sizeof(double));
               for (int64_t m = 0; m < M; m++) store_sums(f, m, 0, zeros.data(), N);
             });
}

// Up to which M N K heddle's own small product is faster than oneDNN's primitive. Measured on one
// core of a machine with AVX-512, AMX and AVX512-FP16: at 48^3 float32 takes 1.3 us against 1.7, at
// 32^3 bfloat16 0.9 against 1.0, at 16^3 float16 0.6 against 0.7.
int64_t small_limit(Dtype t) {
  if (!is_half(t) || !onednn::native(t)) return small_product;
  return t == Dtype::bfloat16 ? 1 << 15 : 1 << 12;
}

void multiply_densely(Stack& s, const Epilogue& e) {
  DenseCopy a_copy, b_copy;
  auto& a = s.sides[operand_a];
  auto& b = s.sides[operand_b];
  if (!dense_in_one(s.M, s.K, a.row_stride, a.column_stride)) a_copy.make(s, operand_a, s.M, s.K);
  if (!dense_in_one(s.K, s.N, b.row_stride, b.column_stride)) b_copy.make(s, operand_b, s.K, s.N);
  if (!multiply_by_onednn(s, e)) each_entry(s, e, gemm);
}

View transposed(View v) {
  size_t rank = v.shape.size();
  std::swap(v.shape[rank - 2], v.shape[rank - 1]);
  std::swap(v.strides[rank - 2], v.strides[rank - 1]);
  return v;
}

// Pairs (re, im) as two columns.
View as_real(View v) {
  v.dtype = Dtype::float32;
  for (auto& stride : v.strides) stride *= 2;
  v.strides.back() = 1;
  v.shape.back() *= 2;
  return v;
}

View densely(const View& v, std::optional<Scratch>& space) {
  View dense{nullptr, v.dtype, v.shape, row_major_strides(v.shape)};
  space.emplace(v.size() * sizeof(complex64_t));
  dense.data = space->data();
  tile::copy(v, dense);
  return dense;
}

// Each element x + iy of b as the block [[x, y], [-y, x]].
View real_blocks(const View& b, std::optional<Scratch>& space) {
  const size_t rank = b.shape.size();
  View unique = b;  // without the entries that broadcasting repeats
  for (size_t d = 0; d + 2 < rank; d++) {
    if (unique.strides[d] == 0) unique.shape[d] = 1;
  }
  const int64_t K = b.shape[rank - 2], N = b.shape[rank - 1];
  Shape shape = unique.shape;
  shape[rank - 2] *= 2;
  shape[rank - 1] *= 2;
  View blocks{nullptr, Dtype::float32, shape, row_major_strides(shape)};
  space.emplace(blocks.size() * sizeof(float));
  blocks.data = space->data();
  // Several rows at a time, so that lines of memory are used whole whichever way b is stored.
  constexpr int64_t group = 8;
  const int64_t rows = unique.size() / N, step = b.strides[rank - 1];
  const int64_t grain = std::max<int64_t>(group, parallel_grain / (4 * N) / group * group);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    const complex64_t* from[group];
    for (int64_t row = begin; row < end; row += group) {
      int64_t count = std::min(group, end - row);
      for (int64_t r = 0; r < count; r++) {
        int64_t offset = (row + r) % K * b.strides[rank - 2], rest = (row + r) / K;
        for (size_t d = rank - 2; d-- > 0;) {
          offset += rest % unique.shape[d] * unique.strides[d];
          rest /= unique.shape[d];
        }
        from[r] = b.as<complex64_t>() + offset;
      }
      for (int64_t n = 0; n < N; n++) {
        for (int64_t r = 0; r < count; r++) {
          complex64_t z = from[r][n * step];
          float* to = blocks.as<float>() + (row + r) * 4 * N + 2 * n;
          to[0] = z.real();
          to[1] = z.imag();
          to[2 * N] = -z.imag();
          to[2 * N + 1] = z.real();
        }
      }
    }
  });
  for (size_t d = 0; d + 2 < rank; d++) {
    if (blocks.shape[d] != b.shape[d]) {
      blocks.shape[d] = b.shape[d];
      blocks.strides[d] = 0;
    }
  }
  return blocks;
}

// The product of complex matrices as one of real matrices. With rows of a read as pairs (re, im)
// and elements of b as blocks, pairs come out.
void multiply_complex(const View& a, const View& b, const View& out, const Epilogue& e) {
  std::optional<Scratch> a_space, b_space, addend_space;
  const View a_pairs = as_real(a.strides.back() == 1 ? a : densely(a, a_space));
  const View blocks = real_blocks(b, b_space);
  Epilogue real = e;
  View addend;
  if (e.addend && e.beta != 0) {
    addend = as_real(e.addend->strides.back() == 1 ? *e.addend : densely(*e.addend, addend_space));
    real.addend = &addend;
  } else {
    real.addend = nullptr;
  }
  matmul(a_pairs, blocks, as_real(out), real);
}

// There are no products to sum: pairs of real zeros.
void complex_zero_sums(const View& a, const View& out, const Epilogue& e) {
  const size_t rank = out.shape.size();
  View zero_sums = out, addend;
  zero_sums.dtype = Dtype::float32;
  zero_sums.shape.push_back(2);
  zero_sums.strides = row_major_strides(zero_sums.shape);
  Epilogue real = e;
  if (e.addend && e.beta != 0) {
    addend = *e.addend;
    addend.dtype = Dtype::float32;
    for (auto& stride : addend.strides) stride *= 2;
    addend.shape.push_back(2);
    addend.strides.push_back(1);
    real.addend = &addend;
  }
  View left{a.data, Dtype::float32, zero_sums.shape, Strides(rank + 1)};
  View right = left;
  left.shape[rank] = 0;
  right.shape[rank - 1] = 0;
  matmul(left, right, zero_sums, real);
}

// Where one of the operands is a vector.
void multiply_vector(Stack& s, const Epilogue& e) {
  const auto& left = s.sides[operand_a];
  const auto& right = s.sides[operand_b];
  DenseCopy copy;
  if (s.M == 1 && right.row_stride != 1 && right.column_stride != 1 && s.N > 1 && s.K > 1) {
    copy.make(s, operand_b, s.K, s.N);
  } else if (s.M > 1 && left.row_stride != 1 && left.column_stride != 1 && s.K > 1) {
    copy.make(s, operand_a, s.M, s.K);
  }
  each_entry(s, e, gemv);
}

}  // namespace

void matmul(const View& a, const View& b, const View& out, const Epilogue& e) {
  if (out.size() == 0) return;
  size_t rank = out.shape.size();
  int64_t K = a.shape[rank - 1];
  if (out.dtype == Dtype::complex64 && K > 0) {
    if (out.shape[rank - 2] > 1 || b.strides[rank - 2] != 1) return multiply_complex(a, b, out, e);
    // One row: the transposed product, which has the vector rearranged and not the matrix.
    View addend;
    Epilogue turned = e;
    if (e.addend) turned.addend = &(addend = transposed(*e.addend));
    return multiply_complex(transposed(b), transposed(a), transposed(out), turned);
  }

  if (out.dtype == Dtype::complex64) return complex_zero_sums(a, out, e);

  Stack s{out.dtype,
          out.shape[rank - 2],
          out.shape[rank - 1],
          K,
          Shape(out.shape.begin(), out.shape.end() - 2),
          {},
          out.as<char>()};
  s.sides[operand_a] = side_of(a);
  s.sides[operand_b] = side_of(b);
  if (e.addend && e.beta != 0) s.sides[operand_addend] = side_of(*e.addend);
  if (K == 0) return store_zero_sums(s, e);
  merge_batch(s);

  if (s.M == 1 || s.N == 1) return multiply_vector(s, e);
  if (s.M * s.N * s.K <= small_limit(s.dtype)) return each_entry(s, e, gemm_small);
  if (!onednn::native(s.dtype)) return each_entry(s, e, gemm);
  multiply_densely(s, e);
}

}  // namespace heddle::cpu
