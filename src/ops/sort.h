// Sorting along an axis and searching in what is sorted. NaN comes last; equal elements keep their
// order.
#pragma once

#include "core/op.h"

namespace heddle {

struct Sort {
  static constexpr const char* name = "Sort";
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  bool operator==(const Sort&) const = default;
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
};

struct ArgSort {
  static constexpr const char* name = "ArgSort";
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  bool operator==(const ArgSort&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[0].shape(), uint32}}; }
  static constexpr bool is_constant = true;
};

// The k-th smallest element in its place, smaller ones before it.
struct Partition {
  static constexpr const char* name = "Partition";
  int kth;
  Axis axis;
  void fields(auto& v) { v("kth", kth)("axis", axis); }
  bool operator==(const Partition&) const = default;
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  bool follows_shapes() const { return false; }
};

struct ArgPartition {
  static constexpr const char* name = "ArgPartition";
  int kth;
  Axis axis;
  void fields(auto& v) { v("kth", kth)("axis", axis); }
  bool operator==(const ArgPartition&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[0].shape(), uint32}}; }
  static constexpr bool is_constant = true;
  bool follows_shapes() const { return false; }
};

// sorted: (batch..., n), values: (batch..., anything) of the same dtype; `batch` axes are shared.
struct SearchSorted {
  static constexpr const char* name = "SearchSorted";
  bool right;
  int batch;
  void fields(auto& v) { v("right", right)("batch", batch); }
  bool operator==(const SearchSorted&) const = default;
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const { return {{in[1].shape(), uint32}}; }
  static constexpr bool is_constant = true;
  std::optional<Batched> vmap(const Batch& b) const;
};

}  // namespace heddle
