#include "ops/quantized_matmul.h"

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/index.h"
#include "heddle/ops/products.h"
#include "heddle/ops/quantized.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/gathered.h"
#include "ops/util.h"

namespace heddle {
namespace {

// Columns of the product.
int64_t product_columns(const Quantization& format, bool transpose, const Array& w) {
  return transpose ? w.shape(-2) : format.elements(w.shape(-1));
}

void check_inner(const char* op, const Array& x, const Array& w, bool transpose,
                 const Quantization& format) {
  int64_t columns = format.elements(w.shape(-1)), rows = w.shape(-2);
  if (x.shape(-1) == (transpose ? columns : rows)) return;
  refuse(op,
         "Last dimension of first input with shape (..., {}) does not match the "
         "expanded quantized matrix ({}, {}) computed from shape {} with "
         "group_size={}, bits={} and transpose={}",
         x.shape(-1), transpose ? columns : rows, transpose ? rows : columns, to_string(w.shape()),
         format.group_size, format.bits, transpose);
}

// The operands of an op: x, a packed matrix, scales[, biases].
void check_operands(OpName self, const char* op, const Arrays& in, bool transpose,
                    const Quantization& format) {
  const Dtype t = in[0].dtype();
  if (in[0].ndim() < 2 || !is_floating(t) || t == float64) {
    refuse(op,
           "Matrices of a real floating type except float64 are wanted, but x is "
           "{} of shape {}.",
           name_of(t), to_string(in[0].shape()));
  }
  require_packed(self, op, in, 1, format);
  if (format.affine()) require_dtype(self, in, 2, t);
  check_inner(op, in[0], in[1], transpose, format);
}

// Checks the operands of a product and gives them their common dtype.
struct Operands {
  Array x, w, scales;
  std::optional<Array> biases;
};

Operands prepare(const char* op, const Array& x, const Array& w, const Array& scales,
                 const std::optional<Array>& biases, bool transpose, const Quantization& format,
                 const Stream& s) {
  require_quantized(op, w, scales, biases ? &*biases : nullptr, format);
  require_supported(op, format);
  Dtype t = x.dtype();
  if (format.affine()) {
    t = promote_types(promote_types(t, scales.dtype()), biases->dtype());
  }
  if (!is_floating(t)) {
    refuse(op, "Only real floating types are supported but x.dtype() == {}.", name_of(x.dtype()));
  }
  check_inner(op, x, w, transpose, format);
  Operands o{astype(x, t, s), w, scales, {}};
  if (format.affine()) {
    o.scales = astype(scales, t, s);
    o.biases = astype(*biases, t, s);
  }
  return o;
}

// The restored matrix as the right operand: for float64, of which the kernels have no form.
Array dense_of(const Operands& o, bool transpose, const Quantization& f, const Stream& s) {
  Array w =
      dequantize(o.w, o.scales, o.biases, f.group_size, f.bits, name_of(f.mode), {}, float64, s);
  return transpose ? swapaxes(w, -1, -2, s) : w;
}

// The gradient of the dense matrix (..., rows, columns) to that of its scales or biases.
Array through_restoring(const Quantization& format, const Array& dense, const Array& w,
                        const Array& scales, bool of_scales, const Stream& s) {
  if (!of_scales) return group_sums(dense, format.group_size, s);
  Array q = restore(format, w, ones_like(scales, s), zeros_like(scales, s), float32, s);
  return group_sums(multiply(dense, q, s), format.group_size, s);
}

// Whether operand i of a product is one of those that a derivative may be taken of: x, and the
// scales and biases of affine quantization. Indices are none, and it is no error to ask.
bool moves(const char* op, const Quantization& format, int i) {
  const int operands = format.affine() ? 4 : 3;
  if (i == 0) return true;
  if (i >= operands) return false;
  if (i == 1) {
    refuse(op,
           "There is no derivative by quantized weights, which are packed integers. "
           "Differentiate by the other arguments, or dequantize the weights.");
  }
  if (format.affine()) return true;
  refuse(op,
         "There is no derivative by the scales of mode '{}', which are stored as "
         "uint8. Differentiate by x, or use mode 'affine'.",
         name_of(format.mode));
}

// The tangent: linear in x, and in scales and biases together.
template <class Op>
Array tangent(const char* name, const Op& op, const Arrays& in, const Arrays& t,
              const std::vector<int>& argnums) {
  Stream s = to_stream({});
  const OpRef self = make_op<Op>(op);
  Array sum;
  auto add_term = [&](const Arrays& inputs) {
    Array term = apply(self, inputs, s);
    sum = sum ? add(sum, term, s) : term;
  };
  Arrays moved = in;
  bool matrix_moves = false;
  if (op.format.affine()) {
    moved[2] = zeros_like(in[2], s);
    moved[3] = zeros_like(in[3], s);
  }
  for (size_t k = 0; k < argnums.size(); k++) {
    if (!moves(name, op.format, argnums[k])) continue;
    if (argnums[k] == 0) {
      Arrays inputs = in;
      inputs[0] = t[k];
      add_term(inputs);
    } else {
      moved[static_cast<size_t>(argnums[k])] = t[k];
      matrix_moves = true;
    }
  }
  if (matrix_moves) add_term(moved);
  return sum;
}

Arrays inputs_of(const Operands& o) {
  Arrays inputs{o.x, o.w, o.scales};
  if (o.biases) inputs.push_back(*o.biases);
  return inputs;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// quantized_matmul

void QuantizedMatmul::check(const Arrays& in) const {
  constexpr const char* op = "quantized_matmul";
  require_inputs(*this, in, 3 + size_t{format.affine()});
  check_operands(*this, op, in, transpose, format);
  if (in[1].ndim() > 2) require_same_stacks(op, in[0], in[1]);
}

Avals QuantizedMatmul::infer(const Arrays& in) const {
  Shape shape = in[0].shape();
  shape.back() = product_columns(format, transpose, in[1]);
  return {{shape, in[0].dtype()}};
}

std::optional<Arrays> QuantizedMatmul::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays result;
  Array dense;
  for (int i : p.wanted) {
    if (i == 0) {
      Arrays inputs = p.in;
      inputs[0] = p.g[0];
      result.push_back(apply(make_op<QuantizedMatmul>(format, !transpose), inputs, s));
      continue;
    }
    moves("quantized_matmul", format, i);
    if (!dense) {
      Array x = astype(p.in[0], float32, s), y = astype(p.g[0], float32, s);
      if (p.in[1].ndim() == 2 && x.ndim() > 2) {
        x = flatten(x, 0, -2, s);
        y = flatten(y, 0, -2, s);
      }
      dense =
          transpose ? matmul(swapaxes(y, -1, -2, s), x, s) : matmul(swapaxes(x, -1, -2, s), y, s);
    }
    result.push_back(
        astype(through_restoring(format, dense, p.in[1], p.in[2], i == 2, s), p.in[0].dtype(), s));
  }
  return result;
}

std::optional<Arrays> QuantizedMatmul::jvp(const Push& p) const {
  return Arrays{tangent("quantized_matmul", *this, p.in, p.t, p.wanted)};
}

std::optional<Batched> QuantizedMatmul::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  Arrays inputs = b.in;
  if (std::all_of(b.axes.begin() + 1, b.axes.end(), [](int a) { return a < 0; }) &&
      b.in[1].ndim() == 2) {
    inputs[0] = batch_to_front(b.in[0], b.axes[0]);  // more rows
  } else {
    inputs = all_batched(b.in, b.axes, s);
    if (inputs[1].ndim() == 3 && inputs[0].ndim() > 3) {  // a matrix for several batch dimensions
      for (size_t i = 1; i < inputs.size(); i++) {
        Shape shape(inputs[0].shape().begin(), inputs[0].shape().end() - 2);
        Array x = inputs[i];
        while (x.ndim() < inputs[0].ndim()) x = expand_dims(x, {1}, s);
        shape.push_back(x.shape(-2));
        shape.push_back(x.shape(-1));
        inputs[i] = broadcast_to(x, shape, s);
      }
    }
  }
  return Batched{{apply(*this, inputs, s)}, {0}};
}

Array quantized_matmul(const Array& x, const Array& w, const Array& scales,
                       const std::optional<Array>& biases, bool transpose,
                       std::optional<int> group_size, std::optional<int> bits,
                       const std::string& mode, StreamOrDevice s) {
  constexpr const char* op = "quantized_matmul";
  Quantization format = quantization_of(op, group_size, bits, mode);
  Stream stream = to_stream(s);
  if (x.ndim() == 0) {
    throw std::out_of_range(
        fmt::format("[{}] x must have at least one dimension, but it is a scalar.", op));
  }
  Operands o = prepare(op, x, w, scales, biases, transpose, format, stream);
  if (o.x.dtype() == float64) return matmul(o.x, dense_of(o, transpose, format, stream), stream);
  bool row = x.ndim() == 1;
  if (row) o.x = expand_dims(o.x, {0}, stream);
  Arrays inputs = inputs_of(o);
  auto batch_of = [](const Array& a) { return Shape(a.shape().begin(), a.shape().end() - 2); };
  Shape matrices = broadcast_shapes(batch_of(inputs[1]), batch_of(inputs[2]));
  Shape common = matrices.empty() ? matrices : broadcast_shapes(batch_of(inputs[0]), matrices);
  for (size_t i = matrices.empty() ? 1 : 0; i < inputs.size(); i++) {
    Shape to = common;
    to.push_back(inputs[i].shape(-2));
    to.push_back(inputs[i].shape(-1));
    inputs[i] = broadcast_to(inputs[i], to, stream);
  }
  Array out = apply(make_op<QuantizedMatmul>(format, transpose), inputs, stream);
  return row ? squeeze(out, {-2}, stream) : out;
}

// ---------------------------------------------------------------------------------------------
// gather_qmm

void GatherQMM::check(const Arrays& in) const {
  constexpr const char* op = "gather_qmm";
  require_inputs(*this, in, 5 + size_t{format.affine()});
  for (size_t i = 0; i < 2; i++) require_rank(op, "An operand", in[i], 3);
  check_operands(*this, op, in, transpose, format);
  check_gather_indices(*this, op, in);
}

Avals GatherQMM::infer(const Arrays& in) const {
  Shape shape = in.back().shape();
  shape.push_back(in[0].shape(-2));
  shape.push_back(product_columns(format, transpose, in[1]));
  return {{shape, in[0].dtype()}};
}

std::optional<Arrays> GatherQMM::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  const Array &left = p.in[p.in.size() - 2], &right = p.in.back();
  Arrays result;
  Array dense;
  for (int i : p.wanted) {
    if (i == 0) {
      Arrays inputs = p.in;
      inputs[0] = one_batch_axis(p.g[0], s);
      inputs[p.in.size() - 2] =
          reshape(arange(0, static_cast<double>(right.size()), 1, uint32, s), right.shape(), s);
      Array back = apply(make_op<GatherQMM>(format, !transpose, sorted), inputs, s);
      result.push_back(sum_by_index(back, left, p.in[0].shape(0), s));
      continue;
    }
    if (!moves("gather_qmm", format, i)) {
      result.emplace_back();
      continue;
    }
    if (!dense) {
      Array x = astype(take(p.in[0], left, 0, s), float32, s), y = astype(p.g[0], float32, s);
      dense =
          transpose ? matmul(swapaxes(y, -1, -2, s), x, s) : matmul(swapaxes(x, -1, -2, s), y, s);
      dense = sum_by_index(dense, right, p.in[1].shape(0), s);
    }
    result.push_back(
        astype(through_restoring(format, dense, p.in[1], p.in[2], i == 2, s), p.in[0].dtype(), s));
  }
  return result;
}

