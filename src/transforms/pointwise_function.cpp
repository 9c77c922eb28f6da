#include "transforms/pointwise_function.h"

#include <algorithm>
#include <cstring>

#include "ops/checks.h"

namespace heddle {
namespace {

bool same_value(const Array& a, const Array& b) {
  return a.dtype() == b.dtype() && std::memcmp(a.raw_data(), b.raw_data(), a.itemsize()) == 0;
}

bool same_step(const Graph::Step& a, const Graph::Step& b) {
  return a.inputs == b.inputs && a.first_output == b.first_output && a.stream == b.stream &&
         a.op->equals(*b.op);
}

}  // namespace

PointwiseFunction::Captured PointwiseFunction::capture(const Arrays& inputs,
                                                       const Arrays& outputs) {
  const Graph whole = heddle::capture(inputs, outputs);
  Captured result;
  result.reads.resize(inputs.size());
  for (const auto& step : whole.steps) {
    for (int i : step.inputs) {
      if (i < whole.input_count) result.reads[static_cast<size_t>(i)] = true;
    }
  }
  Arrays arguments;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (result.reads[i]) arguments.push_back(inputs[i]);
  }
  const int varying = static_cast<int>(arguments.size());
  for (const auto& [slot, array] : whole.constants) {
    if (array.ndim() != 0) return {};
    if (!array.is_available() || array.node()->tracer) result.shared.push_back(array);
  }
  arguments.insert(arguments.end(), result.shared.begin(), result.shared.end());
  // On arrays of its own, so that the op does not keep the caller's.
  Arrays stand_ins, slots;
  for (const Array& a : arguments) stand_ins.push_back(placeholder(a.shape(), a.dtype()));
  Graph graph = heddle::capture(
      stand_ins, replay(heddle::capture(arguments, outputs), stand_ins, false), &slots);
  const Shape& shape = inputs.at(0).shape();
  auto fits = [&](const Graph::Step& step) {
    return step.op->is_pointwise() &&
           graph.avals[static_cast<size_t>(step.first_output)].shape == shape;
  };
  auto is_result = [&](int slot) {  // of a step, and once
    return std::count(graph.outputs.begin(), graph.outputs.end(), slot) == 1 &&
           std::any_of(graph.steps.begin(), graph.steps.end(),
                       [&](const Graph::Step& step) { return step.first_output == slot; });
  };
  if (varying > 0 && graph.steps.size() <= PointwiseCode::max_nodes &&
      arguments.size() + graph.constants.size() <= PointwiseCode::max_inputs &&
      std::all_of(graph.steps.begin(), graph.steps.end(), fits) &&
      std::all_of(graph.outputs.begin(), graph.outputs.end(), is_result)) {
    result.op = OpRef(new PointwiseFunction(std::move(graph), std::move(slots), varying));
  }
  return result;
}

PointwiseFunction::PointwiseFunction(Graph graph, Arrays slots, int varying)
    : graph_(std::move(graph)), slots_(std::move(slots)), varying_(varying) {
  std::vector<uint8_t> operands(slots_.size());  // what stands for each slot
  auto node = [&](int slot) { return slots_[static_cast<size_t>(slot)].node(); };
  auto read = [&](int slot, Node* input) {
    operands[static_cast<size_t>(slot)] = static_cast<uint8_t>(code_.inputs.size());
    code_.inputs.push_back(input);
  };
  for (int i = 0; i < graph_.input_count; i++) read(i, node(i));
  for (const auto& [slot, array] : graph_.constants) read(slot, array.node());
  for (const Graph::Step& step : graph_.steps) {
    operands[static_cast<size_t>(step.first_output)] =
        static_cast<uint8_t>(PointwiseCode::first_node + code_.nodes.size());
    code_.nodes.push_back(node(step.first_output));
    code_.operands.push_back({});
    for (size_t j = 0; j < step.inputs.size(); j++) {
      code_.operands.back()[j] = operands[static_cast<size_t>(step.inputs[j])];
    }
    const auto output = std::find(graph_.outputs.begin(), graph_.outputs.end(), step.first_output);
    code_.kept.push_back(output != graph_.outputs.end());
    if (code_.kept.back()) outputs_.push_back(static_cast<int>(output - graph_.outputs.begin()));
  }
}

const OpInfo& PointwiseFunction::type() {
  static const OpInfo& info = register_op("PointwiseFunction");
  return info;
}

const PointwiseFunction* PointwiseFunction::of(const Op& op) {
  return &op.info() == &type() ? static_cast<const PointwiseFunction*>(&op) : nullptr;
}

void PointwiseFunction::check(const Arrays& inputs) const {
  static const Shape scalar{};
  require_inputs(*this, inputs, static_cast<size_t>(graph_.input_count));
  for (size_t i = 0; i < inputs.size(); i++) {
    const Shape& wanted = static_cast<int>(i) < varying_ ? inputs[0].shape() : scalar;
    if (!(inputs[i].shape() == wanted) || inputs[i].dtype() != graph_.avals[i].dtype) {
      refuse("pointwise_function", "Input {} should be {} of shape {}, but is {} of shape {}.", i,
             name_of(graph_.avals[i].dtype), to_string(wanted), name_of(inputs[i].dtype()),
             to_string(inputs[i].shape()));
    }
  }
}

Avals PointwiseFunction::infer(const Arrays& inputs) const {
  Avals out;
  out.reserve(graph_.outputs.size());
  for (int slot : graph_.outputs) {
    out.push_back({inputs[0].shape(), graph_.avals[static_cast<size_t>(slot)].dtype});
  }
  return out;
}

std::optional<Arrays> PointwiseFunction::decompose(const Arrays& inputs, const Stream&) const {
  return replay(graph_, inputs, true);
}

bool PointwiseFunction::equals(const Op& other) const {
  const PointwiseFunction* function = of(other);
  if (!function || function->varying_ != varying_) return false;
  const Graph &a = graph_, &b = function->graph_;
  auto same_constant = [](const auto& x, const auto& y) {
    return x.first == y.first && same_value(x.second, y.second);
  };
  auto same_dtype = [](const Aval& x, const Aval& y) { return x.dtype == y.dtype; };
  return a.outputs == b.outputs &&
         std::equal(a.avals.begin(), a.avals.end(), b.avals.begin(), b.avals.end(), same_dtype) &&
         std::equal(a.steps.begin(), a.steps.end(), b.steps.begin(), b.steps.end(), same_step) &&
         std::equal(a.constants.begin(), a.constants.end(), b.constants.begin(), b.constants.end(),
                    same_constant);
}

size_t PointwiseFunction::hash() const {
  size_t h = graph_.steps.size();
  for (const Graph::Step& step : graph_.steps) h = h * 31 + step.op->hash();
  return h;
}

}  // namespace heddle
