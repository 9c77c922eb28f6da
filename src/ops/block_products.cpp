#include "ops/block_products.h"

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/products.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/gathered.h"
#include "ops/util.h"

namespace heddle {
namespace {

Dtype product_dtype(const char* op, const Array& a, const Array& b) {
  Dtype t = promote_types(a.dtype(), b.dtype());
  if (!is_floating(t)) {
    refuse(op,
           "Only real floating point types are supported but {} and {} were "
           "provided which results in {}, which is not a real floating point type.",
           name_of(a.dtype()), name_of(b.dtype()), name_of(t));
  }
  return t;
}

// The operands as matrices of one dtype; vectors are a row and a column.
struct Operands {
  Array a, b;
  bool row, column;
};

Operands prepare(const char* op, const Array& a, const Array& b, const Stream& s) {
  if (a.ndim() == 0 || b.ndim() == 0) {
    refuse(op, "Got 0 dimension input. Inputs must have at least one dimension.");
  }
  Dtype t = product_dtype(op, a, b);
  Operands o{astype(a, t, s), astype(b, t, s), a.ndim() == 1, b.ndim() == 1};
  if (o.row) o.a = expand_dims(o.a, {0}, s);
  if (o.column) o.b = expand_dims(o.b, {1}, s);
  if (o.a.shape(-1) != o.b.shape(-2)) refuse_product(op, a.shape(), b.shape());
  return o;
}

Array without_added(const Operands& o, const Array& out, const Stream& s) {
  if (o.row && o.column) return squeeze(out, {-2, -1}, s);
  if (o.row) return squeeze(out, {-2}, s);
  return o.column ? squeeze(out, {-1}, s) : out;
}

Shape batch_of(const Array& a) { return Shape(a.shape().begin(), a.shape().end() - 2); }

Array with_batch(const Array& x, Shape batch, const Stream& s) {
  batch.push_back(x.shape(-2));
  batch.push_back(x.shape(-1));
  return broadcast_to(x, batch, s);
}

int64_t blocks_of(int64_t extent, int block_size) { return (extent + block_size - 1) / block_size; }

void require_block_size(int block_size) {
  if (block_size >= 1) return;
  refuse("block_masked_mm", "The block size must be positive but it is {}.", block_size);
}

void check_segments(const Array& a, const Array& b, const Array& segments) {
  constexpr const char* op = "segmented_mm";
  if (a.ndim() != 2 || b.ndim() != 2) {
    refuse(op,
           "Batched matmul not supported: a and b must be matrices but have shapes "
           "{} and {}.",
           to_string(a.shape()), to_string(b.shape()));
  }
  if (!is_integer(segments.dtype())) {
    refuse(op, "Got segments with invalid dtype. Segments must be integral.");
  }
  if (segments.ndim() == 0 || segments.shape(-1) != 2) {
    refuse(op, "The segments should have shape (..., 2) but {} was provided.",
           to_string(segments.shape()));
  }
}

// `x` with what the mask says of its blocks.
Array masked(const Array& x, const Array& mask, int block_size, const Stream& s) {
  Array wide = repeat(repeat(mask, block_size, -1, s), block_size, -2, s);
  Shape start(static_cast<size_t>(wide.ndim()), 0), stop = wide.shape();
  stop[stop.size() - 2] = x.shape(-2);
  stop[stop.size() - 1] = x.shape(-1);
  wide = slice(wide, start, stop, s);
  return is_bool(mask.dtype()) ? where(wide, x, Array(0.0f, x.dtype()), s) : multiply(x, wide, s);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// gather_mm

void GatherMM::check(const Arrays& in) const {
  constexpr const char* op = "gather_mm";
  require_inputs(*this, in, 4);
  require_dtype(*this, in, 1, product_dtype(op, in[0], in[0]));
  for (size_t i = 0; i < 2; i++) require_rank(op, "An operand", in[i], 3);
  require_product(op, in[0], in[1]);
  check_gather_indices(*this, op, in);
}

Avals GatherMM::infer(const Arrays& in) const {
  Shape shape = in[3].shape();
  shape.push_back(in[0].shape(-2));
  shape.push_back(in[1].shape(-1));
  return {{shape, in[0].dtype()}};
}

std::optional<Arrays> GatherMM::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  const Array &left = p.in[2], &right = p.in[3];
  Arrays result;
  for (int i : p.wanted) {
    if (i == 0) {
      Array count =
          reshape(arange(0, static_cast<double>(right.size()), 1, uint32, s), right.shape(), s);
      Array back =
          apply(*this, {one_batch_axis(p.g[0], s), swapaxes(p.in[1], -1, -2, s), count, right}, s);
      result.push_back(sum_by_index(back, left, p.in[0].shape(0), s));
    } else if (i > 1) {
      result.emplace_back();  // indices
    } else {
      Array taken = swapaxes(take(p.in[0], left, 0, s), -1, -2, s);
      result.push_back(sum_by_index(matmul(taken, p.g[0], s), right, p.in[1].shape(0), s));
    }
  }
  return result;
}

std::optional<Arrays> GatherMM::jvp(const Push& p) const {
  Array sum;
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] > 1) continue;  // indices
    Arrays inputs = p.in;
    inputs[static_cast<size_t>(p.wanted[k])] = p.t[k];
    Array term = apply(*this, inputs, p.stream);
    sum = sum ? add(sum, term) : term;
  }
  return Arrays{sum};
}

