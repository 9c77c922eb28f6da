// Products with quantized matrices.
#pragma once

#include "ops/quantize.h"

namespace heddle {

// (x, packed, scales[, biases]) of equal batch dimensions, or a packed matrix without any: x times
// the matrix or its transpose. x, scales and biases share a dtype (scales of the floating-point
// modes are uint8).
struct QuantizedMatmul {
  Quantization format;
  bool transpose;
  void fields(auto& v) { v("format", format)("transpose", transpose); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// (x, packed, scales[, biases], lhs, rhs): x (B, M, K), packed (E, ...); for each pair of indices
// x[lhs] times the matrix rhs. The indices are uint32 of one shape.
struct GatherQMM {
  Quantization format;
  bool transpose;
  bool sorted;  // the right indices, as the caller promises
  void fields(auto& v) { v("format", format)("transpose", transpose)("sorted", sorted); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

}  // namespace heddle
