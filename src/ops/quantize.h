// Quantizing a matrix and restoring it.
#pragma once

#include <optional>
#include <string>

#include "core/op.h"
#include "core/quantization.h"

namespace heddle {

// (w[, global_scale]) to (packed, scales[, biases]).
class Quantize final : public OpClass<Quantize> {
 public:
  static constexpr const char* name = "Quantize";
  Quantization format;
  bool has_global_scale;
  Quantize(const Quantization& f, bool g) : format(f), has_global_scale(g) {}
  template <class V>
  void attributes(V& v) const {
    v("group_size", format.group_size);
    v("bits", format.bits);
    v("mode", format.mode);
    v("has_global_scale", has_global_scale);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// (packed, scales[, biases][, global_scale]) to an array of `dtype`.
class Dequantize final : public OpClass<Dequantize> {
 public:
  static constexpr const char* name = "Dequantize";
  Quantization format;
  bool has_global_scale;
  Dtype dtype;
  Dequantize(const Quantization& f, bool g, Dtype t) : format(f), has_global_scale(g), dtype(t) {}
  template <class V>
  void attributes(V& v) const {
    v("group_size", format.group_size);
    v("bits", format.bits);
    v("mode", format.mode);
    v("has_global_scale", has_global_scale);
    v("dtype", dtype);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }

 private:
  Array for_unit_scale(const Arrays& in, const Stream& s) const;
  void require_movable(int input) const;
};

// (x[, global_scale]): what is left of x once it is quantized. Derivatives pass through as if
// nothing were rounded: the true ones are zero almost everywhere and no use.
class QuantizedRounding final : public OpClass<QuantizedRounding> {
 public:
  static constexpr const char* name = "QuantizedRounding";
  Quantization format;
  bool has_global_scale;
  QuantizedRounding(const Quantization& f, bool g) : format(f), has_global_scale(g) {}
  template <class V>
  void attributes(V& v) const {
    v("group_size", format.group_size);
    v("bits", format.bits);
    v("mode", format.mode);
    v("has_global_scale", has_global_scale);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
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
void require_packed(const Op& op, const char* name, const Arrays& in, size_t first,
                    const Quantization& format);

// The elements of a packed matrix, in `dtype`.
Array restore(const Quantization& format, const Array& w, const Array& scales,
              const std::optional<Array>& biases, Dtype dtype, const Stream& s);

// The sums over groups along the last axis.
Array group_sums(const Array& x, int group_size, const Stream& s);

}  // namespace heddle
