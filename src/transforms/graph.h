// A captured graph: what transformations walk, compile caches and files hold.
//
// Values are numbered slots: inputs first, then constants and results in the order they were found.
#pragma once

#include "core/op.h"

namespace heddle {

struct Graph {
  struct Step {
    OpRef op;
    int stream;  // -1: the default stream of the thread that replays
    std::vector<int> inputs;
    int first_output;  // results take consecutive slots
    int output_count;
  };

  int input_count = 0;
  std::vector<std::pair<int, Array>> constants;
  std::vector<Step> steps;  // in an order in which every input comes before its use
  std::vector<int> outputs;
  std::vector<Aval> avals;  // of every slot, as captured

  int slot_count() const { return static_cast<int>(avals.size()); }

  // Whether it means the same for inputs of any size. Constants made while tracing, by ops with
  // sizes in their attributes (an arange, zeros), are no followers; data is.
  bool follows_shapes() const;
};

// Where a step's work belongs on the calling thread.
Stream stream_of(const Graph::Step& step);

// The graph that computes `outputs` from `inputs`. What does not depend on an input is a
// constant, or, with `everything`, only what is evaluated already: then the rest is captured as
// well. `values` receives the arrays of all slots.
enum class Capturing : uint8_t { dependents, everything };
Graph capture(const Arrays& inputs, const Arrays& outputs, Arrays* values = nullptr,
              Capturing what = Capturing::dependents);

// Builds the graph on other inputs. With `infer`, shapes are derived anew from those of
// the inputs; else they must be as captured. `values` receives the arrays of all slots.
Arrays replay(const Graph& graph, const Arrays& inputs, bool infer, Arrays* values = nullptr);

// Merges equal steps and scalars, and drops what is without effect. Steps of ops that are `apart`
// are equal to none.
void simplify(Graph& graph, const std::function<bool(const Op&)>& apart = {});

// A fresh input of a trace: has a shape and a dtype, but no value; evaluating it is an error.
Array placeholder(const Shape& shape, Dtype dtype);
// From now on it stands for `value`, and what was computed from it can be evaluated.
void give_value(const Array& placeholder, const Array& value);

}  // namespace heddle