std::optional<Batched> GatherMM::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  FoldedBatch folded(b.in, b.axes);
  return Batched{{apply(make_op<GatherMM>(false),
                        {folded.operands({0}, s)[0], folded.operands({1}, s)[0],
                         folded.indices(2, {0}, s), folded.indices(3, {1}, s)},
                        s)},
                 {0}};
}

Array gather_mm(const Array& a, const Array& b, const std::optional<Array>& lhs_indices,
                const std::optional<Array>& rhs_indices, bool sorted_indices, StreamOrDevice s) {
  constexpr const char* op = "gather_mm";
  Stream stream = to_stream(s);
  Operands o = prepare(op, a, b, stream);
  GatherIndices indices = gather_indices(op, o.a, o.b, lhs_indices, rhs_indices, stream);
  Array out =
      apply(make_op<GatherMM>(sorted_indices),
            {one_batch_axis(o.a, stream), one_batch_axis(o.b, stream), indices.left, indices.right},
            stream);
  return without_added(o, out, stream);
}

// ---------------------------------------------------------------------------------------------
// block_masked_mm

void BlockMaskedMM::check(const Arrays& in) const {
  constexpr const char* op = "block_masked_mm";
  require_block_size(block_size);
  require_inputs(*this, in, 2 + size_t{has_out_mask} + size_t{has_lhs_mask} + size_t{has_rhs_mask});
  const Array &a = in[0], &b = in[1];
  const Dtype t = product_dtype(op, a, a);
  for (size_t i = 1; i < in.size(); i++) {
    if (i == 1 || !is_bool(in[i].dtype())) require_dtype(*this, in, i, t);
  }
  require_same_stacks(op, a, b);
  require_product(op, a, b);
  auto check_mask = [&](const Array& mask, int64_t height, int64_t width) {
    Shape shape = batch_of(a);
    shape.push_back(blocks_of(height, block_size));
    shape.push_back(blocks_of(width, block_size));
    require_shape(op, "A mask of blocks", mask, shape);
  };
  if (has_out_mask) check_mask(in[2], a.shape(-2), b.shape(-1));
  if (has_lhs_mask) check_mask(in[lhs_mask()], a.shape(-2), a.shape(-1));
  if (has_rhs_mask) check_mask(in[rhs_mask()], b.shape(-2), b.shape(-1));
}

Avals BlockMaskedMM::infer(const Arrays& in) const {
  Shape shape = in[0].shape();
  shape.back() = in[1].shape(-1);
  return {{shape, in[0].dtype()}};
}

