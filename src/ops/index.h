// Ops that read or write parts of arrays. Public contracts: heddle/ops/index.h.
#pragma once

#include "core/op.h"
#include "heddle/ops/index.h"

namespace heddle {

// One axis of a slice against its size: elements first, first + step, ..., count of them.
struct SliceRange {
  int64_t first;
  int64_t step;
  int64_t count;
};
SliceRange resolve_slice(int64_t start, int64_t stop, int64_t step, int64_t size);

// Bounds stay as given (negative ones and missing ends relative to the size), so that the op means
// the same for arrays of other sizes.
class Slice final : public OpClass<Slice> {
 public:
  static constexpr const char* name = "Slice";
  Shape start;
  Shape stop;
  Shape step;
  Slice(Shape a, Shape b, Shape c) : start(std::move(a)), stop(std::move(b)), step(std::move(c)) {}
  template <class V>
  void attributes(V& v) const {
    v("start", start);
    v("stop", stop);
    v("step", step);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return true; }
};

// Input 1, of the shape of the slice and the dtype of input 0, put into input 0.
class SliceUpdate final : public OpClass<SliceUpdate> {
 public:
  static constexpr const char* name = "SliceUpdate";
  Shape start;
  Shape stop;
  Shape step;
  Combine combine;
  SliceUpdate(Shape a, Shape b, Shape c, Combine m)
      : start(std::move(a)), stop(std::move(b)), step(std::move(c)), combine(m) {}
  template <class V>
  void attributes(V& v) const {
    v("start", start);
    v("stop", stop);
    v("step", step);
    v("combine", combine);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool is_linear() const override { return combine == Combine::assign || combine == Combine::sum; }
};

// Inputs: the array, then one index array per axis. Indices are clamped.
class Gather final : public OpClass<Gather> {
 public:
  static constexpr const char* name = "Gather";
  std::vector<int> axes;
  Shape slice_sizes;
  Gather(std::vector<int> a, Shape s) : axes(std::move(a)), slice_sizes(std::move(s)) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
    v("slice_sizes", slice_sizes);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// Inputs: the array, one index array per axis, the updates (in the array's dtype).
class Scatter final : public OpClass<Scatter> {
 public:
  static constexpr const char* name = "Scatter";
  std::vector<int> axes;
  Combine combine;
  bool clamp;  // indices out of range are clamped, as gather's derivative wants it; else an error
  Scatter(std::vector<int> a, Combine c, bool cl) : axes(std::move(a)), combine(c), clamp(cl) {}
  template <class V>
  void attributes(V& v) const {
    v("axes", axes);
    v("combine", combine);
    v("clamp", clamp);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
};

// out[..., i, ...] = a[..., indices[..., i, ...], ...]; the shapes agree but for the axis.
class GatherAxis final : public OpClass<GatherAxis> {
 public:
  static constexpr const char* name = "GatherAxis";
  int axis;
  explicit GatherAxis(int a) : axis(a) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[1].shape(), in[0].dtype()}}; }
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Arrays> jvp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// Inputs: the array, the indices, the values (of the shape of the indices). Assigns or adds.
class ScatterAxis final : public OpClass<ScatterAxis> {
 public:
  static constexpr const char* name = "ScatterAxis";
  int axis;
  Combine combine;
  bool clamp;
  ScatterAxis(int a, Combine c, bool cl) : axis(a), combine(c), clamp(cl) {}
  template <class V>
  void attributes(V& v) const {
    v("axis", axis);
    v("combine", combine);
    v("clamp", clamp);
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

// Inputs: the array (n, k), the mask (n), the values (m, k): rows where the mask is true are
// replaced by the next rows of the values.
class MaskedScatter final : public OpClass<MaskedScatter> {
 public:
  static constexpr const char* name = "MaskedScatter";
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override { return {{in[0].shape(), in[0].dtype()}}; }
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
};

}  // namespace heddle
