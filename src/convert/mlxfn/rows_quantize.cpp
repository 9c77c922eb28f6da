// Quantized matrices, and products that gather, mask or cut their operands.
#include <cmath>

#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/block_products.h"
#include "ops/hadamard.h"
#include "ops/quantize.h"
#include "ops/quantized_matmul.h"

namespace heddle::convert::mlxfn {
namespace {

const std::vector<Field> format_fields{
    {"group_size", Kind::integer}, {"bits", Kind::integer}, {"mode", Kind::choice, 4}};

std::vector<Field> format_and(std::initializer_list<Field> more) {
  std::vector<Field> fields = format_fields;
  fields.insert(fields.end(), more);
  return fields;
}
Values state_of(const Quantization& f, std::initializer_list<bool> more) {
  Values state(1, int64_t{f.group_size});
  state.emplace_back(int64_t{f.bits});
  state.emplace_back(static_cast<int64_t>(f.mode));
  for (bool b : more) state.emplace_back(b);
  return state;
}

constexpr const char* modes[] = {"affine", "mxfp4", "mxfp8", "nvfp4"};

// The format that a record states, and whether it has biases.
struct Format {
  int group_size, bits;
  const char* mode;
  bool affine;
  explicit Format(const Reading& s)
      : group_size(s.integer(0)),
        bits(s.integer(1)),
        mode(modes[s.integer(2)]),
        affine(s.integer(2) == 0) {}
};

std::optional<Array> input_if(const Arrays& in, bool there, size_t i) {
  if (!there) return {};
  return in.at(i);
}
void require_inputs(const Reading& r, size_t n) {
  if (r.in.size() != n) {
    throw std::invalid_argument(fmt::format("it has {} inputs, {} are wanted", r.in.size(), n));
  }
}

// Every code of 8 bits as the number that it is.
Array table_of_scales(QuantizationMode mode) {
  if (mode == QuantizationMode::nvfp4) {
    return from_fp8(arange(0, 256, 1, uint8), float32);
  }
  return power(Array(2.0f), subtract(arange(0, 256, 1, float32), Array(127.0f)));
}
Array table_of_elements(QuantizationMode mode) {
  if (mode == QuantizationMode::mxfp8) return from_fp8(arange(0, 256, 1, uint8), float32);
  constexpr float e2m1[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  std::vector<float> values(e2m1, e2m1 + 8);
  for (float v : e2m1) values.push_back(-v);
  return Array(values.begin(), Shape{16});
}

// The packed numbers: 32 of them fill as many words as they have bits.
Array unpacked(const Array& packed, int bits, const Stream& s) {
  std::vector<int32_t> word, next;
  std::vector<uint32_t> low, high;
  for (int i = 0; i < 32; i++) {
    int at = i * bits;
    word.push_back(at / 32);
    next.push_back(std::min(at / 32 + 1, bits - 1));
    low.push_back(static_cast<uint32_t>(at % 32));
    // A number that ends in its word takes nothing of the next: shifting by 16 twice makes 0 of it.
    high.push_back(static_cast<uint32_t>(32 - at % 32));
  }
  auto constant = [](const auto& v) { return Array(v.begin(), Shape{32}); };
  Array rows = unflatten(packed, -1, {-1, bits}, s);
  Array first = right_shift(take(rows, constant(word), -1, s), constant(low), s);
  Array shift = constant(high);
  Array half = right_shift(shift, Array(1, uint32), s);
  Array rest = left_shift(left_shift(take(rows, constant(next), -1, s), half, s),
                          subtract(shift, half, s), s);
  uint32_t mask = (uint32_t{1} << bits) - 1;
  return flatten(bitwise_and(bitwise_or(first, rest, s), Array(mask, uint32), s), -2, -1, s);
}

Arrays dequantized(const Op& op_, const Arrays& in, const Stream& s) {
  const auto& op = op_as<Dequantize>(op_);
  const Quantization& f = op.format;
  Array q = unpacked(in[0], f.bits, s);
  Array groups = unflatten(q, -1, {-1, f.group_size}, s), scales, out;
  if (f.affine()) {
    scales = expand_dims(astype(in[1], float32, s), -1, s);
    out = add(multiply(astype(groups, float32, s), scales, s),
              expand_dims(astype(in[2], float32, s), -1, s), s);
  } else {
    scales = expand_dims(take(table_of_scales(f.mode), in[1], 0, s), -1, s);
    if (op.has_global_scale) {
      scales = multiply(scales, divide(astype(in.back(), float32, s), Array(nvfp4_range), s), s);
    }
    out = multiply(take(table_of_elements(f.mode), groups, 0, s), scales, s);
  }
  return {astype(flatten(out, -2, -1, s), op.dtype, s)};
}

}  // namespace

Rows quantize_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  Field global{"global_scale", Kind::boolean};
  global.only_heddle = true;
  p.push_back(
      {"Quantize", format_and({{"dequantize", Kind::boolean}, global}), 1, 4, [](const Reading& r) {
         Format f(r);
         const bool back = r.flag(3), has_global = r.flag(4);
         size_t given = !back ? 1 : f.affine ? 3 : 2;
         require_inputs(r, given + (has_global ? 1 : 0));
         std::optional<Array> largest = input_if(r.in, has_global, given);
         if (!back) return quantize(r.in[0], f.group_size, f.bits, f.mode, largest, r.stream);
         return Arrays{dequantize(r.in[0], r.in[1], input_if(r.in, f.affine, 2), f.group_size,
                                  f.bits, f.mode, largest, r.recorded[0].dtype, r.stream)};
       }});
  Spelling quantize_spelling{"Quantize"};
  quantize_spelling.write = [](const Writing& w) {
    const auto& op = op_of<Quantize>(w);
    if (op.has_global_scale || !op.format.affine()) {
      return w.to.compose(w.in, [&](const Arrays& in) {
        auto parts = op.decompose(in, to_stream({}));
        if (!parts) {
          throw std::invalid_argument(
              "[export_function] Unable to serialize primitive Quantize of this mode: MLX has no "
              "such "
              "operation to store. Files with the suffix .heddle hold it.");
        }
        return *parts;
      });
    }
    return emit(w, "Quantize", state_of(op.format, {false, op.has_global_scale}), w.in, w.out);
  };
  s.push_back(quantize_spelling);
  Spelling dequantize_spelling{"Dequantize"};
  dequantize_spelling.lower = dequantized;
  s.push_back(dequantize_spelling);
  Spelling rounding{"QuantizedRounding"};
  rounding.write = [](const Writing& w) {
    return w.to.compose(w.in, [&](const Arrays& in) {
      const auto& op = op_of<QuantizedRounding>(w);
      const Quantization& f = op.format;
      const char* mode = modes[static_cast<int>(f.mode)];
      std::optional<Array> largest = input_if(in, op.has_global_scale, 1);
      Arrays parts = quantize(in[0], f.group_size, f.bits, mode, largest);
      return Arrays{dequantize(parts[0], parts[1], input_if(parts, f.affine(), 2), f.group_size,
                               f.bits, mode, largest, in[0].dtype())};
    });
  };
  s.push_back(rounding);

