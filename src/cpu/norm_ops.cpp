// Norms on their kernels.
#include <cstring>
#include <optional>

#include "cpu/kernel.h"
#include "cpu/norm.h"
#include "cpu/pointwise.h"
#include "ops/norm.h"

namespace heddle::cpu {
namespace {

// Input i, if the op has it.
class OptionalRow {
 public:
  OptionalRow(const Work& w, bool has, size_t i) {
    if (has) view_ = w.input(i).view();
  }
  const View* get() const { return view_ ? &*view_ : nullptr; }

 private:
  std::optional<View> view_;
};

void allocate_rows(const Work& w) {
  if (w.prologue) {
    w.output().allocate_dense();
  } else {
    allocate_or_donate(w, 0, 0);
  }
}

const RegisterKernel<LayerNorm> layer_norm_kernel(
    [](const Work& w) {
      const LayerNorm& op = op_of<LayerNorm>(w);
      allocate_rows(w);
      if (w.output().size() == 0) return;
      const OptionalRow weight(w, op.has_weight, 1), bias(w, op.has_bias, op.has_weight ? 2 : 1);
      layer_norm(source_of(w), weight.get(), bias.get(), static_cast<double>(op.eps),
                 w.output().view());
    },
    true);

const RegisterKernel<RMSNorm> rms_norm_kernel(
    [](const Work& w) {
      const RMSNorm& op = op_of<RMSNorm>(w);
      allocate_rows(w);
      if (w.output().size() == 0) return;
      const OptionalRow weight(w, op.has_weight, 1);
      rms_norm(source_of(w), weight.get(), static_cast<double>(op.eps), w.output().view());
    },
    true);

// Gives all outputs memory. False if there are no rows: then sums over them are zero.
bool allocate_gradients(const Work& w) {
  allocate_rows(w);
  for (size_t i = 1; i < w.outputs.size(); i++) {
    Node& out = w.output(i);
    out.allocate_dense();
    if (w.output().size() == 0) std::memset(out.data, 0, out.nbytes());
  }
  return w.output().size() > 0;
}

const RegisterKernel<LayerNormVJP> layer_norm_vjp_kernel(
    [](const Work& w) {
      const LayerNormVJP& op = op_of<LayerNormVJP>(w);
      if (!allocate_gradients(w)) return;
      const OptionalRow weight(w, op.has_weight, 2);
      View gw, gb;
      if (op.has_weight) gw = w.output(1).view();
      if (op.has_bias) gb = w.output(op.has_weight ? 2 : 1).view();
      layer_norm_vjp(tile::Source(w.input(1).view()), weight.get(), source_of(w),
                     static_cast<double>(op.eps), w.output().view(), op.has_weight ? &gw : nullptr,
                     op.has_bias ? &gb : nullptr);
    },
    true);

const RegisterKernel<RMSNormVJP> rms_norm_vjp_kernel(
    [](const Work& w) {
      const RMSNormVJP& op = op_of<RMSNormVJP>(w);
      if (!allocate_gradients(w)) return;
      const OptionalRow weight(w, op.has_weight, 2);
      View gw;
      if (op.has_weight) gw = w.output(1).view();
      rms_norm_vjp(tile::Source(w.input(1).view()), weight.get(), source_of(w),
                   static_cast<double>(op.eps), w.output().view(), op.has_weight ? &gw : nullptr);
    },
    true);

}  // namespace
}  // namespace heddle::cpu
