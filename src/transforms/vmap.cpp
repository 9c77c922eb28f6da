// vmap: run the function on placeholders of one example's shape, then replay its graph batched.
#include <fmt/format.h>

#include "core/node.h"
#include "heddle/ops/shape.h"
#include "heddle/transforms.h"
#include "ops/checks.h"
#include "transforms/graph.h"
#include "transforms/rules.h"

namespace heddle {
namespace {

struct Examples {
  std::vector<int> axes;  // normalised; -1: none
  int64_t size;
};

Examples batch_of(const Arrays& inputs, std::vector<int> in_axes) {
  if (in_axes.size() > inputs.size()) {
    refuse("vmap", "{} axes were given for {} inputs.", in_axes.size(), inputs.size());
  }
  in_axes.resize(inputs.size(), 0);
  Examples batch{in_axes, -1};
  for (size_t i = 0; i < inputs.size(); i++) {
    int& axis = batch.axes[i];
    if (axis == no_batch_axis) {
      axis = -1;
      continue;
    }
    axis = normalize_axis("vmap", axis, inputs[i].ndim());
    int64_t n = inputs[i].shape()[static_cast<size_t>(axis)];
    if (batch.size >= 0 && n != batch.size) {
      refuse("vmap", "Inconsistent axis sizes: {} and {}.", batch.size, n);
    }
    batch.size = n;
  }
  if (batch.size < 0) refuse("vmap", "At least one input must be batched.");
  return batch;
}

// Every value of the graph with its batch axis (-1: none).
struct Slots {
  Arrays values;
  std::vector<int> axes;
};

Slots run_batched(const Graph& graph, const Arrays& inputs, const std::vector<int>& axes) {
  Slots slots{Arrays(static_cast<size_t>(graph.slot_count())),
              std::vector<int>(static_cast<size_t>(graph.slot_count()), -1)};
  for (size_t i = 0; i < inputs.size(); i++) {
    slots.values[i] = inputs[i];
    slots.axes[i] = axes[i];
  }
  for (const auto& [slot, array] : graph.constants) slots.values[static_cast<size_t>(slot)] = array;
  for (const auto& step : graph.steps) {
    Arrays in;
    std::vector<int> at;
    bool any = false;
    for (int i : step.inputs) {
      in.push_back(slots.values[static_cast<size_t>(i)]);
      at.push_back(slots.axes[static_cast<size_t>(i)]);
      any |= at.back() >= 0;
    }
    const Stream stream = stream_of(step);
    Batched out;
    if (any) {
      out = vmap_of(*step.op, {in, at, stream});
    } else {
      out.outputs = step.output_count == 1 ? Arrays{apply(step.op, in, stream)}
                                           : apply_multi(step.op, in, stream);
      out.axes.assign(out.outputs.size(), -1);
    }
    for (size_t k = 0; k < out.outputs.size(); k++) {
      slots.values[static_cast<size_t>(step.first_output) + k] = out.outputs[k];
      slots.axes[static_cast<size_t>(step.first_output) + k] = out.axes[k];
    }
  }
  return slots;
}

}  // namespace

Function vmap(Function fun, std::vector<int> in_axes, std::vector<int> out_axes) {
  return vmap(std::move(fun), std::move(in_axes),
              [out_axes = std::move(out_axes)] { return out_axes; });
}

Function vmap(Function fun, std::vector<int> in_axes,
              std::function<std::vector<int>()> axes_of_outputs) {
  return [fun = std::move(fun), in_axes = std::move(in_axes),
          axes_of_outputs = std::move(axes_of_outputs)](const Arrays& inputs) {
    Examples batch = batch_of(inputs, in_axes);
    TracingScope tracing;
    Arrays examples, traced, whole;
    std::vector<int> axes;
    for (size_t i = 0; i < inputs.size(); i++) {
      if (batch.axes[i] < 0) {
        examples.push_back(inputs[i]);
        continue;
      }
      Shape shape = inputs[i].shape();
      shape.erase(shape.begin() + batch.axes[i]);
      examples.push_back(placeholder(shape, inputs[i].dtype()));
      traced.push_back(examples.back());
      whole.push_back(inputs[i]);
      axes.push_back(batch.axes[i]);
    }
    Arrays outputs = fun(examples);
    std::vector<int> out_axes = axes_of_outputs();
    if (out_axes.size() > outputs.size()) {
      refuse("vmap", "{} axes were given for {} outputs.", out_axes.size(), outputs.size());
    }
    Graph graph = capture(traced, outputs);
    Slots slots = run_batched(graph, whole, axes);

    Arrays results;
    for (size_t k = 0; k < outputs.size(); k++) {
      size_t slot = static_cast<size_t>(graph.outputs[k]);
      Array y = slots.values[slot];
      int from = slots.axes[slot];
      int wanted = k < out_axes.size() ? out_axes[k] : 0;
      if (wanted == no_batch_axis) {
        if (from >= 0) {
          refuse("vmap", "An output that depends on a batched input needs an axis in out_axes.");
        }
        results.push_back(y);
        continue;
      }
      if (from < 0) {
        Shape shape = y.shape();
        shape.insert(shape.begin(), batch.size);
        y = broadcast_to(y, shape);
        from = 0;
      }
      int to = normalize_axis("vmap", wanted, y.ndim());
      results.push_back(from == to ? y : moveaxis(y, from, to));
    }
    return results;
  };
}

}  // namespace heddle