std::optional<Arrays> GatherQMM::jvp(const Push& p) const {
  return Arrays{tangent("gather_qmm", *this, p.in, p.t, p.wanted)};
}

std::optional<Batched> GatherQMM::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  FoldedBatch folded(b.in, b.axes);
  std::vector<size_t> matrix{1, 2};
  if (format.affine()) matrix.push_back(3);
  Arrays inputs = folded.operands({0}, s);
  for (const Array& a : folded.operands(matrix, s)) inputs.push_back(a);
  inputs.push_back(folded.indices(b.in.size() - 2, {0}, s));
  inputs.push_back(folded.indices(b.in.size() - 1, matrix, s));
  return Batched{{apply(make_op<GatherQMM>(format, transpose, false), inputs, s)}, {0}};
}

Array gather_qmm(const Array& x, const Array& w, const Array& scales,
                 const std::optional<Array>& biases, const std::optional<Array>& lhs_indices,
                 const std::optional<Array>& rhs_indices, bool transpose,
                 std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                 const std::optional<Array>& global_scale, bool sorted_indices, StreamOrDevice s) {
  constexpr const char* op = "gather_qmm";
  Quantization format = quantization_of(op, group_size, bits, mode);
  Stream stream = to_stream(s);
  if (x.ndim() < 2) {
    refuse(op, "Input must have at least two dimensions but got input with shape {}.",
           to_string(x.shape()));
  }
  Operands o = prepare(op, x, w, scales, biases, transpose, format, stream);
  if (!std::equal(w.shape().begin(), w.shape().end() - 1, scales.shape().begin(),
                  scales.shape().end() - 1)) {
    refuse(op,
           "Weight and scales should have the same batch shape. Received weight "
           "with shape {}, scales with {}.",
           to_string(w.shape()), to_string(scales.shape()));
  }
  if (global_scale) {
    if (format.mode != QuantizationMode::nvfp4) {
      refuse(op, "Global scale is only supported for 'nvfp4' quantization mode.");
    }
    Shape batch(w.shape().begin(), w.shape().end() - 2);
    if (global_scale->shape() != batch) {
      refuse(op, "Global scale must have one entry per expert with shape {} but got {}.",
             to_string(batch), to_string(global_scale->shape()));
    }
    if (global_scale->dtype() != float32) {
      refuse(op, "Global scale must have dtype float32 but got {}.",
             name_of(global_scale->dtype()));
    }
  }
  if (o.x.dtype() == float64) {
    return gather_mm(o.x, dense_of(o, transpose, format, stream), lhs_indices, rhs_indices,
                     sorted_indices, stream);
  }
  GatherIndices indices = gather_indices(op, x, w, lhs_indices, rhs_indices, stream);
  Arrays inputs;
  for (const Array& a : inputs_of(o)) inputs.push_back(one_batch_axis(a, stream));
  inputs.push_back(indices.left);
  inputs.push_back(indices.right);
  Array out = apply(make_op<GatherQMM>(format, transpose, sorted_indices), inputs, stream);
  if (!global_scale) return out;
  // Linear in the scale: that of its matrix multiplies each product.
  Array factors = multiply(take(flatten(*global_scale, 0, -1, stream), indices.right, stream),
                           Array(1.0f / nvfp4_range), stream);
  return astype(multiply(out, expand_dims(factors, {-2, -1}, stream), stream), out.dtype(), stream);
}