  p.push_back(
      {"QuantizedMatmul", format_and({{"transpose", Kind::boolean}}), 3, 4, [](const Reading& r) {
         Format f(r);
         require_inputs(r, f.affine ? 4 : 3);
         return Arrays{quantized_matmul(r.in[0], r.in[1], r.in[2], input_if(r.in, f.affine, 3),
                                        r.flag(3), f.group_size, f.bits, f.mode, r.stream)};
       }});
  s.push_back({"QuantizedMatmul", "QuantizedMatmul", [](const Writing& w) {
                 const auto& op = op_of<QuantizedMatmul>(w);
                 return state_of(op.format, {op.transpose});
               }});

  p.push_back({"GatherQMM",
               format_and({{"transpose", Kind::boolean},
                           {"left_sorted", Kind::boolean},
                           {"right_sorted", Kind::boolean}}),
               5, 6, [](const Reading& r) {
                 Format f(r);
                 require_inputs(r, f.affine ? 6 : 5);
                 size_t at = f.affine ? 4 : 3;
                 return Arrays{gather_qmm(r.in[0], r.in[1], r.in[2], input_if(r.in, f.affine, 3),
                                          r.in[at], r.in[at + 1], r.flag(3), f.group_size, f.bits,
                                          f.mode, {}, r.flag(5), r.stream)};
               }});
  s.push_back({"GatherQMM", "GatherQMM", [](const Writing& w) {
                 const auto& op = op_of<GatherQMM>(w);
                 return state_of(op.format, {op.transpose, false, op.sorted});
               }});

