// What the tests of rewriting share: programs of functions, what is in them, what they give.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/node.h"
#include "heddle/heddle.h"
#include "transforms/rewrite.h"

namespace heddle::test {

using Formula = std::function<Arrays(const Arrays&)>;

// The function's program for inputs like these; what depends on none of them is part of it.
inline Graph graph_of(const Formula& f, const Arrays& examples) {
  TracingScope tracing;
  Arrays in;
  for (const Array& x : examples) in.push_back(placeholder(x.shape(), x.dtype()));
  return capture(in, f(in), nullptr, Capturing::everything);
}

inline Arrays run(const Graph& graph, const Arrays& inputs) {
  Arrays out = replay(graph, inputs, false);
  eval(out);
  return out;
}

// The names of the ops in the program, in their order.
inline std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& step : graph.steps) names.push_back(step.op->name());
  return names;
}

inline std::string text_of(const Graph& graph) {
  std::string text;
  for (const std::string& name : ops_of(graph)) text += name + " ";
  return text;
}

inline int count(const Graph& graph, const std::string& name) {
  const std::vector<std::string> names = ops_of(graph);
  return static_cast<int>(std::count(names.begin(), names.end(), name));
}

inline bool same_bits(const Array& a, const Array& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Array x = contiguous(a), y = contiguous(b);
  eval(x, y);
  return std::memcmp(x.raw_data(), y.raw_data(), x.nbytes()) == 0;
}

inline bool within(const Array& a, const Array& b, double tolerance) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return allclose(astype(a, float32), astype(b, float32), tolerance, tolerance, true).item<bool>();
}

// Gradients of the sum of all results, weighted by fixed numbers, for all floating inputs.
inline Arrays gradients(const Graph& graph, const Arrays& inputs) {
  std::vector<int> floating;
  for (size_t i = 0; i < inputs.size(); i++) {
    if (is_floating(inputs[i].dtype())) floating.push_back(static_cast<int>(i));
  }
  Function loss = [&](const Arrays& in) {
    Array sum_of_all(0.0f);
    for (const Array& out : replay(graph, in, false)) {
      const Array weights = cos(reshape(arange(static_cast<int>(out.size())), out.shape()));
      sum_of_all = sum_of_all + sum(astype(out, float32) * weights);
    }
    return Arrays{sum_of_all};
  };
  return grad(loss, floating)(inputs);
}

}  // namespace heddle::test
