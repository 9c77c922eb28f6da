#include "ops/quantize.h"

#include <algorithm>

#include "heddle/ops/creation.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/quantized.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {
namespace {

// The least scale of an affine group: keeps constant groups finite.
constexpr float least_scale = 1e-7f;

QuantizationMode mode_of(const char* op, const std::string& mode) {
  for (auto m : {QuantizationMode::affine, QuantizationMode::mxfp4, QuantizationMode::mxfp8,
                 QuantizationMode::nvfp4}) {
    if (mode == name_of(m)) return m;
  }
  refuse(op, "Invalid quantization mode '{}'.", mode);
}

Quantization defaults_of(QuantizationMode mode) {
  switch (mode) {
    case QuantizationMode::affine:
      return {64, 4, mode};
    case QuantizationMode::mxfp4:
      return {32, 4, mode};
    case QuantizationMode::mxfp8:
      return {32, 8, mode};
    case QuantizationMode::nvfp4:
      return {16, 4, mode};
  }
  __builtin_unreachable();
}

Shape with_last(Shape shape, int64_t last) {
  shape.back() = last;
  return shape;
}

Array in_groups(const Array& x, int group_size, const Stream& s) {
  return unflatten(x, -1, {x.shape(-1) / group_size, group_size}, s);
}

// Values below 2^bits as a stream of bits: each block of 32 values fills `bits` words. A word is
// the sum of what each value, shifted to its place, leaves in it.
Array pack(const Array& values, int bits, const Stream& s) {
  std::vector<uint32_t> left, right;
  for (int word = 0; word < bits; word++) {
    for (int i = 0; i < 32; i++) {
      int shift = i * bits - 32 * word;
      constexpr uint32_t away = 32;
      left.push_back(shift >= 0 ? static_cast<uint32_t>(std::min(shift, 32)) : away);
      right.push_back(shift < 0 ? static_cast<uint32_t>(std::min(-shift, 32)) : away);
    }
  }
  Shape shape{bits, 32};
  Array blocks = expand_dims(unflatten(values, -1, {values.shape(-1) / 32, 32}, s), {-2}, s);
  Array parts = add(left_shift(blocks, Array(left.begin(), shape, uint32), s),
                    right_shift(blocks, Array(right.begin(), shape, uint32), s), s);
  return flatten(sum(parts, {-1}, false, s), -2, -1, s);
}

}  // namespace

const char* name_of(QuantizationMode mode) {
  switch (mode) {
    case QuantizationMode::affine:
      return "affine";
    case QuantizationMode::mxfp4:
      return "mxfp4";
    case QuantizationMode::mxfp8:
      return "mxfp8";
    case QuantizationMode::nvfp4:
      return "nvfp4";
  }
  __builtin_unreachable();
}

void require_global_scale(const char* op, const Array& scale, QuantizationMode mode) {
  if (mode != QuantizationMode::nvfp4) {
    refuse(op, "Global scale is only supported for 'nvfp4' quantization mode.");
  }
  if (scale.size() != 1) {
    refuse(op, "Global scale must be a scalar but got shape {}.", to_string(scale.shape()));
  }
  if (scale.dtype() != float32) {
    refuse(op, "Global scale must have dtype float32 but got {}.", name_of(scale.dtype()));
  }
}

Quantization quantization_of(const char* op, std::optional<int> group_size, std::optional<int> bits,
                             const std::string& mode) {
  Quantization format = defaults_of(mode_of(op, mode));
  format.group_size = group_size.value_or(format.group_size);
  format.bits = bits.value_or(format.bits);
  return format;
}

