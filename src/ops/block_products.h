// Products of gathered matrices, of blocks and of segments.
#pragma once

#include "core/op.h"

namespace heddle {

// (a (B, M, K), b (E, K, N), lhs, rhs): for each pair of indices a[lhs] b[rhs]. The indices are
// uint32 of one shape, a and b of one floating dtype.
class GatherMM final : public OpClass<GatherMM> {
 public:
  static constexpr const char* name = "GatherMM";
  bool sorted;  // the right indices, as the caller promises
  explicit GatherMM(bool s) : sorted(s) {}
  template <class V>
  void attributes(V& v) const {
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

// (a (..., M, K), b (..., K, N)[, out mask][, lhs mask][, rhs mask]), all of equal batch
// dimensions. Blocks are left out where a mask of bool is false; other masks, of the operands'
// dtype, scale them.
class BlockMaskedMM final : public OpClass<BlockMaskedMM> {
 public:
  static constexpr const char* name = "BlockMaskedMM";
  int block_size;
  bool has_out_mask, has_lhs_mask, has_rhs_mask;
  BlockMaskedMM(int size, bool out, bool lhs, bool rhs)
      : block_size(size), has_out_mask(out), has_lhs_mask(lhs), has_rhs_mask(rhs) {}
  template <class V>
  void attributes(V& v) const {
    v("block_size", block_size);
    v("has_out_mask", has_out_mask);
    v("has_lhs_mask", has_lhs_mask);
    v("has_rhs_mask", has_rhs_mask);
  }
  size_t lhs_mask() const { return has_out_mask ? 3 : 2; }
  size_t rhs_mask() const { return lhs_mask() + (has_lhs_mask ? 1 : 0); }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// (a (M, K), b (K, N), segments (..., 2) of uint32).
class SegmentedMM final : public OpClass<SegmentedMM> {
 public:
  static constexpr const char* name = "SegmentedMM";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
