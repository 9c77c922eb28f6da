// One update of many parameters.
#pragma once

#include <vector>

#include "core/op.h"
#include "heddle/optim.h"

namespace heddle::optim {

// Applies an optimizer's formula to one parameter after another. A pointwise formula is captured
// for the first parameter of a shape and its dtypes and becomes one op for each parameter; what it
// computes from rate and step alone is computed once.
class Update {
 public:
  // `rate` is empty if the optimizer has none. `optimizer` must outlive the update.
  Update(const Optimizer& optimizer, Array rate, Array step);

  // The new parameter; `state` is brought up to date.
  Array operator()(const Array& gradient, const Array& parameter, State& state);

 private:
  // Parameters for which the formula is the same.
  struct Kind {
    Shape shape;
    std::vector<Dtype> dtypes;       // of gradient, parameter and state
    std::vector<std::string> names;  // of the state
    OpRef op;                        // none: the formula is not pointwise
    std::vector<bool> reads;         // per gradient, parameter and state: an input of `op`
    Arrays shared;                   // further inputs
    std::vector<size_t> changed;     // of the state: the outputs of `op` after the parameter
  };
  const Kind& kind_of(const Array& gradient, const Array& parameter, const State& state);
  Kind captured(const Array& gradient, const Array& parameter, const State& state) const;

  const Optimizer& optimizer_;
  Array rate_, step_;
  std::vector<Kind> kinds_;
};

}  // namespace heddle::optim