void require_supported(const char* op, const Quantization& format) {
  const Quantization fixed = defaults_of(format.mode);
  if (!format.affine()) {
    if (format.group_size != fixed.group_size) {
      refuse(op, "{} quantization requires group size {} but got {}.", name_of(format.mode),
             fixed.group_size, format.group_size);
    }
    if (format.bits != fixed.bits) {
      refuse(op, "{} quantization requires bits to be {} but got {}.", name_of(format.mode),
             fixed.bits, format.bits);
    }
    return;
  }
  if (format.group_size != 32 && format.group_size != 64 && format.group_size != 128) {
    refuse(op,
           "The requested group size {} is not supported. The supported group "
           "sizes are 32, 64, and 128.",
           format.group_size);
  }
  if (format.bits < 1 || format.bits == 7 || format.bits > 8) {
    refuse(op,
           "The requested number of bits {} is not supported. The supported bits "
           "are 1, 2, 3, 4, 5, 6 and 8.",
           format.bits);
  }
}

void require_groups(const char* op, int64_t row, const Quantization& format) {
  if (row % format.group_size == 0) return;
  refuse(op,
         "The last dimension of the inputs needs to be divisible by the group size "
         "{} but it is {}.",
         format.group_size, row);
}

void require_quantized(const char* op, const Array& w, const Array& scales, const Array* biases,
                       const Quantization& format) {
  if (format.affine() && !biases) refuse(op, "Biases must be provided for affine quantization.");
  if (!format.affine() && biases) {
    refuse(op, "Biases must be null for quantization mode '{}'.", name_of(format.mode));
  }
  if (w.dtype() != uint32) {
    refuse(op, "The weight matrix should be uint32 but received {}.", name_of(w.dtype()));
  }
  if (!format.affine() && scales.dtype() != uint8) {
    refuse(op, "Scale type must be uint8 but received type {}.", name_of(scales.dtype()));
  }
  if (w.ndim() < 2) {
    refuse(op, "The quantized matrix must have at least 2 dimensions but it has only {}.",
           w.ndim());
  }
  if (biases && biases->shape() != scales.shape()) {
    refuse(op,
           "Scales and biases should have the same shape. Received scales with "
           "shape {} and biases with {}.",
           to_string(scales.shape()), to_string(biases->shape()));
  }
  // Bits beyond any sense would divide by zero or overflow.
  bool fits = scales.ndim() >= 2 && format.bits > 0 && format.group_size > 0 &&
              w.shape(-2) == scales.shape(-2) &&
              w.shape(-1) * 32 == scales.shape(-1) * int64_t{format.group_size} * format.bits;
  if (!fits) {
    refuse(op,
           "The shapes of the weight and scales are incompatible based on bits and "
           "group_size. w.shape() == {} and scales.shape() == {} with "
           "group_size={} and bits={}.",
           to_string(w.shape()), to_string(scales.shape()), format.group_size, format.bits);
  }
}

void require_packed(OpName op, const char* name, const Arrays& in, size_t first,
                    const Quantization& format) {
  require_supported(name, format);
  const Array &w = in[first], &scales = in[first + 1];
  require_quantized(name, w, scales, format.affine() ? &in[first + 2] : nullptr, format);
  require_same_stacks(name, w, scales);
  if (!format.affine()) return;
  if (!is_floating(scales.dtype())) {
    refuse(name, "Only real floating types are supported but scales.dtype() == {}.",
           name_of(scales.dtype()));
  }
  require_dtype(op, in, first + 2, scales.dtype());
}

Array group_sums(const Array& x, int group_size, const Stream& s) {
  return sum(in_groups(x, group_size, s), {-1}, false, s);
}

// ---------------------------------------------------------------------------------------------
// quantize

void Quantize::check(const Arrays& in) const {
  constexpr const char* op = "quantize";
  require_inputs(*this, in, 1 + size_t{has_global_scale});
  const Array& w = in[0];
  if (!is_floating(w.dtype())) {
    refuse(op, "Only real floating types can be quantized but w has type {}.", name_of(w.dtype()));
  }
  if (w.ndim() < 2) {
    refuse(op,
           "The matrix to be quantized must have at least 2 dimension but it has "
           "only {}.",
           w.ndim());
  }
  if (has_global_scale) require_global_scale(op, in[1], format.mode);
  if (format.group_size < 1 || w.shape(-1) % format.group_size != 0) {
    refuse(op,
           "The last dimension of the matrix needs to be divisible by the "
           "quantization group size {}. However the provided  matrix has shape {}",
           format.group_size, to_string(w.shape()));
  }
  require_supported(op, format);
}