  p.push_back({"GatherMM",
               {{"left_sorted", Kind::boolean}, {"right_sorted", Kind::boolean}},
               4,
               4,
               [](const Reading& r) {
                 return Arrays{gather_mm(r.in[0], r.in[1], r.in[2], r.in[3], r.flag(1), r.stream)};
               }});
  s.push_back({"GatherMM", "GatherMM", [](const Writing& w) {
                 Values state(1, false);
                 state.emplace_back(op_of<GatherMM>(w).sorted);
                 return state;
               }});

  // The operands' masks come in pairs.
  p.push_back({"BlockMaskedMM", {{"block_size", Kind::integer}}, 2, 5, [](const Reading& r) {
                 const size_t n = r.in.size();
                 const bool has_out = n == 3 || n == 5, has_both = n >= 4;
                 const size_t at = has_out ? 3 : 2;
                 return Arrays{block_masked_mm(
                     r.in[0], r.in[1], r.integer(0), input_if(r.in, has_out, 2),
                     input_if(r.in, has_both, at), input_if(r.in, has_both, at + 1), r.stream)};
               }});
  Spelling masked{"BlockMaskedMM"};
  masked.write = [](const Writing& w) {
    const auto& op = op_of<BlockMaskedMM>(w);
    if (op.has_lhs_mask == op.has_rhs_mask) {
      return emit(w, "BlockMaskedMM", {int64_t{op.block_size}}, w.in, w.out);
    }
    return w.to.compose(w.in, [&](const Arrays& in) { return *op.decompose(in, to_stream({})); });
  };
  s.push_back(masked);

  // The scale of an orthonormal matrix is known more exactly than a float32 says it.
  Field turned{"transposed", Kind::boolean}, orthonormal{"orthonormal", Kind::boolean};
  turned.only_heddle = orthonormal.only_heddle = true;
  p.push_back(
      {"Hadamard", {{"scale", Kind::real32}, turned, orthonormal}, 1, 1, [](const Reading& r) {
         auto scale = static_cast<float>(r.real(0));
         hadamard_transform(r.in[0], scale, r.stream);  // checks
         if (r.in[0].ndim() == 0 || !is_floating(r.in[0].dtype())) {
           throw std::invalid_argument("rows of floating numbers are wanted");
         }
         OpRef op = make_op<Hadamard>(scale, r.flag(2), r.flag(1));
         return Arrays{apply(op, r.in, r.stream)};
       }});
  Spelling hadamard{"Hadamard"};
  hadamard.write = [](const Writing& w) {
    const auto& op = op_of<Hadamard>(w);
    Values state(1, double{op.scale});
    const auto n = static_cast<uint64_t>(w.out[0].shape.back());
    // H_2 (x) H_2 (x) ... is its own transpose, others are not.
    if (op.transposed && (n & (n - 1)) != 0) {
      throw std::invalid_argument(
          "[export_function] Unable to serialize primitive Hadamard of a transposed matrix: MLX "
          "has "
          "no such operation to store. Files with the suffix .heddle hold it.");
    }
    if (op.orthonormal) state[0] = op.scale / std::sqrt(static_cast<double>(n));
    state.emplace_back(op.transposed);
    state.emplace_back(op.orthonormal);
    return emit(w, "Hadamard", std::move(state), w.in, w.out);
  };
  s.push_back(hadamard);
  return rows;
}

}  // namespace heddle::convert::mlxfn
