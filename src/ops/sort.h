// Sorting along an axis and searching in what is sorted. NaN comes last; equal elements keep their
// order.
#pragma once

#include "core/op.h"

namespace heddle {

struct Sort {
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

struct ArgSort {
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[0].shape(), uint32}}; }
  static constexpr bool is_constant = true;
};

// The k-th smallest element in its place, smaller ones before it.
struct Partition {
  int kth;
  Axis axis;
  void fields(auto& v) { v("kth", kth)("axis", axis); }
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  bool follows_shapes() const { return false; }
};

struct ArgPartition {
  int kth;
  Axis axis;
  void fields(auto& v) { v("kth", kth)("axis", axis); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[0].shape(), uint32}}; }
  static constexpr bool is_constant = true;
  bool follows_shapes() const { return false; }
};

// sorted: (batch..., n), values: (batch..., anything) of the same dtype; `batch` axes are shared.
struct SearchSorted {
  bool right;
  int batch;
  void fields(auto& v) { v("right", right)("batch", batch); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[1].shape(), uint32}}; }
  static constexpr bool is_constant = true;
  std::optional<Batched> vmap(const Batch& b) const;
};

}  // namespace heddle
