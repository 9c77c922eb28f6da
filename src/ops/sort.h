// Sorting along an axis and searching in what is sorted. NaN comes last; equal elements keep their
// order.
#pragma once

#include "core/op.h"

namespace heddle {

class Sort final : public OpClass<Sort> {
 public:
  static constexpr const char* name = "Sort";
  int axis;
  explicit Sort(int a) : axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
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

class ArgSort final : public OpClass<ArgSort> {
 public:
  static constexpr const char* name = "ArgSort";
  int axis;
  explicit ArgSort(int a) : axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), uint32}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// The k-th smallest element in its place, smaller ones before it.
class Partition final : public OpClass<Partition> {
 public:
  static constexpr const char* name = "Partition";
  int kth;
  int axis;
  Partition(int k, int a) : kth(k), axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("kth", kth);
    v("axis", axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

class ArgPartition final : public OpClass<ArgPartition> {
 public:
  static constexpr const char* name = "ArgPartition";
  int kth;
  int axis;
  ArgPartition(int k, int a) : kth(k), axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("kth", kth);
    v("axis", axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), uint32}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// sorted: (batch..., n), values: (batch..., anything) of the same dtype; `batch` axes are shared.
class SearchSorted final : public OpClass<SearchSorted> {
 public:
  static constexpr const char* name = "SearchSorted";
  bool right;
  int batch;
  SearchSorted(bool r, int b) : right(r), batch(b) {}
  template <class V>
  void attributes(V& v) const {
    v("right", right);
    v("batch", batch);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[1].shape(), uint32}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