std::optional<Arrays> BlockMaskedMM::decompose(const Arrays& in, const Stream& s) const {
  Array a = has_lhs_mask ? masked(in[0], in[lhs_mask()], block_size, s) : in[0];
  Array b = has_rhs_mask ? masked(in[1], in[rhs_mask()], block_size, s) : in[1];
  Array out = matmul(a, b, s);
  return Arrays{has_out_mask ? masked(out, in[2], block_size, s) : out};
}

Array block_masked_mm(const Array& a, const Array& b, int block_size,
                      const std::optional<Array>& mask_out, const std::optional<Array>& mask_lhs,
                      const std::optional<Array>& mask_rhs, StreamOrDevice s) {
  constexpr const char* op = "block_masked_mm";
  Stream stream = to_stream(s);
  require_block_size(block_size);
  Operands o = prepare(op, a, b, stream);
  Shape batch = broadcast_shapes(batch_of(o.a), batch_of(o.b));
  Arrays inputs{with_batch(o.a, batch, stream), with_batch(o.b, batch, stream)};
  int64_t rows = blocks_of(o.a.shape(-2), block_size), inner = blocks_of(o.a.shape(-1), block_size),
          columns = blocks_of(o.b.shape(-1), block_size);
  auto add_mask = [&](const std::optional<Array>& mask, int64_t height, int64_t width) {
    if (!mask) return;
    Array m = is_bool(mask->dtype()) ? *mask : astype(*mask, o.a.dtype(), stream);
    Shape shape = batch;
    shape.push_back(height);
    shape.push_back(width);
    if (broadcast_shapes(m.shape(), shape) != shape) {
      refuse(op, "A mask of shape {} does not fit blocks of shape {}.", to_string(m.shape()),
             to_string(shape));
    }
    inputs.push_back(broadcast_to(m, shape, stream));
  };
  add_mask(mask_out, rows, columns);
  add_mask(mask_lhs, rows, inner);
  add_mask(mask_rhs, inner, columns);
  Array out = apply(make_op<BlockMaskedMM>(block_size, mask_out.has_value(), mask_lhs.has_value(),
                                           mask_rhs.has_value()),
                    inputs, stream);
  return without_added(o, out, stream);
}

// ---------------------------------------------------------------------------------------------
// segmented_mm

void SegmentedMM::check(const Arrays& in) const {
  constexpr const char* op = "segmented_mm";
  require_inputs(*this, in, 3);
  check_segments(in[0], in[1], in[2]);
  require_dtype(*this, in, 1, product_dtype(op, in[0], in[0]));
  require_dtype(*this, in, 2, uint32);
  require_product(op, in[0], in[1]);
}

Avals SegmentedMM::infer(const Arrays& in) const {
  Shape shape = in[2].shape();
  shape.back() = in[0].shape(-2);
  shape.push_back(in[1].shape(-1));
  return {{shape, in[0].dtype()}};
}

std::optional<Arrays> SegmentedMM::decompose(const Arrays& in, const Stream& s) const {
  Arrays ends = split(in[2], 2, -1, s);
  Array k = arange(0, static_cast<double>(in[0].shape(-1)), 1, uint32, s);
  Array inside = logical_and(greater_equal(k, ends[0], s), less(k, ends[1], s), s);
  // Both operands, since 0 times what is not finite is no 0.
  Array rows = where(expand_dims(inside, {-2}, s), in[0], Array(0.0f, in[0].dtype()), s);
  Array columns = where(expand_dims(inside, {-1}, s), in[1], Array(0.0f, in[1].dtype()), s);
  return Arrays{matmul(rows, columns, s)};
}

Array segmented_mm(const Array& a, const Array& b, const Array& segments, StreamOrDevice s) {
  constexpr const char* op = "segmented_mm";
  Stream stream = to_stream(s);
  check_segments(a, b, segments);
  Operands o = prepare(op, a, b, stream);
  return apply(make_op<SegmentedMM>(), {o.a, o.b, astype(segments, uint32, stream)}, stream);
}

}  // namespace heddle
