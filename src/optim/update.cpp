#include "optim/update.h"

#include <algorithm>

#include "core/node.h"
#include "transforms/pointwise_function.h"

namespace heddle::optim {
namespace {

// To be computed with what reads it, which an op would prevent.
bool lazily_pointwise(const Array& a) { return a.node()->pointwise && !a.is_available(); }

}  // namespace

Update::Update(const Optimizer& optimizer, Array rate, Array step)
    : optimizer_(optimizer), rate_(std::move(rate)), step_(std::move(step)) {}

Array Update::operator()(const Array& gradient, const Array& parameter, State& state) {
  const Kind& kind = kind_of(gradient, parameter, state);
  if (!kind.op) return optimizer_.apply_single(gradient, parameter, state, rate_, step_);
  Arrays inputs;
  inputs.reserve(kind.reads.size() + kind.shared.size());
  bool fuses = false;
  size_t at = 0;
  auto add = [&](const Array& a) {
    if (!kind.reads[at++]) return;
    fuses |= lazily_pointwise(a);
    inputs.push_back(a);
  };
  add(gradient);
  add(parameter);
  for (const auto& [name, array] : state) add(array);
  inputs.insert(inputs.end(), kind.shared.begin(), kind.shared.end());
  const Stream stream = to_stream({});
  Arrays outputs =
      fuses ? *kind.op->decompose(inputs, stream) : apply_multi(kind.op, std::move(inputs), stream);
  for (size_t k = 0; k < kind.changed.size(); k++) {
    state[kind.names[kind.changed[k]]] = std::move(outputs[k + 1]);
  }
  return std::move(outputs[0]);
}

const Update::Kind& Update::kind_of(const Array& gradient, const Array& parameter,
                                    const State& state) {
  auto fits = [&](const Kind& kind) {
    if (kind.names.size() != state.size() || kind.dtypes[0] != gradient.dtype() ||
        kind.dtypes[1] != parameter.dtype() || !(kind.shape == parameter.shape())) {
      return false;
    }
    size_t i = 0;
    return std::all_of(state.begin(), state.end(), [&](const auto& entry) {
      i++;
      return kind.names[i - 1] == entry.first && kind.dtypes[i + 1] == entry.second.dtype();
    });
  };
  static const Kind none{};
  const Shape& shape = parameter.shape();
  const bool one_shape =
      gradient.shape() == shape && std::all_of(state.begin(), state.end(), [&](const auto& entry) {
        return entry.second && entry.second.shape() == shape;
      });
  if (!one_shape) return none;
  auto known = std::find_if(kinds_.begin(), kinds_.end(), fits);
  if (known != kinds_.end()) return *known;
  kinds_.push_back(captured(gradient, parameter, state));
  return kinds_.back();
}

Update::Kind Update::captured(const Array& gradient, const Array& parameter,
                              const State& state) const {
  Kind kind;
  kind.shape = parameter.shape();
  TracingScope tracing;
  Arrays inputs;
  auto stand_in = [&](const Array& a) {
    kind.dtypes.push_back(a.dtype());
    inputs.push_back(placeholder(a.shape(), a.dtype()));
    return inputs.back();
  };
  const Array g = stand_in(gradient), p = stand_in(parameter);
  State traced;
  for (const auto& [name, array] : state) {
    kind.names.push_back(name);
    traced[name] = stand_in(array);
  }
  Arrays outputs{optimizer_.apply_single(g, p, traced, rate_, step_)};
  for (size_t i = 0; i < kind.names.size(); i++) {
    const Array& now = traced[kind.names[i]];
    if (now.node() == inputs[i + 2].node()) continue;
    kind.changed.push_back(i);
    outputs.push_back(now);
  }
  if (traced.size() != state.size()) return kind;
  PointwiseFunction::Captured function = PointwiseFunction::capture(inputs, outputs);
  kind.reads = std::move(function.reads);
  kind.shared = std::move(function.shared);
  kind.op = std::move(function.op);
  for (const Kind& other : kinds_) {  // one op for all shapes, where it is the same
    if (kind.op && other.op && other.op->equals(*kind.op)) kind.op = other.op;
  }
  return kind;
}

}  // namespace heddle::optim
