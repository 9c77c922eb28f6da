#include "transforms/rules.h"

#include <algorithm>

#include "core/stream.h"
#include "heddle/ops/creation.h"
#include "heddle/transforms.h"
#include "ops/checks.h"
#include "ops/util.h"
#include "transforms/graph.h"

namespace heddle {
namespace {

[[noreturn]] void refuse_rule(const char* transform, const Op& op) {
  refuse(transform, "is not implemented for the operation {} and it has no decomposition.",
         op.title());
}

// The decomposition as a function of some of the inputs.
Function decomposition(const Op& op, const Arrays& inputs, const std::vector<int>& wanted) {
  return [&op, inputs, wanted](const Arrays& some) {
    Arrays all = inputs;
    for (size_t k = 0; k < wanted.size(); k++) all[static_cast<size_t>(wanted[k])] = some[k];
    return *op.decompose(all, to_stream({}));
  };
}

Arrays pick(const Arrays& arrays, const std::vector<int>& indices) {
  Arrays out;
  for (int i : indices) out.push_back(arrays[static_cast<size_t>(i)]);
  return out;
}

Shape example_of(const Array& x, int axis) {
  Shape shape = x.shape();
  if (axis >= 0) shape.erase(shape.begin() + axis);
  return shape;
}

// What a batch in front means is a guess from the types of the fields: the results have to be those
// of one example, batched.
void check_batched(const Op& op, const Batch& b, int64_t n, const Arrays& outputs) {
  Arrays examples;
  for (size_t i = 0; i < b.in.size(); i++) {
    examples.push_back(
        b.axes[i] < 0 ? b.in[i] : placeholder(example_of(b.in[i], b.axes[i]), b.in[i].dtype()));
  }
  op.check(examples);
  const Avals one = op.infer(examples);
  for (size_t k = 0; k < outputs.size(); k++) {
    Shape wanted = one[k].shape;
    wanted.insert(wanted.begin(), n);
    if (!(outputs[k].shape() == wanted)) refuse_rule("vmap", op);
  }
}

}  // namespace

Arrays vjp_of(const Op& op, const Pull& p) {
  DefaultStreamScope here(p.stream);
  if (auto result = op.vjp(p)) return *std::move(result);
  if (!op.decomposes()) refuse_rule("vjp", op);
  return vjp(decomposition(op, p.in, p.wanted), pick(p.in, p.wanted), p.g).second;
}

Arrays jvp_of(const Op& op, const Push& p) {
  DefaultStreamScope here(p.stream);
  if (auto result = op.jvp(p)) return *std::move(result);
  if (op.is_linear()) {
    Arrays moved;
    for (const Array& x : p.in) moved.push_back(zeros_like(x));
    for (size_t k = 0; k < p.wanted.size(); k++) moved[static_cast<size_t>(p.wanted[k])] = p.t[k];
    return p.out.size() == 1 ? Arrays{apply(OpRef(&op), std::move(moved), p.stream)}
                             : apply_multi(OpRef(&op), std::move(moved), p.stream);
  }
  if (op.decomposes()) {
    return jvp(decomposition(op, p.in, p.wanted), pick(p.in, p.wanted), p.t).second;
  }
  auto backward = [&](const Arrays& cotangents) {
    auto result = op.vjp({p.in, p.out, cotangents, p.wanted, p.stream});
    if (!result) refuse_rule("jvp", op);
    for (size_t k = 0; k < result->size(); k++) {
      if (!(*result)[k]) (*result)[k] = zeros_like(p.in[static_cast<size_t>(p.wanted[k])]);
    }
    return *std::move(result);
  };
  Arrays zeros;
  for (const Array& o : p.out) zeros.push_back(zeros_like(o));
  return vjp(backward, zeros, p.t).second;
}

Batched vmap_of(const Op& op, const Batch& b) {
  DefaultStreamScope here(b.stream);
  if (auto result = op.vmap(b)) return *std::move(result);
  const int64_t n = batch_size(b.in, b.axes);
  if (OpRef batched = op.with_batch(n)) {
    Arrays outputs = apply_multi(std::move(batched), all_batched(b.in, b.axes, b.stream), b.stream);
    check_batched(op, b, n, outputs);
    const size_t count = outputs.size();
    return {std::move(outputs), std::vector<int>(count, 0)};
  }
  if (!op.decomposes()) refuse_rule("vmap", op);
  auto fun = [&](const Arrays& x) { return *op.decompose(x, b.stream); };
  std::vector<int> in_axes = b.axes;
  std::replace(in_axes.begin(), in_axes.end(), -1, no_batch_axis);
  Arrays outputs = vmap(fun, in_axes)(b.in);
  return {outputs, std::vector<int>(outputs.size(), 0)};
}

}  // namespace heddle
