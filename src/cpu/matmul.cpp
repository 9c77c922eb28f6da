#include "cpu/matmul.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/threads.h"
#include "cpu/gemm.h"
#include "cpu/scratch.h"
#include "cpu/tile/program.h"

namespace heddle::cpu {
namespace {

constexpr int most_operands = 3;
enum Operand { operand_a, operand_b, operand_addend };

// A stack of products with its batch dimensions merged as far as the strides allow. The result is
// dense, so its batch stride is M * N.
struct Stack {
  Dtype dtype;
  int64_t M, N, K;
  Shape batch;
  struct Side {
    const char* data = nullptr;
    Strides batch;
    int64_t row_stride = 0, column_stride = 0;
  } sides[most_operands];
  char* out;

  int64_t count() const { return element_count(batch); }

  const char* at(Operand o, int64_t entry) const {
    const Side& s = sides[o];
    int64_t offset = 0;
    for (size_t d = batch.size(); d-- > 0;) {
      offset += entry % batch[d] * s.batch[d];
      entry /= batch[d];
    }
    return s.data + offset * static_cast<int64_t>(size_of(dtype));
  }
  Matrix matrix(Operand o, int64_t entry) const {
    const Side& s = sides[o];
    return {s.data ? at(o, entry) : nullptr, dtype, s.row_stride, s.column_stride};
  }
};

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

Finish finish_of(const Stack& s, const Epilogue& e, int64_t entry) {
  Finish f{s.out + entry * s.M * s.N * static_cast<int64_t>(size_of(s.dtype)), s.dtype, s.N};
  f.alpha = e.alpha;
  f.beta = e.beta;
  f.addend = s.matrix(operand_addend, entry);
  f.tail = e.tail;
  return f;
}

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

onednn::Tensor tensor_of(const Stack& s, Operand o, int64_t rows, int64_t columns, size_t first) {
  const Stack::Side& side = s.sides[o];
  onednn::Tensor t;
  t.dtype = static_cast<int64_t>(s.dtype);
  auto add = [&](int64_t extent, int64_t stride) {
    t.dims[t.rank] = stride == 0 ? 1 : extent;
    t.strides[t.rank++] = stride;
  };
  for (size_t d = first; d < s.batch.size(); d++) add(s.batch[d], side.batch[d]);
  add(rows, side.row_stride);
  add(columns, side.column_stride);
  // oneDNN wants strides of broadcast dimensions to make sense, too: those of a dense array.
  for (int64_t d = t.rank; d-- > 0;) {
    if (t.strides[d] == 0) {
      t.strides[d] = d + 1 < t.rank ? t.dims[d + 1] * t.strides[d + 1] : 1;
    }
  }
  return t;
}

// The addend as oneDNN's binary post-op takes it: a scalar, a row, or all of a dense array.
bool suits_post_op(const Stack& s) {
  const Stack::Side& c = s.sides[operand_addend];
  bool row = c.row_stride == 0 && (c.column_stride == 1 || s.N == 1);
  for (int64_t stride : c.batch) row = row && stride == 0;
  if (row) return true;
  if (c.column_stride != 1 || c.row_stride != s.N) return false;
  int64_t dense = s.M * s.N;
  for (size_t d = s.batch.size(); d-- > 0;) {
    if (c.batch[d] != dense) return false;
    dense *= s.batch[d];
  }
  return true;
}

// Up to which M N K heddle's own small product is faster than oneDNN's primitive. Measured on one
// core of a machine with AVX-512, AMX and AVX512-FP16: at 48^3 float32 takes 1.3 us against 1.7, at
// 32^3 bfloat16 0.9 against 1.0, at 16^3 float16 0.6 against 0.7.
int64_t small_limit(Dtype t) {
  if (!is_half(t) || !onednn::native(t)) return small_product;
  return t == Dtype::bfloat16 ? 1 << 15 : 1 << 12;
}

// Whether dnnl_sgemm is ahead of the primitive although it takes no post-ops, so that an addend has
// to be copied to the result before. On AVX2 it is at nearly every size. On AVX-512 it is for a few
// rows, (8, 768) x (768, 768) in 28 us against 33 on two cores, and, since it packs its operands,
// for large products: with a row as addend on one core (1024, 384) x (384, 1536) takes 7.1 ms
// against 7.9, (1024, 1536) x (1536, 384) 7.3 against 8.0, 2048^3 97 against 110, and with b
// stored by columns 7.2 against 7.5, 7.5 against 7.6, 102 against 106. With a stored by columns it
// is ahead or behind depending on the shape, by up to a seventh.
bool sgemm_is_faster(const Stack& s) {
  constexpr int64_t few_rows = 8, many_rows = 256, deep = 256, large = int64_t{1} << 24;
  if (!onednn::has_avx512() || s.M <= few_rows) return true;
  return s.sides[operand_a].column_stride == 1 && s.K >= deep && s.M * s.N * s.K >= large &&
         (s.sides[operand_b].column_stride == 1 || s.M >= many_rows);
}

void multiply_by_onednn(Stack& s, const Epilogue& e) {
  DenseCopy a_copy, b_copy;
  auto& a = s.sides[operand_a];
  auto& b = s.sides[operand_b];
  if (!dense_in_one(s.M, s.K, a.row_stride, a.column_stride)) a_copy.make(s, operand_a, s.M, s.K);
  if (!dense_in_one(s.K, s.N, b.row_stride, b.column_stride)) b_copy.make(s, operand_b, s.K, s.N);

  bool has_addend = s.sides[operand_addend].data != nullptr;
  bool by_sgemm = s.dtype == Dtype::float32 && sgemm_is_faster(s) && e.tail == onednn::Tail::none;
  bool into_out = has_addend && (by_sgemm || !suits_post_op(s));
  if (into_out) {
    const auto& c = s.sides[operand_addend];
    View from{const_cast<char*>(c.data), s.dtype, s.batch, c.batch};
    from.shape.push_back(s.M);
    from.shape.push_back(s.N);
    from.strides.push_back(c.row_stride);
    from.strides.push_back(c.column_stride);
    tile::copy(from, {s.out, s.dtype, from.shape, row_major_strides(from.shape)});
  }

  constexpr size_t most_batch = 2;
  size_t first = by_sgemm ? s.batch.size() : s.batch.size() - std::min(s.batch.size(), most_batch);
  // oneDNN takes no dimension that only the result has.
  for (size_t d = s.batch.size(); d-- > first;) {
    if (a.batch[d] == 0 && b.batch[d] == 0) {
      first = d + 1;
      break;
    }
  }
  int64_t inner = 1;
  for (size_t d = first; d < s.batch.size(); d++) inner *= s.batch[d];

  onednn::MatmulRequest request;
  request.a = tensor_of(s, operand_a, s.M, s.K, first);
  request.b = tensor_of(s, operand_b, s.K, s.N, first);
  Stack result = s;
  Stack::Side& dense = result.sides[operand_a];
  dense.row_stride = s.N;
  dense.column_stride = 1;
  int64_t step = s.M * s.N;
  for (size_t d = s.batch.size(); d-- > 0; step *= s.batch[d]) dense.batch[d] = step;
  request.out = tensor_of(result, operand_a, s.M, s.N, first);
  request.alpha = e.alpha;
  request.tail = e.tail;
  // AMX wants pairs of rows of b interleaved. For b stored by rows it is faster to do that once
  // than in each block: at 1024^3 1.6 ms instead of 2.2 on one core, at 256^3 it makes no
  // difference.
  constexpr int64_t many_rows = 512;
  request.pack_b = s.dtype == Dtype::bfloat16 && s.M >= many_rows && b.column_stride == 1;
  if (has_addend) {
    request.beta = e.beta;
    request.accumulate = into_out;
    if (!into_out) request.addend = tensor_of(s, operand_addend, s.M, s.N, first);
  }

  for (int64_t i = 0; i < s.count(); i += inner) {
    const char* a_data = s.at(operand_a, i);
    const char* b_data = s.at(operand_b, i);
    char* out = s.out + i * s.M * s.N * static_cast<int64_t>(size_of(s.dtype));
    if (by_sgemm) {
      bool turn_a = a.column_stride != 1, turn_b = b.column_stride != 1;
      onednn::sgemm(turn_a, turn_b, s.M, s.N, s.K, static_cast<float>(e.alpha),
                    reinterpret_cast<const float*>(a_data), turn_a ? a.column_stride : a.row_stride,
                    reinterpret_cast<const float*>(b_data), turn_b ? b.column_stride : b.row_stride,
                    into_out ? static_cast<float>(e.beta) : 0.f, reinterpret_cast<float*>(out),
                    s.N);
    } else if (!onednn::matmul(request, a_data, b_data, out,
                               has_addend ? s.at(operand_addend, i) : nullptr)) {
      each_entry(s, e, gemm);
      return;
    }
  }
}

View transposed(View v) {
  size_t rank = v.shape.size();
  std::swap(v.shape[rank - 2], v.shape[rank - 1]);
  std::swap(v.strides[rank - 2], v.strides[rank - 1]);
  return v;
}

// The product of complex matrices as one of real matrices. With rows of a read as pairs (re, im),
// each element x + iy of b becomes the block [[x, y], [-y, x]], and pairs come out.
void multiply_complex(const View& a, const View& b, const View& out, const Epilogue& e) {
  auto as_real = [](View v) {
    v.dtype = Dtype::float32;
    for (auto& stride : v.strides) stride *= 2;
    v.strides.back() = 1;
    v.shape.back() *= 2;
    return v;
  };
  auto densely = [](const View& v, std::optional<Scratch>& space) {
    View dense{nullptr, v.dtype, v.shape, row_major_strides(v.shape)};
    space.emplace(v.size() * sizeof(complex64_t));
    dense.data = space->data();
    tile::copy(v, dense);
    return dense;
  };
  std::optional<Scratch> a_space, addend_space;
  View a_pairs = as_real(a.strides.back() == 1 ? a : densely(a, a_space));

  size_t rank = b.shape.size();
  View unique = b;  // without the entries that broadcasting repeats
  for (size_t d = 0; d + 2 < rank; d++) {
    if (unique.strides[d] == 0) unique.shape[d] = 1;
  }
  int64_t K = b.shape[rank - 2], N = b.shape[rank - 1];
  Shape blocks_shape = unique.shape;
  blocks_shape[rank - 2] *= 2;
  blocks_shape[rank - 1] *= 2;
  View blocks{nullptr, Dtype::float32, blocks_shape, row_major_strides(blocks_shape)};
  Scratch blocks_space(blocks.size() * sizeof(float));
  blocks.data = blocks_space.data();
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

  bool has_addend = e.addend && e.beta != 0;
  if (out.dtype == Dtype::complex64) {
    // No products to sum: pairs of real zeros.
    View zero_sums = out, addend;
    zero_sums.dtype = Dtype::float32;
    zero_sums.shape.push_back(2);
    zero_sums.strides = row_major_strides(zero_sums.shape);
    Epilogue real = e;
    if (has_addend) {
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
    return matmul(left, right, zero_sums, real);
  }

  Stack s{out.dtype,
          out.shape[rank - 2],
          out.shape[rank - 1],
          K,
          Shape(out.shape.begin(), out.shape.end() - 2),
          {},
          out.as<char>()};
  s.sides[operand_a] = side_of(a);
  s.sides[operand_b] = side_of(b);
  if (has_addend) s.sides[operand_addend] = side_of(*e.addend);
  if (K == 0) return store_zero_sums(s, e);
  merge_batch(s);

  auto& left = s.sides[operand_a];
  auto& right = s.sides[operand_b];
  if (s.M == 1 || s.N == 1) {
    DenseCopy copy;
    if (s.M == 1 && right.row_stride != 1 && right.column_stride != 1 && s.N > 1 && s.K > 1) {
      copy.make(s, operand_b, s.K, s.N);
    } else if (s.M > 1 && left.row_stride != 1 && left.column_stride != 1 && s.K > 1) {
      copy.make(s, operand_a, s.M, s.K);
    }
    return each_entry(s, e, gemv);
  }
  if (s.M * s.N * s.K <= small_limit(s.dtype)) return each_entry(s, e, gemm_small);
  if (!onednn::native(s.dtype)) return each_entry(s, e, gemm);
  multiply_by_onednn(s, e);
}

}  // namespace heddle::cpu
