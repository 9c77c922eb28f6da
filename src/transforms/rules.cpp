#include "transforms/rules.h"

#include <algorithm>

#include "heddle/ops.h"
#include "heddle/transforms.h"

namespace heddle {
namespace {

[[noreturn]] void refuse(const char* transform, const Op& op) {
  throw std::invalid_argument(
      fmt::format("[{}] is not implemented for the operation {} and it has no decomposition.",
                  transform, op.title()));
}

bool decomposes(const Op& op, const Arrays& inputs) {
  return op.decompose(inputs, to_stream({})).has_value();
}

// The decomposition as a function of some of the inputs.
Function decomposition(const Op& op, const Arrays& inputs, const std::vector<int>& argnums) {
  return [&op, inputs, argnums](const Arrays& some) {
    Arrays all = inputs;
    for (size_t k = 0; k < argnums.size(); k++) all[static_cast<size_t>(argnums[k])] = some[k];
    return *op.decompose(all, to_stream({}));
  };
}

Arrays pick(const Arrays& arrays, const std::vector<int>& indices) {
  Arrays out;
  for (int i : indices) out.push_back(arrays[static_cast<size_t>(i)]);
  return out;
}

}  // namespace

Arrays vjp_of(const Op& op, const Arrays& inputs, const Arrays& cotangents,
              const std::vector<int>& argnums, const Arrays& outputs) {
  if (auto result = op.vjp(inputs, cotangents, argnums, outputs)) return *std::move(result);
  if (!decomposes(op, inputs)) refuse("vjp", op);
  return vjp(decomposition(op, inputs, argnums), pick(inputs, argnums), cotangents).second;
}

Arrays jvp_of(const Op& op, const Arrays& inputs, const Arrays& tangents,
              const std::vector<int>& argnums, const Arrays& outputs) {
  if (auto result = op.jvp(inputs, tangents, argnums, outputs)) return *std::move(result);
  if (op.is_linear()) {
    Arrays moved = inputs;
    for (size_t i = 0; i < inputs.size(); i++) {
      auto at = std::find(argnums.begin(), argnums.end(), static_cast<int>(i));
      if (at != argnums.end()) {
        moved[i] = tangents[static_cast<size_t>(at - argnums.begin())];
      } else {
        moved[i] = zeros_like(inputs[i]);
      }
    }
    OpRef self(&op);
    return outputs.size() == 1 ? Arrays{apply(self, moved, to_stream({}))}
                               : apply_multi(self, moved, to_stream({}));
  }
  if (decomposes(op, inputs)) {
    return jvp(decomposition(op, inputs, argnums), pick(inputs, argnums), tangents).second;
  }
  auto backward = [&](const Arrays& cotangents) {
    auto result = op.vjp(inputs, cotangents, argnums, outputs);
    if (!result) refuse("jvp", op);
    for (size_t k = 0; k < result->size(); k++) {
      if (!(*result)[k]) (*result)[k] = zeros_like(inputs[static_cast<size_t>(argnums[k])]);
    }
    return *std::move(result);
  };
  Arrays zeros;
  for (const Array& o : outputs) zeros.push_back(zeros_like(o));
  return vjp(backward, zeros, tangents).second;
}

Op::Batched vmap_of(const Op& op, const Arrays& inputs, const std::vector<int>& axes,
                    const Stream& stream) {
  if (auto result = op.vmap(inputs, axes, stream)) return *std::move(result);
  if (!decomposes(op, [&] {
        // Decompositions look at shapes: ask with one example's.
        Arrays example = inputs;
        for (size_t i = 0; i < inputs.size(); i++) {
          if (axes[i] < 0) continue;
          Shape shape = inputs[i].shape();
          shape.erase(shape.begin() + axes[i]);
          example[i] = zeros(shape, inputs[i].dtype());
        }
        return example;
      }())) {
    refuse("vmap", op);
  }
  auto fun = [&](const Arrays& x) { return *op.decompose(x, stream); };
  std::vector<int> in_axes = axes;
  std::replace(in_axes.begin(), in_axes.end(), -1, no_batch_axis);
  Arrays outputs = vmap(fun, in_axes)(inputs);
  return {outputs, std::vector<int>(outputs.size(), 0)};
}

}  // namespace heddle
