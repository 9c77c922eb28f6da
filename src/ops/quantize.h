// Quantizing a matrix and restoring it.
#pragma once

#include <optional>
#include <string>

#include "core/op.h"
#include "core/quantization.h"
#include "ops/checks.h"

namespace heddle {

// (w[, global_scale]) to (packed, scales[, biases]).
struct Quantize {
  Quantization format;
  bool has_global_scale;
  void fields(auto& v) { v("format", format)("has_global_scale", has_global_scale); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// (packed, scales[, biases][, global_scale]) to an array of `dtype`.
struct Dequantize {
  Quantization format;
  bool has_global_scale;
  Dtype dtype;
  void fields(auto& v) {
    v("format", format)("has_global_scale", has_global_scale)("dtype", dtype);
  }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;

 private:
  Array for_unit_scale(const Arrays& in, const Stream& s) const;
  void require_movable(int input) const;
};

// (x[, global_scale]): what is left of x once it is quantized. Derivatives pass through as if
// nothing were rounded: the true ones are zero almost everywhere and no use.
struct QuantizedRounding {
  Quantization format;
  bool has_global_scale;
  void fields(auto& v) { v("format", format)("has_global_scale", has_global_scale); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// What the public functions share.

void require_global_scale(const char* op, const Array& scale, QuantizationMode mode);

// The format that the arguments name, defaults filled in; whether it exists, require_supported
// says.
Quantization quantization_of(const char* op, std::optional<int> group_size, std::optional<int> bits,
                             const std::string& mode);
void require_supported(const char* op, const Quantization& format);
const char* name_of(QuantizationMode mode);

// Rows consist of whole groups.
void require_groups(const char* op, int64_t row, const Quantization& format);

// Checks the packed matrix with its scales and biases against the format.
void require_quantized(const char* op, const Array& w, const Array& scales, const Array* biases,
                       const Quantization& format);
// The inputs of an op that begin at `first`: a packed matrix, scales, and, in affine formats,
// biases of the dtype of the scales.
void require_packed(OpName op, const char* name, const Arrays& in, size_t first,
                    const Quantization& format);

// The elements of a packed matrix, in `dtype`.
Array restore(const Quantization& format, const Array& w, const Array& scales,
              const std::optional<Array>& biases, Dtype dtype, const Stream& s);

// The sums over groups along the last axis.
Array group_sums(const Array& x, int group_size, const Stream& s);

}  // namespace heddle
