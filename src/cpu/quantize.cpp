#include "cpu/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/threads.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"
#include "cpu/small_floats.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/half_vectors-inl.h"
#include "cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// ---------------------------------------------------------------------------------------------
// restoring

template <class T>
HWY_INLINE hn::Vec<Floats> rounded(hn::Vec<Floats> v) {
  if constexpr (std::is_same_v<T, float>) {
    return v;
  } else {
    HWY_ALIGN T lanes[16];
    store_as(v, Floats(), lanes);
    return load_as(Floats(), lanes);
  }
}

// Scales and biases of `n` groups as floats. Here, for this target: called for each group, code of
// the baseline instruction set amid this one's costs more than the group.
void load_groups(const QuantizedMatrix& m, int64_t first, int64_t n, float* scales, float* biases) {
  const auto* codes = static_cast<const uint8_t*>(m.scales) + first;
  auto widen = [&]<class S>(const S*) HWY_ATTR {
    convert_run(static_cast<const S*>(m.scales) + first, scales, n);
    convert_run(static_cast<const S*>(m.biases) + first, biases, n);
  };
  if (m.format.affine()) {
    switch (m.dtype) {
      case Dtype::float16:
        return widen(static_cast<const float16_t*>(nullptr));
      case Dtype::bfloat16:
        return widen(static_cast<const bfloat16_t*>(nullptr));
      default:
        return widen(static_cast<const float*>(nullptr));
    }
  }
  const bool powers = m.format.mode != QuantizationMode::nvfp4;
  for (int64_t i = 0; i < n; i++) {
    scales[i] = powers ? from_e8m0(codes[i]) : from_e4m3(codes[i]) * m.factor;
    biases[i] = 0;
  }
}

#if HWY_TARGET <= HWY_AVX3
// 32 elements of 4 bits at a time to 16-bit floats, which a table of the group's 16 values gives: a
// byte in each lane of 32 bits selects the two that belong there.
template <Element kind, class T, Rounding rounding>
void restore_by_table(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, T* out) {
  const Floats d;
  const Codes du;
  const hn::Rebind<uint16_t, Codes> du16;
  const int64_t group = m.format.group_size;
  const auto* from = reinterpret_cast<const uint8_t*>(m.words) + (row * m.columns + first) / 2;
  const int64_t groups = n / group, first_group = (row * m.columns + first) / group;
  const auto q = decode<kind>(hn::Iota(du, 0u));
  constexpr int64_t most = 64;
  float scales[most], biases[most];
  HWY_ALIGN T values[16];
  for (int64_t g = 0; g < groups; g++) {
    if (g % most == 0) load_groups(m, first_group + g, std::min(most, groups - g), scales, biases);
    const auto scale = hn::Set(d, scales[g % most]), bias = hn::Set(d, biases[g % most]);
    if constexpr (kind != Element::integer) {
      store_as(hn::Mul(q, scale), d, values);
    } else if constexpr (rounding == Rounding::once) {
      store_as(hn::MulAdd(q, scale, bias), d, values);
    } else {
      store_as(hn::Add(rounded<T>(hn::Mul(q, scale)), bias), d, values);
    }
    const auto low = hn::PromoteTo(du, hn::Load(du16, reinterpret_cast<const uint16_t*>(values)));
    const auto high = hn::ShiftLeft<16>(low);
    for (int64_t k = 0; k < group; k += 32, from += 16, out += 32) {
      const auto codes = hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint8_t, Codes>(), from));
      const auto even = hn::TableLookupLanes(low, hn::Indices512<uint32_t>{codes.raw});
      const auto odd =
          hn::TableLookupLanes(high, hn::Indices512<uint32_t>{hn::ShiftRight<4>(codes).raw});
      hn::StoreU(hn::Or(even, odd), du, reinterpret_cast<uint32_t*>(out));
    }
  }
}
#endif

template <Element kind, int bits, class T, Rounding rounding>
void restore_run(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, T* out) {
#if HWY_TARGET <= HWY_AVX3
  if constexpr (bits == 4 && sizeof(T) == 2) {
    if (m.format.group_size % 32 == 0) {
      return restore_by_table<kind, T, rounding>(m, row, first, n, out);
    }
  }
#endif
  using U = Unpack<bits>;
  const U unpack;
  const Floats d;
  const int64_t group = m.format.group_size;
  const uint8_t* from =
      reinterpret_cast<const uint8_t*>(m.words) + (row * m.columns + first) * bits / 8;
  const uint8_t* end = reinterpret_cast<const uint8_t*>(m.words_end);
  const int64_t groups = n / group, first_group = (row * m.columns + first) / group;
  constexpr int64_t most = 64;
  float scales[most], biases[most];
  for (int64_t g = 0; g < groups; g++) {
    if (g % most == 0) load_groups(m, first_group + g, std::min(most, groups - g), scales, biases);
    const auto scale = hn::Set(d, scales[g % most]);
    [[maybe_unused]] const auto bias = hn::Set(d, biases[g % most]);
    for (int64_t k = 0; k < group; k += U::step, from += U::bytes, out += U::step) {
      const uint8_t* p = from;
      uint8_t last[16];
      if (end - from < 16) {
        std::memcpy(last, from, U::bytes);
        p = last;
      }
      for (int v = 0; v < U::vectors; v++) {
        const auto q = decode<kind>(unpack(p, v));
        hn::Vec<Floats> y;
        if constexpr (kind != Element::integer) {
          y = hn::Mul(q, scale);
        } else if constexpr (rounding == Rounding::once) {
          y = hn::MulAdd(q, scale, bias);
        } else {
          y = hn::Add(rounded<T>(hn::Mul(q, scale)), bias);
        }
        store_as(y, d, out + v * U::lanes);
      }
    }
  }
}