Avals Quantize::infer(const Arrays& in) const {
  const Shape& shape = in[0].shape();
  Shape groups = with_last(shape, shape.back() / format.group_size);
  Avals out{{with_last(shape, format.words(shape.back())), uint32},
            {groups, format.affine() ? in[0].dtype() : uint8}};
  if (format.affine()) out.push_back({groups, in[0].dtype()});
  return out;
}

std::optional<Arrays> Quantize::vjp(const Pull& p) const {
  if (format.affine()) return std::nullopt;
  return Arrays(p.wanted.size());  // steps: the derivative is zero
}

std::optional<Batched> Quantize::vmap(const Batch& b) const {
  if (has_global_scale && b.axes[1] >= 0) return std::nullopt;
  Arrays inputs = b.in;
  inputs[0] = batch_to_front(b.in[0], b.axes[0]);
  Arrays outputs = apply_multi(*this, inputs, b.stream);
  std::vector<int> all(outputs.size(), 0);
  return Batched{std::move(outputs), all};
}

// Affine groups begin at the extreme of larger magnitude, which is thereby exact, and the scale is
// such that zero is exact too.
std::optional<Arrays> Quantize::decompose(const Arrays& in, const Stream& s) const {
  if (!format.affine()) return std::nullopt;
  Dtype dtype = in[0].dtype(), wide = dtype == float64 ? float64 : float32;
  auto number = [&](float x) { return Array(x, wide); };
  Array w = in_groups(astype(in[0], wide, s), format.group_size, s);
  Array low = min(w, {-1}, true, s), high = max(w, {-1}, true, s);
  Array steps = number(static_cast<float>((1 << format.bits) - 1)), zero = number(0);
  Array scale = maximum(divide(subtract(high, low, s), steps, s), number(least_scale), s);
  Array bias = low;
  if (format.bits > 1) {
    Array from_low = greater(abs(low, s), abs(high, s), s);
    scale = where(from_low, scale, negative(scale, s), s);
    Array edge = where(from_low, low, high, s);
    Array count = stop_gradient(round(divide(edge, scale, s), 0, s), s);
    Array some = not_equal(count, zero, s);
    scale = where(some, divide(edge, where(some, count, number(1), s), s), scale, s);
    bias = where(some, edge, zero, s);
  }
  Array q = round(divide(subtract(w, bias, s), scale, s), 0, s);
  q = minimum(where(greater(q, zero, s), q, zero, s), steps, s);
  Array values = flatten(astype(q, uint32, s), -2, -1, s);
  return Arrays{pack(values, format.bits, s), astype(squeeze(scale, {-1}, s), dtype, s),
                astype(squeeze(bias, {-1}, s), dtype, s)};
}

Arrays quantize(const Array& w, std::optional<int> group_size, std::optional<int> bits,
                const std::string& mode, const std::optional<Array>& global_scale,
                StreamOrDevice s) {
  constexpr const char* op = "quantize";
  Quantization format = quantization_of(op, group_size, bits, mode);
  Stream stream = to_stream(s);
  Arrays inputs{w};
  if (global_scale) {
    require_global_scale(op, *global_scale, format.mode);
    inputs.push_back(reshape(*global_scale, {}, stream));
  }
  auto made = make_op<Quantize>(format, global_scale.has_value());
  if (w.dtype() == float64) {  // the kernel has no such form
    made->check(inputs);
    if (format.affine()) return *made->decompose(inputs, stream);
    inputs[0] = astype(w, float32, stream);
  }
  return apply_multi(std::move(made), inputs, stream);
}

// ---------------------------------------------------------------------------------------------
// dequantize

