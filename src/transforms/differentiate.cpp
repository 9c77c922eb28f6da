// vjp and jvp: run the function on tracers, capture its graph, walk it with the rules of its ops.
#include <fmt/format.h>

#include <algorithm>

#include "core/node.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/transforms.h"
#include "ops/checks.h"
#include "ops/pointwise.h"
#include "transforms/graph.h"
#include "transforms/rules.h"

namespace heddle {
namespace {

// Copies of the arrays that a trace can tell from the originals.
Arrays tracers_of(const Arrays& primals) {
  Arrays tracers;
  for (const Array& p : primals) {
    Array t = identity(p);
    t.node()->tracer = true;
    if (p.is_available()) {  // then it is nobody's work: other threads may read it as well
      t.node()->share(*p.node(), p.strides());
      t.node()->finish();
    }
    tracers.push_back(std::move(t));
  }
  return tracers;
}

void accumulate(Array& sum, const Array& term, const Stream& s) {
  if (!term) return;
  sum = sum ? add(sum, term, s) : term;
}

// The tangent of what does not move: zeros, for truth values of the dtype of tangents.
Array no_tangent(const Array& output, const Arrays& primals) {
  if (!is_bool(output.dtype()) || primals.empty()) return zeros_like(output);
  Dtype t = primals[0].dtype();
  for (const Array& p : primals) t = promote_types(t, p.dtype());
  return astype(zeros_like(output), t);
}

// Which slots move with the inputs, so that derivatives are asked for: not behind stop_gradient,
// and truth values never.
std::vector<bool> varying(const Graph& graph) {
  std::vector<bool> varies(static_cast<size_t>(graph.slot_count()), false);
  std::fill_n(varies.begin(), graph.input_count, true);
  for (const Graph::Step& step : graph.steps) {
    if (op_if<StopGradient>(*step.op)) continue;
    const bool moves = std::any_of(step.inputs.begin(), step.inputs.end(),
                                   [&](int i) { return varies[static_cast<size_t>(i)]; });
    for (int k = step.first_output; moves && k < step.first_output + step.output_count; k++) {
      varies[static_cast<size_t>(k)] = !is_bool(graph.avals[static_cast<size_t>(k)].dtype);
    }
  }
  return varies;
}

void check_cotangents(const Arrays& outputs, const Arrays& cotangents) {
  // As in MLX, cotangents beyond the outputs are not looked at.
  if (outputs.size() > cotangents.size()) {
    refuse(
        "vjp",
        "Number of outputs to compute gradients for ({}) does not match number of cotangents ({}).",
        outputs.size(), cotangents.size());
  }
  for (size_t i = 0; i < outputs.size(); i++) {
    if (!(outputs[i].shape() == cotangents[i].shape())) {
      refuse("vjp", "Output shape {} does not match cotangent shape {}.{}",
             to_string(outputs[i].shape()), to_string(cotangents[i].shape()),
             cotangents[i].ndim() == 0
                 ? " If you are using grad your function must return a scalar."
                 : "");
    }
  }
}

}  // namespace

std::pair<Arrays, Arrays> vjp(const Function& fun, const Arrays& primals,
                              const Arrays& cotangents) {
  TracingScope tracing;
  Arrays tracers = tracers_of(primals);
  Arrays outputs = fun(tracers);
  check_cotangents(outputs, cotangents);

  Arrays values;
  Graph graph = capture(tracers, outputs, &values);
  const std::vector<bool> varies = varying(graph);

  const Stream here = to_stream({});
  Arrays sums(values.size());
  for (size_t i = 0; i < outputs.size(); i++) {
    size_t slot = static_cast<size_t>(graph.outputs[i]);
    if (varies[slot]) accumulate(sums[slot], astype(cotangents[i], outputs[i].dtype()), here);
  }
  for (size_t k = graph.steps.size(); k-- > 0;) {
    const Graph::Step& step = graph.steps[k];
    size_t first = static_cast<size_t>(step.first_output);
    size_t count = static_cast<size_t>(step.output_count);
    bool reached = false;
    for (size_t i = first; i < first + count; i++) reached |= static_cast<bool>(sums[i]);
    if (!reached) continue;
    Arrays inputs, results(values.begin() + static_cast<long>(first),
                           values.begin() + static_cast<long>(first + count));
    Arrays given;
    for (size_t i = first; i < first + count; i++) {
      given.push_back(sums[i] ? std::move(sums[i]) : zeros_like(values[i]));
      sums[i] = Array();
    }
    std::vector<int> argnums;
    for (size_t i = 0; i < step.inputs.size(); i++) {
      inputs.push_back(values[static_cast<size_t>(step.inputs[i])]);
      if (varies[static_cast<size_t>(step.inputs[i])]) argnums.push_back(static_cast<int>(i));
    }
    if (argnums.empty()) continue;
    const Stream stream = stream_of(step);
    Arrays back = vjp_of(*step.op, {inputs, results, given, argnums, stream});
    for (size_t j = 0; j < argnums.size(); j++) {
      const auto slot = static_cast<size_t>(step.inputs[static_cast<size_t>(argnums[j])]);
      accumulate(sums[slot], back[j], stream);
    }
  }
  Arrays gradients;
  for (size_t i = 0; i < primals.size(); i++) {
    gradients.push_back(sums[i] ? sums[i] : zeros_like(primals[i]));
  }
  return {std::move(outputs), std::move(gradients)};
}

std::pair<Arrays, Arrays> jvp(const Function& fun, const Arrays& primals, const Arrays& tangents) {
  if (primals.size() != tangents.size()) {
    refuse("jvp", "Number of inputs ({}) does not match number of tangents ({}).", primals.size(),
           tangents.size());
  }
  for (size_t i = 0; i < primals.size(); i++) {
    if (!(primals[i].shape() == tangents[i].shape())) {
      refuse("jvp", "Input shape {} does not match tangent shape {}.",
             to_string(primals[i].shape()), to_string(tangents[i].shape()));
    }
  }
  TracingScope tracing;
  Arrays tracers = tracers_of(primals);
  Arrays outputs = fun(tracers);

  Arrays values;
  Graph graph = capture(tracers, outputs, &values);
  Arrays slopes(values.size());
  for (size_t i = 0; i < primals.size(); i++) slopes[i] = astype(tangents[i], primals[i].dtype());
  for (const Graph::Step& step : graph.steps) {
    Arrays inputs, moving;
    std::vector<int> argnums;
    for (size_t i = 0; i < step.inputs.size(); i++) {
      size_t slot = static_cast<size_t>(step.inputs[i]);
      inputs.push_back(values[slot]);
      if (!slopes[slot]) continue;
      argnums.push_back(static_cast<int>(i));
      moving.push_back(slopes[slot]);
    }
    if (argnums.empty()) continue;
    size_t first = static_cast<size_t>(step.first_output);
    Arrays results(values.begin() + static_cast<long>(first),
                   values.begin() + static_cast<long>(first) + step.output_count);
    Arrays out = jvp_of(*step.op, {inputs, results, moving, argnums, stream_of(step)});
    for (size_t k = 0; k < out.size(); k++) {
      // Truth values do not move.
      if (!is_bool(results[k].dtype())) slopes[first + k] = out[k];
    }
  }
  Arrays result;
  for (size_t i = 0; i < outputs.size(); i++) {
    const Array& t = slopes[static_cast<size_t>(graph.outputs[i])];
    result.push_back(t ? t : no_tangent(outputs[i], primals));
  }
  return {std::move(outputs), std::move(result)};
}

std::function<std::pair<Arrays, Arrays>(const Arrays&)> value_and_grad(Function fun,
                                                                       std::vector<int> argnums) {
  if (argnums.empty()) refuse("grad", "Must specify at least one argument.");
  return [fun = std::move(fun), argnums = std::move(argnums)](const Arrays& inputs) {
    Arrays chosen;
    for (int i : argnums) {
      if (i < 0 || i >= static_cast<int>(inputs.size())) {
        refuse("grad", "Invalid argument number {} for function with {} inputs.", i, inputs.size());
      }
      chosen.push_back(inputs[static_cast<size_t>(i)]);
    }
    Arrays rest;  // further outputs, passed through
    auto loss = [&](const Arrays& some) {
      Arrays all = inputs;
      for (size_t k = 0; k < argnums.size(); k++) all[static_cast<size_t>(argnums[k])] = some[k];
      Arrays out = fun(all);
      if (out.empty()) {
        refuse("grad",
               "The function returned no array: its first result must be the scalar to "
               "differentiate.");
      }
      rest.assign(out.begin() + 1, out.end());
      return Arrays{out[0]};
    };
    TracingScope tracing;
    auto [value, gradients] = vjp(loss, chosen, {Array(1.0f)});
    Arrays values = std::move(value);
    values.insert(values.end(), rest.begin(), rest.end());
    return std::make_pair(std::move(values), std::move(gradients));
  };
}

Function grad(Function fun, std::vector<int> argnums) {
  return [f = value_and_grad(std::move(fun), std::move(argnums))](const Arrays& inputs) {
    return f(inputs).second;
  };
}

}  // namespace heddle