template <class T, Rounding rounding>
void restore_in(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, T* out) {
  switch (m.format.mode) {
    case QuantizationMode::mxfp4:
    case QuantizationMode::nvfp4:
      return restore_run<Element::e2m1, 4, T, Rounding::once>(m, row, first, n, out);
    case QuantizationMode::mxfp8:
      return restore_run<Element::e4m3, 8, T, Rounding::once>(m, row, first, n, out);
    case QuantizationMode::affine:
      break;
  }
  switch (m.format.bits) {
    case 1:
      return restore_run<Element::integer, 1, T, rounding>(m, row, first, n, out);
    case 2:
      return restore_run<Element::integer, 2, T, rounding>(m, row, first, n, out);
    case 3:
      return restore_run<Element::integer, 3, T, rounding>(m, row, first, n, out);
    case 4:
      return restore_run<Element::integer, 4, T, rounding>(m, row, first, n, out);
    case 5:
      return restore_run<Element::integer, 5, T, rounding>(m, row, first, n, out);
    case 6:
      return restore_run<Element::integer, 6, T, rounding>(m, row, first, n, out);
    default:
      return restore_run<Element::integer, 8, T, rounding>(m, row, first, n, out);
  }
}

template <class T>
void restore_as(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, Rounding rounding,
                T* out) {
  if (rounding == Rounding::once) {
    restore_in<T, Rounding::once>(m, row, first, n, out);
  } else {
    restore_in<T, Rounding::each_step>(m, row, first, n, out);
  }
}

void dequantize_run(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, Dtype dtype,
                    Rounding rounding, void* out) {
  switch (dtype) {
    case Dtype::float16:
      return restore_as(m, row, first, n, rounding, static_cast<float16_t*>(out));
    case Dtype::bfloat16:
      return restore_as(m, row, first, n, rounding, static_cast<bfloat16_t*>(out));
    default:
      return restore_as(m, row, first, n, rounding, static_cast<float*>(out));
  }
}

// ---------------------------------------------------------------------------------------------
// affine groups

// Codes, scale and bias of a group that starts at the extreme of larger magnitude; see the op's
// decomposition for the formulas. NaN compares false and so neither bounds a group nor gets a code.
void affine_codes(const float* w, int64_t n, int bits, uint32_t* codes, float& scale, float& bias) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float infinity = std::numeric_limits<float>::infinity();
  auto lows = hn::Set(d, infinity), highs = hn::Set(d, -infinity);
  for (int64_t i = 0; i < n; i += lanes) {
    const auto v = hn::LoadU(d, w + i);
    lows = hn::IfThenElse(hn::Lt(v, lows), v, lows);
    highs = hn::IfThenElse(hn::Gt(v, highs), v, highs);
  }
  const float low = hn::GetLane(hn::MinOfLanes(d, lows));
  const float high = hn::GetLane(hn::MaxOfLanes(d, highs));
  const float steps = static_cast<float>((1 << bits) - 1);
  constexpr float least_scale = 1e-7f;
  const float even = (high - low) / steps;
  scale = even < least_scale ? least_scale : even;
  bias = low;
  if (bits > 1) {
    const bool from_low = std::fabs(low) > std::fabs(high);
    if (!from_low) scale = -scale;
    const float edge = from_low ? low : high;
    const float count = std::rint(edge / scale);
    bias = 0;
    if (count != 0) {
      scale = edge / count;
      bias = edge;
    }
  }
  const auto zero = hn::Zero(d), most = hn::Set(d, steps);
  const auto by = hn::Set(d, scale), from = hn::Set(d, bias);
  for (int64_t i = 0; i < n; i += lanes) {
    auto q = hn::Round(hn::Div(hn::Sub(hn::LoadU(d, w + i), from), by));
    q = hn::IfThenElseZero(hn::Gt(q, zero), q);
    q = hn::IfThenElse(hn::Gt(q, most), most, q);
    hn::StoreU(hn::ConvertTo(di, q), di, reinterpret_cast<int32_t*>(codes + i));
  }
}