void Dequantize::check(const Arrays& in) const {
  constexpr const char* op = "dequantize";
  require_inputs(*this, in, 2 + size_t{format.affine()} + size_t{has_global_scale});
  require_packed(*this, op, in, 0, format);
  if (has_global_scale) require_global_scale(op, in.back(), format.mode);
  if (!is_floating(dtype) || (format.affine() && dtype != in[1].dtype())) {
    refuse(op, "The result cannot be {}.", name_of(dtype));
  }
}

Avals Dequantize::infer(const Arrays& in) const {
  return {{with_last(in[0].shape(), format.elements(in[0].shape(-1))), dtype}};
}

// The matrix for a global scale of 1, in which it is linear. Scales of these formats are no numbers
// that could move.
Array Dequantize::for_unit_scale(const Arrays& in, const Stream& s) const {
  return apply(make_op<Dequantize>(format, true, float32), {in[0], in[1], ones_like(in[2], s)}, s);
}

void Dequantize::require_movable(int input) const {
  if (input != 1 || format.affine()) return;
  refuse("dequantize",
         "There is no derivative by the scales of mode '{}', which are stored as uint8. "
         "Use mode 'affine', or stop_gradient.",
         name_of(format.mode));
}

std::optional<Arrays> Dequantize::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays result;
  Array wide = astype(p.g[0], float32, s);
  for (int i : p.wanted) {
    require_movable(i);
    if (i == 0) {
      result.emplace_back();
    } else if (!format.affine()) {
      result.push_back(sum(multiply(wide, for_unit_scale(p.in, s), s), false, s));
    } else {
      Array each = wide;
      if (i == 1) {
        Array ones = ones_like(p.in[1], s), zero = zeros_like(p.in[2], s);
        each = multiply(wide, restore(format, p.in[0], ones, zero, float32, s), s);
      }
      result.push_back(astype(group_sums(each, format.group_size, s), dtype, s));
    }
  }
  return result;
}

std::optional<Arrays> Dequantize::jvp(const Push& p) const {
  const Stream& s = p.stream;
  Arrays moved = p.in;
  if (format.affine()) moved = {p.in[0], zeros_like(p.in[1], s), zeros_like(p.in[2], s)};
  bool moves = false;
  for (size_t k = 0; k < p.wanted.size(); k++) {
    require_movable(p.wanted[k]);
    if (p.wanted[k] == 0) continue;
    moved[static_cast<size_t>(p.wanted[k])] = p.t[k];
    moves = true;
  }
  if (!moves) return Arrays(1);
  if (format.affine()) return Arrays{apply(*this, moved, s)};
  return Arrays{astype(multiply(for_unit_scale(p.in, s), moved[2], s), dtype, s)};
}

std::optional<Batched> Dequantize::vmap(const Batch& b) const {
  size_t matrices = b.in.size() - (has_global_scale ? 1 : 0);
  if (has_global_scale && b.axes.back() >= 0) return std::nullopt;
  Arrays inputs =
      all_batched(Arrays(b.in.begin(), b.in.begin() + static_cast<long>(matrices)),
                  {b.axes.begin(), b.axes.begin() + static_cast<long>(matrices)}, b.stream);
  inputs.insert(inputs.end(), b.in.begin() + static_cast<long>(matrices), b.in.end());
  return Batched{{apply(*this, inputs, b.stream)}, {0}};
}

// ---------------------------------------------------------------------------------------------
// what quantizing leaves

void QuantizedRounding::check(const Arrays& in) const {
  constexpr const char* op = "qqmm";
  require_inputs(*this, in, 1 + size_t{has_global_scale});
  require_supported(op, format);
  const Array& x = in[0];
  if (x.ndim() == 0 || !is_floating(x.dtype()) || x.dtype() == float64) {
    refuse(op,
           "Rows of a real floating type except float64 are wanted, but the input "
           "is {} of shape {}.",
           name_of(x.dtype()), to_string(x.shape()));
  }
  if (format.affine()) refuse(op, "Affine quantization is not supported: it has biases.");
  require_groups(op, x.shape(-1), format);
  if (has_global_scale) require_global_scale(op, in[1], format.mode);
}

