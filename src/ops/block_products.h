// Products of gathered matrices, of blocks and of segments.
#pragma once

#include "core/op.h"

namespace heddle {

// (a (B, M, K), b (E, K, N), lhs, rhs): for each pair of indices a[lhs] b[rhs]. The indices are
// uint32 of one shape, a and b of one floating dtype.
struct GatherMM {
  bool sorted;  // the right indices, as the caller promises
  void fields(auto& v) { v("sorted", sorted); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// (a (..., M, K), b (..., K, N)[, out mask][, lhs mask][, rhs mask]), all of equal batch
// dimensions. Blocks are left out where a mask of bool is false; other masks, of the operands'
// dtype, scale them.
struct BlockMaskedMM {
  int block_size;
  bool has_out_mask, has_lhs_mask, has_rhs_mask;
  void fields(auto& v) {
    v("block_size", block_size)("has_out_mask", has_out_mask)("has_lhs_mask", has_lhs_mask)(
        "has_rhs_mask", has_rhs_mask);
  }
  size_t lhs_mask() const { return has_out_mask ? 3 : 2; }
  size_t rhs_mask() const { return lhs_mask() + (has_lhs_mask ? 1 : 0); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  static constexpr bool batches = true;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// (a (M, K), b (K, N), segments (..., 2) of uint32).
struct SegmentedMM {
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

}  // namespace heddle