template <class T>
void widen(const void* from, int64_t n, float* to) {
  convert_run(static_cast<const T*>(from), to, n);
}

void widen_run(const void* from, Dtype dtype, int64_t n, float* to) {
  switch (dtype) {
    case Dtype::float16:
      return widen<float16_t>(from, n, to);
    case Dtype::bfloat16:
      return widen<bfloat16_t>(from, n, to);
    default:
      return widen<float>(from, n, to);
  }
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {
namespace {

HWY_EXPORT(dequantize_run);
HWY_EXPORT(affine_codes);
HWY_EXPORT(widen_run);

constexpr int64_t largest_group = 128;

void store_float(void* data, Dtype dtype, int64_t i, float x) {
  switch (dtype) {
    case Dtype::float16:
      static_cast<float16_t*>(data)[i] = x;
      return;
    case Dtype::bfloat16:
      static_cast<bfloat16_t*>(data)[i] = x;
      return;
    default:
      static_cast<float*>(data)[i] = x;
  }
}

float round_to(Dtype dtype, float x) {
  if (dtype == Dtype::float16) return float16_t(x);
  if (dtype == Dtype::bfloat16) return bfloat16_t(x);
  return x;
}

// A group of a floating-point mode. What MLX composes of array operations is rounded to the dtype
// of the matrix after each; so is it here, for equal codes.
void float_codes(const float* w, int64_t n, const Quantization& format, Dtype dtype,
                 const float* global_scale, uint32_t* codes, uint8_t& scale_code) {
  float largest = 0;
  bool finite = true;
  for (int64_t i = 0; i < n; i++) {
    const float a = std::fabs(w[i]);
    if (a > largest) largest = a;
    finite = finite && std::isfinite(a);
  }
  const bool bytes = format.mode == QuantizationMode::mxfp8;
  const bool relative = format.mode == QuantizationMode::nvfp4;
  const float most = bytes ? 448.0f : 6.0f;
  if (!finite) {
    // A scale that is not finite, times the infinities' signs and zeros, which become NaN.
    scale_code = relative ? 0x7f : 0xff;
    for (int64_t i = 0; i < n; i++) {
      const float x = std::isinf(w[i]) ? w[i] : 0.0f;
      codes[i] = bytes ? to_e4m3(x) : to_e2m1(x);
    }
    return;
  }
  const float wanted = round_to(dtype, largest / most);
  const float to_global = global_scale ? nvfp4_range / *global_scale : 1.0f;
  float scale;
  if (relative) {
    scale_code = to_e4m3(wanted * to_global);
    scale = from_e4m3(scale_code);
  } else {
    scale_code = to_e8m0_up(wanted);
    scale = from_e8m0(scale_code);
  }
  for (int64_t i = 0; i < n; i++) {
    const float x = scale == 0 ? 0.0f : round_to(dtype, w[i] / scale) * to_global;
    codes[i] = bytes ? to_e4m3(x) : to_e2m1(x);
  }
}

// n codes (a multiple of 32, or of the codes in a word) as a stream of bits.
void pack(const uint32_t* codes, int64_t n, int bits, uint32_t* words) {
  uint64_t pending = 0;
  int count = 0;
  for (int64_t i = 0; i < n; i++) {
    pending |= static_cast<uint64_t>(codes[i]) << count;
    count += bits;
    if (count >= 32) {
      *words++ = static_cast<uint32_t>(pending);
      pending >>= 32;
      count -= 32;
    }
  }
}

}  // namespace

void quantize(const View& w, const Quantization& format, const float* global_scale, uint32_t* words,
              void* scales, void* biases) {
  const int64_t n = format.group_size, groups = w.size() / n;
  const int64_t words_each = format.words(n);
  const char* from = w.as<const char>();
  const int64_t bytes_each = n * static_cast<int64_t>(size_of(w.dtype));
  parallel_for(groups, std::max<int64_t>(1, parallel_grain / (4 * n)),
               [&](int64_t begin, int64_t end) {
                 float values[largest_group];
                 uint32_t codes[largest_group];
                 for (int64_t g = begin; g < end; g++) {
                   HWY_DYNAMIC_DISPATCH(widen_run)(from + g * bytes_each, w.dtype, n, values);
                   if (format.affine()) {
                     float scale, bias;
                     HWY_DYNAMIC_DISPATCH(affine_codes)(values, n, format.bits, codes, scale, bias);
                     store_float(scales, w.dtype, g, scale);
                     store_float(biases, w.dtype, g, bias);
                   } else {
                     float_codes(values, n, format, w.dtype, global_scale, codes,
                                 static_cast<uint8_t*>(scales)[g]);
                   }
                   pack(codes, n, format.bits, words + g * words_each);
                 }
               });
}

void dequantize_run(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, Dtype dtype,
                    Rounding rounding, void* out) {
  HWY_DYNAMIC_DISPATCH(dequantize_run)(m, row, first, n, dtype, rounding, out);
}

}  // namespace heddle::cpu
#endif
