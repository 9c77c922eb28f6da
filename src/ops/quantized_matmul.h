// Products with quantized matrices.
#pragma once

#include "ops/quantize.h"

namespace heddle {

// (x, packed, scales[, biases]) of equal batch dimensions, or a packed matrix without any: x times
// the matrix or its transpose. x, scales and biases share a dtype (scales of the floating-point
// modes are uint8).
class QuantizedMatmul final : public OpClass<QuantizedMatmul> {
 public:
  static constexpr const char* name = "QuantizedMatmul";
  Quantization format;
  bool transpose;
  QuantizedMatmul(const Quantization& f, bool t) : format(f), transpose(t) {}
  template <class V>
  void attributes(V& v) const {
    v("group_size", format.group_size);
    v("bits", format.bits);
    v("mode", format.mode);
    v("transpose", transpose);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// (x, packed, scales[, biases], lhs, rhs): x (B, M, K), packed (E, ...); for each pair of indices
// x[lhs] times the matrix rhs. The indices are uint32 of one shape.
class GatherQMM final : public OpClass<GatherQMM> {
 public:
  static constexpr const char* name = "GatherQMM";
  Quantization format;
  bool transpose;
  bool sorted;  // the right indices, as the caller promises
  GatherQMM(const Quantization& f, bool t, bool s) : format(f), transpose(t), sorted(s) {}
  template <class V>
  void attributes(V& v) const {
    v("group_size", format.group_size);
    v("bits", format.bits);
    v("mode", format.mode);
    v("transpose", transpose);
    v("sorted", sorted);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
