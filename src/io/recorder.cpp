#include "io/recorder.h"

#include <algorithm>

#include "core/node.h"
#include "heddle/ops.h"
#include "ops/following.h"
#include "ops/pointwise.h"
#include "ops/shape.h"

namespace heddle::io {
namespace {

[[noreturn]] void refuse(const std::string& op, const char* why) {
  throw std::invalid_argument(
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

TracedFunction Recorder::record(const Arrays& inputs, std::vector<std::string> keywords,
                                const Arrays& outputs) {
  f_ = {};
  constants_.clear();
  scalars_.clear();
  f_.keywords = std::move(keywords);
  f_.input_count = static_cast<int>(inputs.size());
  std::vector<int> slots;
  for (const Array& in : inputs) slots.push_back(f_.add_slot({in.shape(), in.dtype()}));
  Graph graph = capture(inputs, outputs, nullptr, Capturing::everything);
  simplify(graph);
  f_.outputs = record_graph(graph, slots);
  return std::move(f_);
}

std::vector<int> Recorder::record_graph(const Graph& graph, const std::vector<int>& in) {
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
    std::vector<int> results =
        record_step(*step.op, operands, Avals(first, first + step.output_count));
    std::copy(results.begin(), results.end(), slots.begin() + step.first_output);
  }
  std::vector<int> outputs;
  for (int o : graph.outputs) outputs.push_back(slots[static_cast<size_t>(o)]);
  return outputs;
}

std::vector<int> Recorder::record_step(const Op& op, const std::vector<int>& in, const Avals& out) {
  if (op.name() == "Load") {  // a constant that nobody has looked at yet
    return {constant(apply(OpRef(&op), {}, to_stream({})))};
  }
  if (op.runs_own_code()) {
    refuse(op.title(), ": a primitive of the program's own cannot leave the process.");
  }
  if (op.name() == "CustomTransforms") {
    refuse(op.name(), ": a function with rules of its own cannot leave the process.");
  }
  if (!for_mlx() && op.info().make) return emit(OpRef(&op), in, out);
  const Spelling* s = for_mlx() ? find_spelling(op.name()) : nullptr;
  if (s && (s->write || s->primitive)) {
    Writing w{op, in, out, *this};
    if (s->write) return s->write(w);
    if (s->broadcasts && in.size() > 1) {
      for (size_t i = 0; i < in.size(); i++) {
        std::vector<int> others = in;
        others.erase(others.begin() + static_cast<long>(i));
        w.in[i] = broadcast(in[i], out[0].shape, others);
      }
    }
    return emit(s->primitive, s->state ? s->state(w) : std::vector<ExportValue>{}, w.in, out);
  }
  if (s && s->pins_sizes && shapeless_) {
    refuse(op.name(), ": its composition holds for one size only, and the function is shapeless.");
  }
  return compose(in, [&](const Arrays& arrays) {
    const Stream stream = to_stream({});
    if (s && s->lower) return s->lower(op, arrays, stream);
    auto composed = op.decompose(arrays, stream);
    if (!composed) {
      refuse(op.name(),
             op.info().make
                 ? ": MLX has no such operation to store. Files with the suffix .heddle hold it."
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
  return record_graph(graph, in);
}

std::vector<int> Recorder::emit(const char* name, std::vector<ExportValue> state,
                                std::vector<int> in, const Avals& out) {
  return add(
      {.primitive = find_primitive(name), .state = {std::move(state)}, .inputs = std::move(in)},
      out);
}

std::vector<int> Recorder::emit(OpRef op, std::vector<int> in, const Avals& out) {
  return add({.op = std::move(op), .inputs = std::move(in)}, out);
}

std::vector<int> Recorder::add(Record r, const Avals& out) {
  r.first_output = static_cast<int>(f_.slots.size());
  r.output_count = static_cast<int>(out.size());
  std::vector<int> slots;
  for (const Aval& a : out) slots.push_back(f_.add_slot(a));
  f_.records.push_back(std::move(r));
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
  if (!for_mlx()) {
    OpRef op = in.size() == 1 ? make_op<Broadcast>(shape) : make_op<BroadcastLike>(0);
    return emit(std::move(op), std::move(in), {{shape, from.dtype}})[0];
  }
  return emit_one("Broadcast", {shape}, in, {shape, from.dtype});
}

int Recorder::cast(int slot, Dtype dtype) {
  const Aval from = aval(slot);
  if (from.dtype == dtype) return slot;
  if (!for_mlx()) return emit(make_op<AsType>(dtype), {slot}, {{from.shape, dtype}})[0];
  return emit_one("AsType", {dtype}, {slot}, {from.shape, dtype});
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

}  // namespace heddle::io
