// Products by oneDNN, cut into pieces that one thread multiplies each.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/threads.h"
#include "cpu/dnnl.h"
#include "cpu/pieces.h"
#include "cpu/product_stack.h"
#include "cpu/scratch.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {
namespace {

// The limits below are for one core of AVX-512; benchmarks/cpp/bench_matmul.cpp has the products
// that they were chosen by.

// AMX wants pairs of rows of b interleaved. For b stored by rows it is faster to do that once than
// in each block, where there are many.
constexpr int64_t rows_to_pack_for = 512;

// The extents of a piece. All but those at the borders are alike, so that few primitives serve.
struct Piece {
  int64_t entries, rows, columns, depth;
};

// Pieces of 128 rows and 96 columns cost next to nothing. Shorter ones do: b is rearranged for
// each, most of all in bfloat16, and dnnl_sgemm wants 192 columns.
Piece cut(const Stack& s, int64_t most_entries, bool by_sgemm) {
  constexpr int64_t entry_work = 1 << 20, unit = 16, least_rows = 64;
  constexpr int64_t few_pieces = 4, least_depth = 2048;
  const int64_t least_columns = by_sgemm ? 192 : 96;
  const int64_t work = s.M * s.N * s.K, count = s.count();
  // Eight of large products: each rearranges its operands, which sixteen would pay for.
  const int64_t wanted =
      std::max(std::min<int64_t>(wanted_pieces(work * count), 8), work * count >> 30);
  Piece p{std::clamp<int64_t>(std::min(entry_work / work, count / wanted), 1, most_entries), s.M,
          s.N, s.K};
  auto halve = [](int64_t& extent) { extent = parts(parts(extent, 2), unit) * unit; };
  // Halves stored by rows are rearranged as a whole for many rows (below).
  const bool packs = s.dtype != Dtype::float32 && s.sides[operand_b].column_stride == 1;
  const int64_t many_rows = packs ? rows_to_pack_for : 128;
  // Where a is stored by columns, each piece turns its rows of it.
  const bool turned = s.sides[operand_a].column_stride != 1;
  for (int64_t pieces = parts(count, p.entries); 2 * pieces <= wanted; pieces *= 2) {
    const bool few = pieces < few_pieces, rows = p.rows >= 2 * many_rows;
    const bool columns = p.columns >= 2 * least_columns && (few || !turned);
    if (rows && (turned || !columns || p.rows >= p.columns)) {
      halve(p.rows);
    } else if (columns) {
      halve(p.columns);
    } else if (p.rows >= (pieces == 1 ? 1 : 2) * least_rows && (few || turned)) {
      halve(p.rows);
    } else if (p.depth >= 2 * least_depth) {
      halve(p.depth);
    } else {
      break;
    }
  }
  return p;
}

onednn::Tensor tensor_of(const Stack::Side& side, Dtype dtype, int64_t entries, int64_t rows,
                         int64_t columns) {
  onednn::Tensor t;
  t.dtype = static_cast<int64_t>(dtype);
  auto add = [&](int64_t extent, int64_t stride) {
    t.dims[t.rank] = stride == 0 ? 1 : extent;
    t.strides[t.rank++] = stride;
  };
  if (entries > 1) add(entries, side.batch.back());
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

// Whether the addend is one row for all, which oneDNN adds to sums before they are rounded.
bool is_row(const Stack& s, const Stack::Side& addend) {
  bool row = addend.row_stride == 0 && (addend.column_stride == 1 || s.N == 1);
  for (int64_t stride : addend.batch) row = row && stride == 0;
  return row;
}

// Whether dnnl_sgemm is ahead of the primitive although it takes no post-ops, so that an addend has
// to be copied to the result before. On AVX2 it is at nearly every size. On AVX-512 it is for a few
// rows and, since it packs its operands, for large products; but with b stored by columns it loses
// more in pieces, which it packs one by one, than it gains as a whole, and with a stored by columns
// it is ahead or behind depending on the shape.
bool sgemm_is_faster(const Stack& s) {
  constexpr int64_t few_rows = 8, deep = 256, large = int64_t{1} << 24;
  if (!onednn::has_avx512() || s.M <= few_rows) return true;
  return s.sides[operand_a].column_stride == 1 && s.sides[operand_b].column_stride == 1 &&
         s.K >= deep && s.M * s.N * s.K >= large;
}

// Where a piece lies in the result and in the sums.
struct Place {
  int64_t entry, row, column, k;
};

class Product {
 public:
  Product(const Stack& s, const Epilogue& e)
      : s_(s),
        e_(e),
        by_sgemm_(s.dtype == Dtype::float32 && sgemm_is_faster(s) && e.tail == onednn::Tail::none) {
    // oneDNN takes no dimension that only the result has.
    const bool runs =
        !by_sgemm_ && !s.batch.empty() &&
        (s.sides[operand_a].batch.back() != 0 || s.sides[operand_b].batch.back() != 0);
    piece_ = cut(s, runs ? s.batch.back() : 1, by_sgemm_);
    row_addend_ = s.sides[operand_addend].data && is_row(s, s.sides[operand_addend]);
  }

  bool run() const { return piece_.depth < s_.K ? run_in_sums() : each_piece(s_.out, s_.dtype); }

 private:
  // Few rows and columns but long sums: parts of the sums, added up one after the other.
  bool run_in_sums() const {
    const int64_t count = s_.count(), size = s_.M * s_.N, sums = parts(s_.K, piece_.depth);
    Scratch space(static_cast<size_t>(sums * count * size) * sizeof(float));
    if (!each_piece(space.as<char>(), Dtype::float32)) return false;
    parallel_for(count * s_.M, std::max<int64_t>(1, parallel_grain / (s_.N * sums)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; i++) {
                     float* sum = space.as<float>() + i * s_.N;
                     for (int64_t k = 1; k < sums; k++) {
                       const float* more = sum + k * count * size;
                       for (int64_t n = 0; n < s_.N; n++) sum[n] += more[n];
                     }
                     store_sums(finish_of(s_, e_, i / s_.M), i % s_.M, 0, sum, s_.N);
                   }
                 });
    return true;
  }

  bool each_piece(char* out, Dtype dtype) const {
    const int64_t inner = s_.batch.empty() ? 1 : s_.batch.back();
    const int64_t runs = parts(inner, piece_.entries), columns = parts(s_.N, piece_.columns);
    const int64_t rows = parts(s_.M, piece_.rows), sums = parts(s_.K, piece_.depth);
    const int64_t count = s_.count() / inner * runs * columns * rows * sums;
    const int64_t item = static_cast<int64_t>(size_of(dtype));
    std::atomic<bool> served{true};
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        int64_t rest = i;
        auto next = [&](int64_t extent) {
          const int64_t at = rest % extent;
          rest /= extent;
          return at;
        };
        Place at{};
        at.row = next(rows) * piece_.rows;
        at.column = next(columns) * piece_.columns;
        at.k = next(sums) * piece_.depth;
        const int64_t run = next(runs) * piece_.entries;
        at.entry = rest * inner + run;
        const Piece p{std::min(piece_.entries, inner - run), std::min(piece_.rows, s_.M - at.row),
                      std::min(piece_.columns, s_.N - at.column),
                      std::min(piece_.depth, s_.K - at.k)};
        const int64_t row = (at.k / piece_.depth * s_.count() + at.entry) * s_.M + at.row;
        if (!multiply_to(at, p, out + (row * s_.N + at.column) * item, dtype)) served = false;
      }
    });
    return served;
  }

  // oneDNN's fast primitives want rows without gaps: parts of rows are moved to their places.
  bool multiply_to(const Place& at, const Piece& p, char* out, Dtype dtype) const {
    if (by_sgemm_ || p.columns == s_.N) return multiply(at, p, out, dtype, s_.N);
    const int64_t item = static_cast<int64_t>(size_of(dtype)), width = p.columns * item;
    Scratch tile(static_cast<size_t>(p.rows * width));
    if (!multiply(at, p, tile.as<char>(), dtype, p.columns)) return false;
    for (int64_t r = 0; r < p.rows; r++) {
      std::memcpy(out + r * s_.N * item, tile.as<char>() + r * width, static_cast<size_t>(width));
    }
    return true;
  }

  bool multiply(const Place& at, const Piece& p, char* out, Dtype dtype, int64_t row_stride) const {
    const auto &a = s_.sides[operand_a], &b = s_.sides[operand_b], &c = s_.sides[operand_addend];
    const char* a_data = element(operand_a, at.entry, at.row, at.k);
    const char* b_data = element(operand_b, at.entry, at.k, at.column);
    const bool whole = piece_.depth == s_.K;  // else the epilogue comes after the last sums
    const char* addend =
        whole && c.data ? element(operand_addend, at.entry, at.row, at.column) : nullptr;
    const bool by_tail = addend && row_addend_ && !by_sgemm_;
    if (addend && !by_tail) copy_addend(p, addend, out, row_stride);
    const double alpha = whole ? e_.alpha : 1;
    if (by_sgemm_) {
      const bool turn_a = a.column_stride != 1, turn_b = b.column_stride != 1;
      onednn::sgemm(turn_a, turn_b, p.rows, p.columns, p.depth, static_cast<float>(alpha),
                    reinterpret_cast<const float*>(a_data), turn_a ? a.column_stride : a.row_stride,
                    reinterpret_cast<const float*>(b_data), turn_b ? b.column_stride : b.row_stride,
                    addend ? static_cast<float>(e_.beta) : 0.f, reinterpret_cast<float*>(out),
                    row_stride);
      return true;
    }
    Stack::Side result;
    result.batch = {s_.M * s_.N};
    result.row_stride = row_stride;
    result.column_stride = 1;
    onednn::MatmulRequest request;
    request.a = tensor_of(a, s_.dtype, p.entries, p.rows, p.depth);
    request.b = tensor_of(b, s_.dtype, p.entries, p.depth, p.columns);
    request.out = tensor_of(result, dtype, p.entries, p.rows, p.columns);
    request.alpha = alpha;
    if (whole) request.tail = e_.tail;
    request.pack_b =
        s_.dtype == Dtype::bfloat16 && p.rows >= rows_to_pack_for && b.column_stride == 1;
    if (addend) {
      request.beta = e_.beta;
      request.accumulate = !by_tail;
      if (by_tail) request.addend = tensor_of(c, s_.dtype, p.entries, p.rows, p.columns);
    }
    return onednn::matmul(request, a_data, b_data, out, by_tail ? addend : nullptr);
  }

  void copy_addend(const Piece& p, const char* from, char* out, int64_t row_stride) const {
    const auto& c = s_.sides[operand_addend];
    View source{
        const_cast<char*>(from), s_.dtype, {p.rows, p.columns}, {c.row_stride, c.column_stride}};
    View target{out, s_.dtype, source.shape, {row_stride, 1}};
    if (p.entries > 1) {
      source.shape.insert(source.shape.begin(), p.entries);
      source.strides.insert(source.strides.begin(), c.batch.back());
      target.shape = source.shape;
      target.strides.insert(target.strides.begin(), s_.M * s_.N);
    }
    tile::copy(source, target);
  }

  const char* element(Operand o, int64_t entry, int64_t row, int64_t column) const {
    const Stack::Side& side = s_.sides[o];
    return s_.at(o, entry) + (row * side.row_stride + column * side.column_stride) *
                                 static_cast<int64_t>(size_of(s_.dtype));
  }

  const Stack& s_;
  const Epilogue& e_;
  bool by_sgemm_, row_addend_;
  Piece piece_{};
};

}  // namespace

bool multiply_by_onednn(const Stack& s, const Epilogue& e) { return Product(s, e).run(); }

}  // namespace heddle::cpu