// ---------------------------------------------------------------------------------------------
// both operands rounded

namespace {

// The operands of a product of which both sides are quantized.
struct Rounded {
  Quantization format;
  Array x;
  Array w;                      // packed, or rounded to what packing leaves
  std::optional<Array> factor;  // on the product, for the global scale of a packed w
};

Array rounding(const Array& x, const Quantization& format, const std::optional<Array>& global_scale,
               const Stream& s) {
  Arrays inputs{x};
  if (global_scale) inputs.push_back(reshape(*global_scale, {}, s));
  return apply(make_op<QuantizedRounding>(format, global_scale.has_value()), inputs, s);
}

Rounded prepare_rounded(const char* op, const Array& x, const Array& w,
                        const std::optional<Array>& scales, std::optional<int> group_size,
                        std::optional<int> bits, const std::string& mode,
                        const std::optional<Array>& global_x, const std::optional<Array>& global_w,
                        const Stream& s) {
  Rounded r{quantization_of(op, group_size, bits, mode), x, w, {}};
  const bool packed = w.dtype() == uint32;
  auto require_float = [&](const char* which, Dtype t) {
    if (is_floating(t) && t != float64) return;
    refuse(op,
           "Only real floating types except float64 are supported but {} argument "
           "dtype == {}.",
           which, name_of(t));
  };
  require_float("first", x.dtype());
  if (r.format.affine()) refuse(op, "Affine quantization is not supported: it has biases.");
  if (packed && !scales) refuse(op, "Scales must be provided if second argument is quantized.");
  if (!packed && scales)
    refuse(op, "Scales must not be provided if second argument is not quantized.");
  if (!packed) require_float("second", w.dtype());
  for (const auto* scale : {&global_x, &global_w}) {
    if (*scale) require_global_scale(op, **scale, r.format.mode);
  }
  if (global_x.has_value() != global_w.has_value()) {
    refuse(op,
           "For nvfp4 mode, either both global_scale_x and global_scale_w must be provided, or "
           "neither.");
  }
  if (packed) {
    require_quantized(op, w, *scales, nullptr, r.format);
  } else if (w.ndim() < 2 || x.shape(-1) != w.shape(-1)) {
    refuse(op,
           "Last dimension of first input with shape {} must match last dimension "
           "of second input with shape {}.",
           to_string(x.shape()), to_string(w.shape()));
  }
  require_supported(op, r.format);
  int64_t inner = packed ? r.format.elements(w.shape(-1)) : w.shape(-1);
  if (x.shape(-1) != inner) {
    refuse(op,
           "Last dimension of first input with shape (..., {}) does not match the "
           "expanded quantized matrix ({}, {}) computed from shape {} with "
           "group_size={}, bits={} and transpose=true",
           x.shape(-1), inner, w.shape(-2), to_string(w.shape()), r.format.group_size,
           r.format.bits);
  }
  require_groups(op, inner, r.format);
  r.x = rounding(x, r.format, global_x, s);
  if (!packed) {
    r.w = swapaxes(rounding(astype(w, x.dtype(), s), r.format, global_w, s), -1, -2, s);
  } else if (global_w) {
    r.factor = multiply(reshape(*global_w, {}, s), Array(1.0f / nvfp4_range), s);
  }
  return r;
}

Array finished(const Rounded& r, const Array& out, const Stream& s) {
  return r.factor ? astype(multiply(out, *r.factor, s), out.dtype(), s) : out;
}

}  // namespace