std::optional<Arrays> QuantizedRounding::vjp(const Pull& p) const {
  Arrays result;
  for (int i : p.wanted) result.push_back(i == 0 ? p.g[0] : Array());
  return result;
}

std::optional<Arrays> QuantizedRounding::jvp(const Push& p) const {
  return Arrays{p.wanted[0] == 0 ? p.t[0] : Array()};
}

std::optional<Batched> QuantizedRounding::vmap(const Batch& b) const {
  if (has_global_scale && b.axes[1] >= 0) return std::nullopt;
  Arrays inputs = b.in;
  inputs[0] = batch_to_front(b.in[0], b.axes[0]);
  return Batched{{apply(*this, inputs, b.stream)}, {0}};
}

Array restore(const Quantization& format, const Array& w, const Array& scales,
              const std::optional<Array>& biases, Dtype dtype, const Stream& s) {
  Arrays inputs{w, scales};
  if (!format.affine()) return apply(make_op<Dequantize>(format, false, dtype), inputs, s);
  inputs.push_back(*biases);
  return astype(apply(make_op<Dequantize>(format, false, scales.dtype()), inputs, s), dtype, s);
}

Array dequantize(const Array& w, const Array& scales, const std::optional<Array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, const std::string& mode,
                 const std::optional<Array>& global_scale, std::optional<Dtype> dtype,
                 StreamOrDevice s) {
  constexpr const char* op = "dequantize";
  Quantization format = quantization_of(op, group_size, bits, mode);
  Stream stream = to_stream(s);
  if (global_scale) require_global_scale(op, *global_scale, format.mode);
  require_quantized(op, w, scales, biases ? &*biases : nullptr, format);
  require_supported(op, format);
  if (w.ndim() != scales.ndim() ||
      !std::equal(w.shape().begin(), w.shape().end() - 1, scales.shape().begin())) {
    refuse(op, "Shape of scales and biases does not match the matrix: {} and {}.",
           to_string(scales.shape()), to_string(w.shape()));
  }
  if (dtype && !is_floating(*dtype)) {
    refuse(op, "Only real floating types are supported but output dtype == {}.", name_of(*dtype));
  }
  if (!format.affine()) {
    Dtype out = dtype.value_or(global_scale ? float32 : bfloat16);
    Arrays inputs{w, scales};
    if (global_scale) inputs.push_back(reshape(*global_scale, {}, stream));
    Dtype kernel = out == float64 ? Dtype(float32) : out;  // exact: elements have few bits
    return astype(
        apply(make_op<Dequantize>(format, global_scale.has_value(), kernel), inputs, stream), out,
        stream);
  }
  Dtype t = promote_types(scales.dtype(), biases->dtype());
  if (!is_floating(scales.dtype()) || !is_floating(biases->dtype())) {
    refuse(op,
           "Only real floating types are supported but scales.dtype() == {} and "
           "biases.dtype() == {}.",
           name_of(scales.dtype()), name_of(biases->dtype()));
  }
  Array scale = astype(scales, t, stream), bias = astype(*biases, t, stream);
  Array out;
  if (t == float64) {  // the kernels have no such form: only the integers come from one
    Shape groups = scale.shape();
    Array q = restore(format, w, ones(groups, float32, stream), zeros(groups, float32, stream),
                      float64, stream);
    q = in_groups(q, format.group_size, stream);
    out = add(multiply(q, expand_dims(scale, {-1}, stream), stream),
              expand_dims(bias, {-1}, stream), stream);
    out = flatten(out, -2, -1, stream);
  } else {
    out = apply(make_op<Dequantize>(format, false, t), {w, scale, bias}, stream);
  }
  return astype(out, dtype.value_or(t), stream);
}

}  // namespace heddle
