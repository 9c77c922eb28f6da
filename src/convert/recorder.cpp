#include "convert/recorder.h"

#include <algorithm>

#include "core/node.h"
#include "heddle/ops.h"
#include "ops/following.h"
#include "ops/pointwise.h"
#include "ops/shape.h"

namespace heddle::convert {
namespace {

[[noreturn]] void refuse(const std::string& op, const std::string& why) {
  throw Refusal("R-OP-UNKNOWN",
                fmt::format("[export_function] Unable to serialize primitive {}{}", op, why));
}

// One element stands for all of an array that repeats it.
std::optional<Array> repeated_element(const Array& a) {
  const Node& n = *a.node();
  if (n.size() < 2) return {};
  for (size_t i = 0; i < n.shape.size(); i++) {
    if (n.shape[i] > 1 && n.strides[i] != 0) return {};
  }
  auto* element = new Node(Shape{}, n.dtype);
  Array out = Array::adopt(element);
  element->share(n, Strides{}, 0);
  element->finish();
  return out;
}

}  // namespace

Calls Recorder::record(const Arrays& inputs, std::vector<std::string> keywords,
                       const Arrays& outputs, const FollowedSizes& sizes) {
  f_ = {};
  constants_.clear();
  scalars_.clear();
  sizes_ = &sizes;
  f_.keywords = std::move(keywords);
  f_.input_count = static_cast<int>(inputs.size());
  f_.dimensions = sizes.dimensions;
  f_.fixed = sizes.fixed;
  f_.needed = sizes.needed;
  f_.follows_sizes = sizes.known && dialect_.holds_following_numbers();
  std::vector<int> slots;
  for (const Array& in : inputs) slots.push_back(f_.add_slot({in.shape(), in.dtype()}));
  Arrays values;
  Graph graph = capture(inputs, outputs, &values, Capturing::everything);
  const std::vector<Origin> origins = origins_of(graph, values);
  simplify(graph, [&](const Op& op) { return following(op) != nullptr; });
  if (report_) report_->steps = static_cast<int>(graph.steps.size());
  f_.outputs = record_graph(graph, slots, origins);
  return std::move(f_);
}

const FollowingOp* Recorder::following(const Op& op) const {
  auto at = sizes_->ops.find(&op);
  return at == sizes_->ops.end() ? nullptr : &at->second;
}

std::vector<Origin> Recorder::origins_of(const Graph& graph, const Arrays& values) const {
  if (origins_.empty()) return {};
  std::unordered_map<const Node*, const Node*> before;
  for (const auto& [was, is] : sizes_->replaced) before[is.node()] = was.node();
  std::vector<Origin> out(values.size());
  for (size_t k = 0; k < values.size(); k++) {
    const Node* node = values[k].node();
    auto earlier = before.find(node);
    auto at = origins_.find(earlier == before.end() ? node : earlier->second);
    if (at != origins_.end()) out[k] = at->second.second;
  }
  for (auto step = graph.steps.rbegin(); step != graph.steps.rend(); ++step) {
    for (int i : step->inputs) {
      Origin& origin = out[static_cast<size_t>(i)];
      if (origin == Origin{}) origin = out[static_cast<size_t>(step->first_output)];
    }
  }
  return out;
}

std::vector<int> Recorder::record_graph(const Graph& graph, const std::vector<int>& in,
                                        const std::vector<Origin>& origins) {
  std::vector<int> slots(graph.avals.size(), -1);
  std::copy(in.begin(), in.end(), slots.begin());
  // Constants that no step reads any more are left out.
  std::vector<bool> used(graph.avals.size(), false);
  for (const auto& step : graph.steps) {
    for (int i : step.inputs) used[static_cast<size_t>(i)] = true;
  }
  for (int o : graph.outputs) used[static_cast<size_t>(o)] = true;
  for (const auto& [slot, array] : graph.constants) {
    if (used[static_cast<size_t>(slot)]) slots[static_cast<size_t>(slot)] = constant(array);
  }
  for (const auto& step : graph.steps) {
    std::vector<int> operands;
    for (int i : step.inputs) operands.push_back(slots[static_cast<size_t>(i)]);
    auto first = graph.avals.begin() + step.first_output;
    const size_t before = f_.calls.size();
    if (!origins.empty()) origin_ = origins[static_cast<size_t>(step.first_output)];
    std::vector<int> results =
        record_step(*step.op, operands, Avals(first, first + step.output_count));
    for (size_t k = before; k < f_.calls.size(); k++) f_.calls[k].origin = origin_;
    std::copy(results.begin(), results.end(), slots.begin() + step.first_output);
  }
  std::vector<int> outputs;
  for (int o : graph.outputs) outputs.push_back(slots[static_cast<size_t>(o)]);
  return outputs;
}

std::vector<int> Recorder::record_step(const Op& op, const std::vector<int>& in, const Avals& out) {
  if (!report_ || depth_ > 0) return call_of(op, in, out);
  try {
    std::vector<int> slots = call_of(op, in, out);
    report_->supported++;
    return slots;
  } catch (const std::invalid_argument& e) {
    const auto* refusal = dynamic_cast<const Refusal*>(&e);
    report_->issues.push_back({refusal ? refusal->code : "R-OP-ARG",
                               Issue::Severity::error,
                               op.name(),
                               e.what(),
                               refusal ? refusal->hint : "",
                               {}});
  }
  std::vector<int> slots;  // the others are tried as if it were there
  for (const Aval& a : out) slots.push_back(f_.add_slot(a));
  return slots;
}

std::vector<int> Recorder::call_of(const Op& op, const std::vector<int>& in, const Avals& out) {
  if (op.name() == "Load") {  // a constant that nobody has looked at yet
    return {constant(apply(OpRef(&op), {}, to_stream({})))};
  }
  if (op.runs_own_code()) {
    refuse(op.title(), ": a primitive of the program's own cannot leave the process.");
  }
  if (op.name() == "CustomTransforms") {
    refuse(op.name(), ": a function with rules of its own cannot leave the process.");
  }
  const FollowingOp* follows = following(op);
  if (follows && sizes_->strict && !dialect_.holds_following_numbers()) {
    refuse(op.name(),
           fmt::format(": its {} follows a size, and {} has only room for the number.",
                       op.attributes()[follows->numbers[0].attribute].first, dialect_.name()));
  }
  const WriterRow* row = dialect_.writer(op);
  if (row && row->write) {
    const size_t before = f_.calls.size();
    std::vector<int> slots = row->write({op, in, out, *this});
    if (follows && dialect_.holds_following_numbers()) {
      if (f_.calls.size() != before + 1) {
        refuse(op.name(), ": several calls stand for it, and a number of it follows a size.");
      }
      f_.calls.back().following = follows->numbers;
    }
    return slots;
  }
  if (row && row->pins_sizes && shapeless_) {
    refuse(op.name(), ": its composition holds for one size only, and the function is shapeless.");
  }
  return compose(in, [&](const Arrays& arrays) {
    const Stream stream = to_stream({});
    if (row && row->lower) return row->lower(op, arrays, stream);
    auto composed = op.decompose(arrays, stream);
    if (!composed) {
      refuse(op.name(), op.info().make
                            ? fmt::format(": {} has no such operation to store. Files with the "
                                          "suffix .heddle hold it.",
                                          dialect_.name())
                            : "");
    }
    return *composed;
  });
}

std::vector<int> Recorder::compose(const std::vector<int>& in,
                                   const std::function<Arrays(const Arrays&)>& f) {
  TracingScope tracing;
  Arrays stand_ins;
  for (int i : in) stand_ins.push_back(placeholder(aval(i).shape, aval(i).dtype));
  Arrays results = f(stand_ins);
  Graph graph = capture(stand_ins, results, nullptr, Capturing::everything);
  simplify(graph);
  depth_++;
  std::vector<int> slots;
  try {
    slots = record_graph(graph, in);
  } catch (...) {
    depth_--;
    throw;
  }
  depth_--;
  return slots;
}

std::vector<int> Recorder::emit(std::string name, Attributes attributes, std::vector<int> in,
                                const Avals& out) {
  Call c{.name = std::move(name), .attributes = std::move(attributes), .inputs = std::move(in)};
  c.first_output = static_cast<int>(f_.slots.size());
  c.output_count = static_cast<int>(out.size());
  std::vector<int> slots;
  for (const Aval& a : out) slots.push_back(f_.add_slot(a));
  f_.calls.push_back(std::move(c));
  return slots;
}

int Recorder::broadcast(int slot, const Shape& shape, const std::vector<int>& others) {
  const Aval from = aval(slot);
  std::vector<int> in{slot};
  if (shapeless_) {
    for (int o : others) {
      if (std::find(in.begin(), in.end(), o) == in.end()) in.push_back(o);
    }
  }
  if (from.shape == shape && in.size() == 1) return slot;
  const OpRef op = in.size() == 1 ? make_op<Broadcast>(shape) : make_op<BroadcastLike>(0);
  return call_of(*op, in, {{shape, from.dtype}})[0];
}

int Recorder::cast(int slot, Dtype dtype) {
  const Aval from = aval(slot);
  if (from.dtype == dtype) return slot;
  return call_of(*make_op<AsType>(dtype), {slot}, {{from.shape, dtype}})[0];
}

int Recorder::constant(const Array& array) {
  auto known = constants_.find(array.node());
  if (known != constants_.end()) return known->second.second;
  array.eval();
  int slot = -1;
  // A shape in a record might be one of the trace; that of data is its own.
  if (auto element = shapeless_ ? std::nullopt : repeated_element(array)) {
    slot = broadcast(constant(*element), array.shape());
  } else if (array.ndim() == 0) {
    // Equal numbers are one constant: traces are full of ones and zeros.
    const auto* bytes = static_cast<const char*>(array.raw_data());
    auto [at, is_new] =
        scalars_.try_emplace({array.dtype(), std::string(bytes, array.itemsize())}, -1);
    if (is_new) {
      at->second = f_.add_slot({array.shape(), array.dtype()});
      f_.constants.emplace_back(at->second, array);
    }
    slot = at->second;
  } else {
    slot = f_.add_slot({array.shape(), array.dtype()});
    f_.constants.emplace_back(slot, array);
  }
  constants_[array.node()] = {array, slot};
  return slot;
}

}  // namespace heddle::convert