Array qqmm(const Array& x, const Array& w, const std::optional<Array>& scales,
           std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
           const std::optional<Array>& global_scale_x, const std::optional<Array>& global_scale_w,
           StreamOrDevice s) {
  constexpr const char* op = "qqmm";
  Stream stream = to_stream(s);
  if (x.ndim() == 0 || w.ndim() != 2) {
    refuse(op, "Only 2D inputs are supported but x.ndim() == {} and w.ndim() == {}.", x.ndim(),
           w.ndim());
  }
  Rounded r = prepare_rounded(op, x, w, scales, group_size, bits, mode, global_scale_x,
                              global_scale_w, stream);
  if (!scales) return matmul(r.x, r.w, stream);
  Array out =
      quantized_matmul(r.x, w, *scales, {}, true, r.format.group_size, r.format.bits, mode, stream);
  return finished(r, out, stream);
}

Array gather_qqmm(const Array& x, const Array& w, const std::optional<Array>& scales,
                  const std::optional<Array>& lhs_indices, const std::optional<Array>& rhs_indices,
                  std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                  const std::optional<Array>& global_scale_x,
                  const std::optional<Array>& global_scale_w, bool sorted_indices,
                  StreamOrDevice s) {
  constexpr const char* op = "gather_qqmm";
  Stream stream = to_stream(s);
  if (x.ndim() < 2) {
    refuse(op, "Input must have at least two dimensions but got input with shape {}.",
           to_string(x.shape()));
  }
  Rounded r = prepare_rounded(op, x, w, scales, group_size, bits, mode, global_scale_x,
                              global_scale_w, stream);
  if (!scales) return gather_mm(r.x, r.w, lhs_indices, rhs_indices, sorted_indices, stream);
  Array out = gather_qmm(r.x, w, *scales, {}, lhs_indices, rhs_indices, true, r.format.group_size,
                         r.format.bits, mode, {}, sorted_indices, stream);
  return finished(r, out, stream);
}

}  // namespace heddle
